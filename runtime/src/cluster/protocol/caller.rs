//! The caller's side: waiting calls, sent calls, and known machines.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::links::{Link, Sent};
use super::messages::{Open, ToCaller, ToMachine, Weight, Word};
use super::queues::{Choice, Queue, Queued};
use super::{Moment, Terms};

mod search;

/// What the driver has to do.
#[derive(Debug)]
pub(crate) enum Deed<T, E> {
    Send {
        machine: u64,
        message: ToMachine<T>,
    },
    /// To any one machine with the label; [`Caller::nobody`] if there is none.
    Seek {
        label: &'static str,
        open: Open,
    },
    /// What a call has yielded, in order and before its end.
    Item {
        number: u64,
        item: E,
    },
    Finish {
        number: u64,
        end: End<E>,
    },
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum End<E> {
    Ended(E),
    /// It has yielded this, or has ended so, although nobody is interested any more.
    Unwanted(E),
    /// Its machine was given up; the call does not run any more.
    Lost,
    /// It was sent to no machine, or all machines have returned it.
    Nobody(Why),
    /// The value that it is about is gone, and it was not started.
    Returned,
}

/// Why no machine got a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    NoBroker,
    NoMachine,
}

/// How long the connection must have existed before a silent machine is given up, and how late a
/// tick must be to show that this program was stopped.
const GRACE: u64 = 2_000;
const LATE: u64 = 1_000;
pub(crate) struct Caller<T, E> {
    id: u64,
    terms: Terms,
    /// Calls that no machine has, by the label that they ask for.
    queues: BTreeMap<&'static str, Queue<T>>,
    /// The lease under which a call was sent.
    places: HashMap<u64, u64>,
    links: BTreeMap<u64, Link<T>>,
    /// Machines that have started while no call waited, and their labels.
    newcomers: VecDeque<(u64, Vec<String>)>,
    /// Unanswered requests for leases, with their time and label.
    openings: BTreeMap<u64, (Moment, &'static str)>,
    opening: u64,
    /// Since when there is a connection, or none.
    connected: Result<Moment, Moment>,
    ticked: Moment,
    deeds: Vec<Deed<T, E>>,
}

impl<T: Clone + Weight, E> Caller<T, E> {
    pub(crate) fn new(id: u64, terms: Terms, now: Moment) -> Self {
        Self {
            id,
            terms,
            queues: BTreeMap::new(),
            places: HashMap::new(),
            links: BTreeMap::new(),
            newcomers: VecDeque::new(),
            openings: BTreeMap::new(),
            opening: 0,
            connected: Err(now),
            ticked: now,
            deeds: Vec::new(),
        }
    }

    /// Accepts a call; a machine with the label may run it, or any machine if it is empty.
    pub(crate) fn submit(&mut self, now: Moment, number: u64, parcel: T, label: &'static str) {
        self.wait(number, Queued { parcel, since: now, keeps: None }, label);
    }

    /// Accepts a call that makes a value and keeps it where it runs, for as long as it does.
    pub(crate) fn submit_keeper(
        &mut self,
        now: Moment,
        number: u64,
        parcel: T,
        label: &'static str,
    ) {
        self.wait(number, Queued { parcel, since: now, keeps: Some(Choice::Open) }, label);
    }

    fn wait(&mut self, number: u64, call: Queued<T>, label: &'static str) {
        self.queues.entry(label).or_insert_with(Queue::new).calls.insert(number, call);
    }

    /// Accepts a call about the value that the call `home` keeps: it goes where that is. The last
    /// one drops the value.
    pub(crate) fn submit_home(&mut self, number: u64, parcel: T, home: u64, is_last: bool) {
        let link = self.places.get(&home).and_then(|lease| self.links.get_mut(lease));
        let lease = link
            .and_then(|link| link.send_home(number, parcel, home, is_last).then_some(link.lease));
        match lease {
            Some(lease) => _ = self.places.insert(number, lease),
            None => self.deeds.push(Deed::Finish { number, end: End::Returned }),
        }
    }

    /// That call is to end, if a machine has it; how it has ended is reported.
    pub(crate) fn stop(&mut self, number: u64) {
        let link = self.places.get(&number).and_then(|lease| self.links.get_mut(lease));
        link.into_iter().for_each(|link| link.stop(number));
    }

    /// Nobody wants that call any more; its end is not reported.
    pub(crate) fn cancel(&mut self, number: u64) {
        if let Some(link) = self.places.remove(&number).and_then(|l| self.links.get_mut(&l)) {
            return link.cancel(number);
        }
        self.queues.values_mut().any(|queue| queue.calls.remove(&number).is_some());
    }

    /// So many items of a call are no longer on the way, in total.
    pub(crate) fn grant(&mut self, number: u64, done: u64) {
        let link = self.places.get(&number).and_then(|lease| self.links.get_mut(lease));
        link.into_iter().for_each(|link| link.grant(number, done));
    }

    pub(crate) fn connected(&mut self, now: Moment) {
        self.connected = Ok(now);
        self.links.values_mut().for_each(|link| link.asks = true);
        self.queues.values_mut().for_each(|queue| (queue.sought, queue.absent) = (None, None));
    }

    pub(crate) fn disconnected(&mut self, now: Moment) {
        if self.connected.is_ok() {
            self.connected = Err(now);
        }
    }

    /// The broker says that there is no machine with this label.
    pub(crate) fn nobody(&mut self, now: Moment, label: &str) {
        if let Some(queue) = self.queues.get_mut(label) {
            queue.absent = Some(now);
        }
    }

    pub(crate) fn receive(&mut self, now: Moment, message: ToCaller<E>) {
        match message {
            ToCaller::Opened { machine, opening, lease, stamp, credit, lasts, labels } => {
                let asked = self.openings.remove(&opening);
                let is_new = self.links.values().all(|link| link.machine != machine);
                if let Some((_, label)) = asked.filter(|_| is_new) {
                    let mut link = Link::new((machine, lease), lasts, labels, now);
                    (link.stamp, link.credit) = (stamp, credit);
                    self.links.insert(lease, link);
                    self.is_there(now, label);
                } else if !self.links.contains_key(&lease) {
                    self.deeds.push(Deed::Send { machine, message: ToMachine::Close { lease } });
                }
            }
            ToCaller::Known { opening } => {
                if let Some((_, label)) = self.openings.remove(&opening) {
                    self.is_there(now, label);
                    if !self.is_asking(now, label) {
                        self.queues.get_mut(label).into_iter().for_each(Queue::is_known);
                    }
                }
            }
            ToCaller::Gone { lease } => self.lose(lease),
            ToCaller::Packet { machine, lease, header, stamp, credit, drains, words } => {
                let Some(link) = self.links.get_mut(&lease) else {
                    let message = ToMachine::Close { lease };
                    return self.deeds.push(Deed::Send { machine, message });
                };
                link.heard = now;
                link.stamp = link.stamp.max(stamp);
                let received = link.delivery.receive(header, words);
                if received.is_news {
                    (link.credit, link.drains) = (credit, drains);
                }
                link.is_due |= received.has_gap;
                received.frames.into_iter().for_each(|word| self.word(now, lease, word));
            }
        }
    }

    fn word(&mut self, now: Moment, lease: u64, word: Word<E>) {
        let Some(link) = self.links.get_mut(&lease) else { return };
        match word {
            Word::Item { number, item } => {
                self.deeds.push(match link.calls.get(&number) {
                    Some(Some(_)) => Deed::Item { number, item },
                    Some(None) => Deed::Finish { number, end: End::Unwanted(item) },
                    None => return,
                });
            }
            Word::Ended { number, ending } => {
                let end = match link.remove(number) {
                    Some(Some(_)) => End::Ended(ending),
                    Some(None) => End::Unwanted(ending),
                    None => return,
                };
                self.places.remove(&number);
                self.deeds.push(Deed::Finish { number, end });
            }
            Word::Returned { number } => {
                let Some(Some(sent)) = link.remove(number) else { return };
                let Sent { parcel, label, home, keeps } = sent;
                self.places.remove(&number);
                match home {
                    None => {
                        let keeps = keeps.then_some(Choice::Open);
                        self.wait(number, Queued { parcel, since: now, keeps }, label);
                    }
                    Some(_) => self.deeds.push(Deed::Finish { number, end: End::Returned }),
                }
            }
        }
    }

    /// Nothing more can be sent under a lease. Its calls may still run, so they are lost only when
    /// the machine has stopped.
    pub(crate) fn break_off(&mut self, lease: u64) {
        self.links.get_mut(&lease).into_iter().for_each(|link| link.is_mute = true);
    }

    /// Gives up a machine with all its calls.
    fn lose(&mut self, lease: u64) {
        let Some(link) = self.links.remove(&lease) else { return };
        // Values first, so that no call is made to one that is gone.
        let wanted = link.calls.into_iter().filter_map(|(number, sent)| Some((number, sent?)));
        let (at_home, others): (Vec<_>, Vec<_>) = wanted.partition(|(_, sent)| sent.home.is_some());
        for (number, _) in others.into_iter().chain(at_home) {
            self.places.remove(&number);
            self.deeds.push(Deed::Finish { number, end: End::Lost });
        }
        let message = ToMachine::Close { lease };
        self.deeds.push(Deed::Send { machine: link.machine, message });
    }

    /// Call it several times a second.
    pub(crate) fn tick(&mut self, now: Moment) {
        let is_late = now.saturating_sub(self.ticked) > LATE;
        self.ticked = now;
        if is_late {
            // This program was stopped: first it takes what has come meanwhile.
            if self.connected.is_ok() {
                self.connected(now);
            }
            return;
        }
        let lease = self.terms.lease;
        self.openings.retain(|_, (since, _)| now.saturating_sub(*since) < lease);
        let is_lost = |link: &Link<T>| match self.connected {
            Ok(since) => {
                now.saturating_sub(since) >= GRACE
                    && now.saturating_sub(link.heard) >= link.patience()
            }
            Err(since) => now.saturating_sub(since) >= self.terms.keep.max(link.patience()),
        };
        let lost = self.links.values().filter(|link| is_lost(link) || link.is_over(now));
        let lost: Vec<_> = lost.map(|link| link.lease).collect();
        lost.into_iter().for_each(|lease| self.lose(lease));
        self.give_up(now);
        for link in self.links.values_mut() {
            let queued = queued(&self.queues, link);
            link.tick(now, queued);
        }
    }

    /// What the driver has to do; packets have at most about this many bytes of frames.
    pub(crate) fn deeds(&mut self, now: Moment, most: usize) -> Vec<Deed<T, E>> {
        if self.connected.is_ok() {
            self.assign(now);
            self.seek(now);
            for link in self.links.values_mut() {
                let queued = queued(&self.queues, link);
                while let Some(message) = link.packet(now, self.id, queued, most) {
                    self.deeds.push(Deed::Send { machine: link.machine, message });
                }
            }
        }
        std::mem::take(&mut self.deeds)
    }
}

/// How many calls wait that could go to this machine.
fn queued<T: Clone + Weight>(queues: &BTreeMap<&'static str, Queue<T>>, link: &Link<T>) -> u64 {
    let fitting = queues.iter().filter(|(label, _)| link.has(label));
    fitting.map(|(_, queue)| queue.calls.len() as u64).sum()
}
