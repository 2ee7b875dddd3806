//! The machine's side: granted leases, their calls, and until when those may start.

use std::collections::{BTreeMap, BTreeSet};

use super::delivery::{Delivery, Header};
use super::fairness::Shares;
use super::messages::{Open, Order, ToCaller, ToMachine, Weight, Word};
use super::{Moment, Terms};

mod here;

/// What the driver has to do.
#[derive(Debug)]
pub(crate) enum Deed<T, E> {
    Send {
        caller: u64,
        message: ToCaller<E>,
    },
    /// Runs a call, as soon as there is a worker and [`Machine::may_begin`] says so.
    Submit {
        lease: u64,
        number: u64,
        parcel: T,
        /// The call that keeps the value which it is about, and was submitted before.
        home: Option<u64>,
    },
    /// Ends a call, wherever it is. With `cancelled`, its caller no longer wanted it; otherwise its
    /// caller can no longer be told.
    Stop {
        lease: u64,
        number: u64,
        cancelled: bool,
    },
    /// So many items of a call are no longer on the way, in total.
    Grant {
        lease: u64,
        number: u64,
        done: u64,
    },
    /// Withdraws a call if it has not started.
    Recall {
        lease: u64,
        number: u64,
    },
    /// No call of this lease may start any more.
    Forget {
        lease: u64,
    },
}

/// How late a tick must be to show that this program was stopped.
const LATE: u64 = 1_000;

pub(crate) struct Machine<T, E> {
    id: u64,
    terms: Terms,
    labels: Vec<String>,
    leases: BTreeMap<u64, Lease<E>>,
    /// Leases that have something to send.
    due: BTreeSet<u64>,
    shares: Shares,
    /// The calls that are here, oldest first, by when they came.
    arrivals: BTreeMap<u64, (u64, u64)>,
    arrived: u64,
    /// How many of them wait for whoever reads what they yield, and need no place meanwhile.
    pausing: usize,
    /// The last lease; from a number on that no other machine has.
    last: u64,
    drains: bool,
    ticked: Moment,
    deeds: Vec<Deed<T, E>>,
}

struct Lease<E> {
    caller: u64,
    delivery: Delivery<Word<E>>,
    /// Calls may start and run until then.
    until: Moment,
    heard: Moment,
    /// The calls that are here.
    calls: BTreeMap<u64, Here>,
}

struct Here {
    arrival: u64,
    stops: bool,
    /// It takes no place.
    pauses: bool,
    /// It is about a value here, so that it never takes one.
    is_at_home: bool,
}

impl<T, E: Clone + Weight> Machine<T, E> {
    /// `first` is a number that no other machine has, nor any near it.
    pub(crate) fn new(id: u64, first: u64, terms: Terms, labels: Vec<String>) -> Self {
        Self {
            id,
            terms,
            labels,
            leases: BTreeMap::new(),
            due: BTreeSet::new(),
            shares: Shares::default(),
            arrivals: BTreeMap::new(),
            arrived: 0,
            pausing: 0,
            last: first,
            drains: false,
            ticked: 0,
            deeds: Vec::new(),
        }
    }

    /// How many calls may be here at a time.
    pub(crate) fn set_capacity(&mut self, capacity: u64) {
        self.shares.capacity = if self.drains { 0 } else { capacity };
    }

    /// Whether there is nothing left to do or send.
    pub(crate) fn is_done(&self) -> bool {
        self.arrivals.is_empty() && self.leases.values().all(|lease| lease.delivery.is_done())
    }

    /// How many calls are here.
    pub(crate) fn calls(&self) -> usize {
        self.arrivals.len()
    }

    /// How many places those take.
    fn places(&self) -> usize {
        self.arrivals.len() - self.pausing
    }

    /// How many callers have a lease.
    pub(crate) fn callers(&self) -> usize {
        self.leases.len()
    }

    pub(crate) fn receive(&mut self, now: Moment, message: ToMachine<T>) {
        match message {
            ToMachine::Open(open) => self.open(now, open),
            ToMachine::Close { lease } => self.close(lease),
            ToMachine::Packet { lease, caller, header, echo, want, asks, orders } => {
                if !self.leases.contains_key(&lease) {
                    return self.send(caller, ToCaller::Gone { lease });
                }
                self.packet(now, lease, header, echo, want, asks, orders);
            }
        }
    }

    fn send(&mut self, caller: u64, message: ToCaller<E>) {
        self.deeds.push(Deed::Send { caller, message });
    }

    fn open(&mut self, now: Moment, open: Open) {
        let Open { caller, opening, want, known } = open;
        if self.drains {
            return;
        }
        if known.contains(&self.id) {
            return self.send(caller, ToCaller::Known { opening });
        }
        self.last = self.last.wrapping_add(1);
        let lease = self.last;
        self.shares.join(lease, want);
        let until = now + self.terms.lease;
        let calls = BTreeMap::new();
        let (delivery, heard) = (Delivery::new(), now);
        self.leases.insert(lease, Lease { caller, delivery, until, heard, calls });
        self.grant();
        let credit = self.shares.credit(lease);
        self.due.remove(&lease);
        self.send(
            caller,
            ToCaller::Opened {
                machine: self.id,
                opening,
                lease,
                stamp: now,
                credit,
                lasts: self.terms.lease,
                labels: self.labels.clone(),
            },
        );
    }

    /// Nothing more can be sent under a lease.
    pub(crate) fn break_off(&mut self, lease: u64) {
        self.close(lease);
    }

    fn close(&mut self, lease: u64) {
        self.stop_all(lease);
        self.forget(lease);
    }

    fn forget(&mut self, number: u64) {
        let Some(lease) = self.leases.remove(&number) else { return };
        for here in lease.calls.values() {
            self.arrivals.remove(&here.arrival);
            self.pausing -= usize::from(here.pauses);
        }
        self.shares.leave(number);
        self.due.remove(&number);
        self.deeds.push(Deed::Forget { lease: number });
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one message")]
    fn packet(
        &mut self,
        now: Moment,
        number: u64,
        header: Header,
        echo: Moment,
        want: u64,
        asks: bool,
        orders: Vec<Order<T>>,
    ) {
        let Some(lease) = self.leases.get_mut(&number) else { return };
        lease.heard = now;
        // Never later than counted from now.
        lease.until = lease.until.max(echo.min(now) + self.terms.lease);
        let received = lease.delivery.receive(header, orders);
        if received.is_news {
            self.shares.set_want(number, want);
        }
        let is_due = asks || received.has_gap || lease.delivery.has_more();
        if is_due || lease.delivery.untold() > 256 {
            self.due.insert(number);
        }
        for order in received.frames {
            match order {
                Order::Call { number: call, parcel, home: None } => self.take(number, call, parcel),
                Order::Call { number: call, parcel, home: Some(home) } => {
                    self.take_home(number, call, parcel, home);
                }
                Order::Cancel { number: call } => self.stop(number, call, true),
                Order::Grant { number: call, done } => self.granted(number, call, done),
            }
        }
    }

    /// Until when calls of a lease may start and run.
    pub(crate) fn until(&self, lease: u64) -> Option<Moment> {
        self.leases.get(&lease).map(|lease| lease.until)
    }

    fn stop(&mut self, lease: u64, number: u64, cancelled: bool) {
        let calls = self.leases.get_mut(&lease).map(|lease| &mut lease.calls);
        let Some(here) = calls.and_then(|calls| calls.get_mut(&number)) else { return };
        if !std::mem::replace(&mut here.stops, true) {
            self.deeds.push(Deed::Stop { lease, number, cancelled });
        }
    }

    fn stop_all(&mut self, lease: u64) {
        let calls = self.leases.get(&lease).map(|lease| lease.calls.keys().copied());
        let calls: Vec<_> = calls.into_iter().flatten().collect();
        calls.into_iter().for_each(|call| self.stop(lease, call, false));
    }

    /// Accepts no more calls, and returns those that have not started.
    pub(crate) fn drain(&mut self) {
        self.drains = true;
        self.shares.capacity = 0;
        self.recall(usize::MAX);
        for &number in self.leases.keys() {
            self.shares.withdraw(number);
            self.due.insert(number);
        }
    }

    /// Call it at least every second, or deadlines are late.
    pub(crate) fn tick(&mut self, now: Moment) {
        let is_late = now.saturating_sub(self.ticked) > LATE;
        self.ticked = now;
        if is_late {
            // This program was stopped: first it hears what has come meanwhile.
            return;
        }
        let mut over = Vec::new();
        let mut gone = Vec::new();
        for (&number, lease) in &self.leases {
            if now < lease.until {
                continue;
            }
            // Calls that still arrive are returned.
            self.shares.set_want(number, 0);
            self.shares.withdraw(number);
            let silent = now.saturating_sub(lease.heard);
            let has_nothing = lease.calls.is_empty() && lease.delivery.is_done();
            if has_nothing && silent > self.terms.lease || silent > self.terms.keep {
                gone.push(number);
            }
            over.push(number);
        }
        over.into_iter().for_each(|lease| self.stop_all(lease));
        gone.into_iter().for_each(|lease| self.forget(lease));
        let excess = self.places().saturating_sub(self.shares.capacity as usize);
        if excess > 0 {
            self.recall(excess);
        }
        self.shares.reclaim();
    }

    fn grant(&mut self) {
        self.due.extend(self.shares.grant());
    }

    /// What the driver has to do; packets have at most about this many bytes of frames.
    pub(crate) fn deeds(&mut self, now: Moment, most: usize) -> Vec<Deed<T, E>> {
        self.grant();
        for number in std::mem::take(&mut self.due) {
            let Some(lease) = self.leases.get_mut(&number) else { continue };
            loop {
                let (header, words) = lease.delivery.packet(most);
                let message = ToCaller::Packet {
                    machine: self.id,
                    lease: number,
                    header,
                    stamp: now,
                    credit: self.shares.credit(number),
                    drains: self.drains,
                    words,
                };
                self.deeds.push(Deed::Send { caller: lease.caller, message });
                if !lease.delivery.has_more() {
                    break;
                }
            }
        }
        std::mem::take(&mut self.deeds)
    }
}
