//! The calls that are here: how they come, go on and leave.

use super::{Deed, Here, Machine};
use crate::cluster::protocol::messages::{Weight, Word};

impl<T, E: Clone + Weight> Machine<T, E> {
    pub(super) fn take(&mut self, number: u64, call: u64, parcel: T) {
        let Some(lease) = self.leases.get_mut(&number) else { return };
        let has_room = self.shares.came(number);
        self.arrived += 1;
        let arrival = self.arrived;
        let here = Here { arrival, stops: false, pauses: false, is_at_home: false };
        self.arrivals.insert(arrival, (number, call));
        lease.calls.insert(call, here);
        if has_room && !self.drains {
            self.deeds.push(Deed::Submit { lease: number, number: call, parcel, home: None });
        } else {
            self.returned(number, call);
        }
    }

    /// A call about a value that another call keeps here. That one has had a place.
    pub(super) fn take_home(&mut self, number: u64, call: u64, parcel: T, home: u64) {
        let Some(lease) = self.leases.get_mut(&number) else { return };
        let is_kept = lease.calls.get(&home).is_some_and(|home| !home.stops);
        self.arrived += 1;
        let arrival = self.arrived;
        let here = Here { arrival, stops: false, pauses: true, is_at_home: true };
        self.pausing += 1;
        self.arrivals.insert(arrival, (number, call));
        lease.calls.insert(call, here);
        if is_kept {
            let home = Some(home);
            self.deeds.push(Deed::Submit { lease: number, number: call, parcel, home });
        } else {
            self.returned(number, call);
        }
    }

    pub(super) fn granted(&mut self, lease: u64, number: u64, done: u64) {
        let calls = self.leases.get(&lease).map(|lease| &lease.calls);
        if calls.is_some_and(|calls| calls.contains_key(&number)) {
            self.deeds.push(Deed::Grant { lease, number, done });
        }
    }

    /// A call has yielded this.
    pub(crate) fn yielded(&mut self, number: u64, call: u64, item: E) {
        let Some(lease) = self.leases.get_mut(&number) else { return };
        if lease.calls.get(&call).is_some_and(|here| !here.stops) {
            lease.delivery.push(Word::Item { number: call, item });
            self.due.insert(number);
        }
    }

    /// Whether a call waits for whoever reads what it yields, or for calls of the value that it
    /// keeps. Others may have its place meanwhile.
    pub(crate) fn pause(&mut self, number: u64, call: u64, pauses: bool) {
        let Some(lease) = self.leases.get_mut(&number) else { return };
        let Some(here) = lease.calls.get_mut(&call) else { return };
        if here.is_at_home {
            return;
        }
        match (std::mem::replace(&mut here.pauses, pauses), pauses) {
            (false, true) => {
                self.pausing += 1;
                self.shares.pauses(number);
            }
            (true, false) => {
                self.pausing -= 1;
                self.shares.goes_on(number);
            }
            _ => {}
        }
    }

    /// A call has ended here.
    pub(crate) fn ended(&mut self, lease: u64, number: u64, ending: E) {
        self.leaves(lease, number, Word::Ended { number, ending });
    }

    /// A call was withdrawn before it started.
    pub(crate) fn returned(&mut self, lease: u64, number: u64) {
        self.leaves(lease, number, Word::Returned { number });
    }

    fn leaves(&mut self, number: u64, call: u64, word: Word<E>) {
        self.pause(number, call, false);
        let Some(lease) = self.leases.get_mut(&number) else { return };
        let Some(here) = lease.calls.remove(&call) else { return };
        self.arrivals.remove(&here.arrival);
        lease.delivery.push(word);
        if here.is_at_home {
            self.pausing -= 1;
        } else {
            self.shares.left(number);
        }
        self.due.insert(number);
    }

    /// Withdraws the newest calls that have not started.
    pub(super) fn recall(&mut self, most: usize) {
        let takes_place = |(lease, number): &&(u64, u64)| {
            let here = self.leases.get(lease).and_then(|lease| lease.calls.get(number));
            here.is_some_and(|here| !here.is_at_home)
        };
        let newest = self.arrivals.values().rev().filter(takes_place).take(most);
        let recall = newest.map(|&(lease, number)| Deed::Recall { lease, number });
        self.deeds.extend(recall);
    }
}
