//! One lease, as its caller sees it.

use std::collections::BTreeMap;
use std::mem;

use super::Moment;
use super::delivery::Delivery;
use super::messages::{Order, ToMachine, Weight};
use super::queues::Queued;

pub(super) struct Link<T> {
    pub(super) machine: u64,
    pub(super) lease: u64,
    lasts: u64,
    pub(super) labels: Vec<String>,
    pub(super) delivery: Delivery<Order<T>>,
    /// Unanswered calls; `None` for those that nobody wants.
    pub(super) calls: BTreeMap<u64, Option<Sent<T>>>,
    /// How many of those are about a value there, and take no place.
    at_home: u64,
    /// How many of them keep a value there, or are about to make it.
    pub(super) kept: u64,
    /// How many items of each are no longer on the way, where the machine has not been told.
    grants: BTreeMap<u64, u64>,
    pub(super) credit: u64,
    /// How many calls were sent.
    used: u64,
    /// The latest stamp of the machine.
    pub(super) stamp: Moment,
    pub(super) heard: Moment,
    asked: Moment,
    /// When there was last anything to call.
    busy: Moment,
    /// When there was last anything that needed a place.
    needed: Moment,
    /// The demand that the machine knows of.
    told: u64,
    pub(super) drains: bool,
    /// The machine missed something, and has to be told.
    pub(super) is_due: bool,
    pub(super) asks: bool,
    /// Nothing more is sent, so that the machine stops when the lease ends.
    pub(super) is_mute: bool,
}

/// A call that was sent.
pub(super) struct Sent<T> {
    pub(super) parcel: T,
    pub(super) label: &'static str,
    /// The call that keeps its value.
    pub(super) home: Option<u64>,
    /// It keeps a value.
    pub(super) keeps: bool,
}

/// How long an unused lease is kept.
const IDLE: u64 = 10_000;
/// How long after its last call that needs a place a caller reports that it wants no more.
const PAUSE: u64 = 100;

impl<T: Clone + Weight> Link<T> {
    pub(super) fn new(
        (machine, lease): (u64, u64),
        lasts: u64,
        labels: Vec<String>,
        now: Moment,
    ) -> Self {
        Self {
            machine,
            lease,
            lasts,
            labels,
            delivery: Delivery::new(),
            calls: BTreeMap::new(),
            at_home: 0,
            kept: 0,
            grants: BTreeMap::new(),
            credit: 0,
            used: 0,
            stamp: 0,
            heard: now,
            asked: now,
            busy: now,
            needed: now,
            told: 0,
            drains: false,
            is_due: false,
            asks: false,
            is_mute: false,
        }
    }

    /// Whether calls with this label may go here.
    pub(super) fn has(&self, label: &str) -> bool {
        label.is_empty() || self.labels.iter().any(|own| own == label)
    }

    /// Whether calls may be sent here: the machine was heard from recently, and is not ending.
    pub(super) fn is_usable(&self, now: Moment) -> bool {
        !self.drains && !self.is_mute && now.saturating_sub(self.heard) < 2 * self.beat()
    }

    /// How often the machine is polled.
    fn beat(&self) -> u64 {
        self.lasts / 5
    }

    /// How long the machine may be silent before it is given up; by then it has stopped.
    pub(super) fn patience(&self) -> u64 {
        self.lasts + self.lasts / 4
    }

    /// How many calls may be sent now.
    pub(super) fn room(&self) -> u64 {
        self.credit.saturating_sub(self.used)
    }

    pub(super) fn send(&mut self, number: u64, call: Queued<T>, label: &'static str) {
        let Queued { parcel, keeps, .. } = call;
        self.used += 1;
        let keeps = keeps.is_some();
        self.kept += u64::from(keeps);
        self.calls.insert(number, Some(Sent { parcel: parcel.clone(), label, home: None, keeps }));
        self.delivery.push(Order::Call { number, parcel, home: None });
    }

    /// Sends a call about the value that another one keeps there; false if it does not. The last
    /// one drops the value.
    pub(super) fn send_home(&mut self, number: u64, parcel: T, home: u64, is_last: bool) -> bool {
        let kept = self.calls.get_mut(&home).and_then(Option::as_mut);
        let is_kept = kept.is_some() && !self.is_mute;
        if is_kept {
            let ends = kept.is_some_and(|kept| is_last && mem::take(&mut kept.keeps));
            self.kept -= u64::from(ends);
            self.at_home += 1;
            let sent = Sent { parcel: parcel.clone(), label: "", home: Some(home), keeps: false };
            self.calls.insert(number, Some(sent));
            self.delivery.push(Order::Call { number, parcel, home: Some(home) });
        }
        is_kept
    }

    /// A call has ended there, or was returned; `None` if it was not there.
    pub(super) fn remove(&mut self, number: u64) -> Option<Option<Sent<T>>> {
        let sent = self.calls.remove(&number)?;
        sent.iter().for_each(|sent| self.discount(sent));
        Some(sent)
    }

    fn discount(&mut self, sent: &Sent<T>) {
        self.at_home -= u64::from(sent.home.is_some());
        self.kept -= u64::from(sent.keeps);
    }

    /// How many calls take a place there, or might.
    pub(super) fn placed(&self) -> u64 {
        self.calls.len() as u64 - self.at_home
    }

    /// The machine is to end this call, and to say how it has ended.
    pub(super) fn stop(&mut self, number: u64) {
        if matches!(self.calls.get(&number), Some(Some(_))) {
            self.delivery.push(Order::Cancel { number });
        }
    }

    /// Nobody wants this call any more.
    pub(super) fn cancel(&mut self, number: u64) {
        let Some(sent) = self.calls.get_mut(&number) else { return };
        if let Some(sent) = sent.take() {
            self.discount(&sent);
            self.delivery.push(Order::Cancel { number });
        }
    }

    /// So many items of a call are no longer on the way.
    pub(super) fn grant(&mut self, number: u64, done: u64) {
        if matches!(self.calls.get(&number), Some(Some(_))) {
            self.grants.insert(number, done);
        }
    }

    /// Whether it is useless: nothing was called for long, or the machine is about to end.
    pub(super) fn is_over(&self, now: Moment) -> bool {
        let has_nothing = self.calls.is_empty() && self.delivery.is_done();
        has_nothing && (self.drains || now.saturating_sub(self.busy) > IDLE)
    }

    /// Polls the machine from time to time, as long as an answer is expected.
    pub(super) fn tick(&mut self, now: Moment, queued: u64) {
        if queued > 0 || !self.calls.is_empty() {
            self.busy = now;
        }
        if queued > 0 || self.placed() > self.kept {
            self.needed = now;
        } else if self.told > self.placed() && now.saturating_sub(self.needed) > PAUSE {
            self.is_due = true;
        }
        if now.saturating_sub(self.asked) >= self.beat() {
            self.asks = true;
        }
    }

    /// The next packet, if there is anything to say.
    pub(super) fn packet(
        &mut self,
        now: Moment,
        caller: u64,
        queued: u64,
        most: usize,
    ) -> Option<ToMachine<T>> {
        if self.is_mute {
            return None;
        }
        let want = queued + self.placed();
        // It believes that this caller has what it wants.
        let wants_more = queued > 0 && self.told < want && self.told <= self.placed();
        while let Some((number, done)) = self.grants.pop_first() {
            self.delivery.push(Order::Grant { number, done });
        }
        let is_due = std::mem::take(&mut self.is_due) || self.delivery.untold() > 256;
        let has_more = self.delivery.has_more();
        if !(has_more || is_due || self.asks || wants_more) {
            return None;
        }
        let asks = std::mem::take(&mut self.asks);
        if asks {
            self.asked = now;
        }
        self.told = want;
        let (header, orders) = self.delivery.packet(most);
        let (lease, echo) = (self.lease, self.stamp);
        Some(ToMachine::Packet { lease, caller, header, echo, want, asks, orders })
    }
}
