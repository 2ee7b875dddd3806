//! How a machine shares its places among the callers that hold a lease.
//!
//! Each caller that wants places gets an equal share, plus what others leave; if there are more
//! callers than places they take turns. Unused credit may be withdrawn at any time, since a call
//! that exceeds it is returned.

use std::collections::{BTreeMap, VecDeque};

/// One lease's share of a machine's places.
#[derive(Default)]
struct Share {
    /// How many calls may have come in total.
    credit: u64,
    came: u64,
    left: u64,
    /// How many calls it has here or would send.
    told: u64,
    /// How many of them are here and need no place.
    pausing: u64,
    is_in_turn: bool,
}

impl Share {
    /// The places that it has, used or not.
    fn places(&self) -> u64 {
        self.credit - self.left
    }

    fn used(&self) -> u64 {
        self.came - self.left
    }

    /// How many places it wants. One that only has calls which need none must not keep others out.
    fn want(&self) -> u64 {
        self.told.saturating_sub(self.pausing)
    }
}

#[derive(Default)]
pub(crate) struct Shares {
    /// How many places there are.
    pub(crate) capacity: u64,
    leases: BTreeMap<u64, Share>,
    /// The places that leases have.
    taken: u64,
    /// How many leases want any.
    wanting: u64,
    /// Leases that want more than they have, the next one first.
    turns: VecDeque<u64>,
}

impl Shares {
    pub(crate) fn join(&mut self, lease: u64, want: u64) {
        self.leases.insert(lease, Share::default());
        self.set_want(lease, want);
    }

    pub(crate) fn leave(&mut self, lease: u64) {
        let Some(share) = self.leases.remove(&lease) else { return };
        self.taken -= share.places();
        self.wanting -= u64::from(share.want() > 0);
        if share.is_in_turn {
            self.turns.retain(|other| *other != lease);
        }
    }

    pub(crate) fn credit(&self, lease: u64) -> u64 {
        self.leases.get(&lease).map_or(0, |share| share.credit)
    }

    pub(crate) fn set_want(&mut self, lease: u64, told: u64) {
        self.change(lease, |share| share.told = told);
        self.queue(lease);
    }

    /// Changes what a lease wants.
    fn change(&mut self, lease: u64, change: impl FnOnce(&mut Share)) {
        let Some(share) = self.leases.get_mut(&lease) else { return };
        let wanted = share.want() > 0;
        change(share);
        self.wanting += u64::from(share.want() > 0);
        self.wanting -= u64::from(wanted);
    }

    fn queue(&mut self, lease: u64) {
        let Some(share) = self.leases.get_mut(&lease) else { return };
        if share.places() < share.want() && !share.is_in_turn {
            share.is_in_turn = true;
            self.turns.push_back(lease);
        }
    }

    /// A call has come; returns whether there was credit for it.
    pub(crate) fn came(&mut self, lease: u64) -> bool {
        let Some(share) = self.leases.get_mut(&lease) else { return false };
        share.came += 1;
        let has_credit = share.came <= share.credit;
        if !has_credit {
            // It takes a place until it is returned.
            share.credit += 1;
            self.taken += 1;
        }
        has_credit
    }

    /// A call has left, and its place is free.
    pub(crate) fn left(&mut self, lease: u64) {
        let Some(share) = self.leases.get_mut(&lease) else { return };
        share.left += 1;
        self.taken -= 1;
        self.queue(lease);
    }

    /// A call that is here needs its place no longer for now.
    pub(crate) fn pauses(&mut self, lease: u64) {
        self.change(lease, |share| share.pausing += 1);
        self.left(lease);
    }

    /// It goes on, whether a place is free or not.
    pub(crate) fn goes_on(&mut self, lease: u64) {
        let Some(share) = self.leases.get_mut(&lease) else { return };
        share.left -= 1;
        self.taken += 1;
        self.change(lease, |share| share.pausing -= 1);
    }

    /// Withdraws unused credit.
    pub(crate) fn withdraw(&mut self, lease: u64) {
        let Some(share) = self.leases.get_mut(&lease) else { return };
        self.taken -= share.credit - share.came;
        share.credit = share.came;
    }

    /// If somebody wants a place and none is free, withdraws credit that callers do not use or that
    /// exceeds their share.
    pub(crate) fn reclaim(&mut self) {
        if self.taken < self.capacity || self.turns.is_empty() {
            return;
        }
        let fair = self.fair();
        let is_spare = |share: &Share| share.want() <= share.used() || share.places() > fair;
        let spare = self.leases.iter().filter(|(_, share)| is_spare(share));
        let spare: Vec<_> = spare.map(|(&lease, _)| lease).collect();
        for lease in spare {
            self.withdraw(lease);
            self.queue(lease);
        }
    }

    /// An equal share of the places.
    fn fair(&self) -> u64 {
        (self.capacity / self.wanting.max(1)).max(1)
    }

    /// Distributes free places. Returns the leases that got any.
    pub(crate) fn grant(&mut self) -> Vec<u64> {
        let mut granted = Vec::new();
        // First up to a fair share each, then equal shares of the rest.
        let mut most = self.fair();
        for _ in 0..2 {
            for _ in 0..self.turns.len() {
                let free = self.capacity.saturating_sub(self.taken);
                if free == 0 {
                    return granted;
                }
                let Some(lease) = self.turns.pop_front() else { return granted };
                let Some(share) = self.leases.get_mut(&lease) else { continue };
                let more = most.min(share.want()).saturating_sub(share.places()).min(free);
                share.credit += more;
                self.taken += more;
                share.is_in_turn = false;
                if more > 0 {
                    granted.push(lease);
                }
                self.queue(lease);
            }
            let free = self.capacity.saturating_sub(self.taken);
            most += (free / (self.turns.len() as u64).max(1)).max(1);
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(shares: &Shares) -> Vec<u64> {
        shares.leases.values().map(Share::places).collect()
    }

    #[test]
    fn all_get_a_part_and_take_turns_where_there_are_too_few() {
        let mut shares = Shares { capacity: 8, ..Shares::default() };
        shares.join(1, 100);
        assert_eq!(shares.grant(), [1]);
        assert_eq!(places(&shares), [8]);
        // A newcomer gets what the first one has not used, up to its part.
        (0..3).for_each(|_| assert!(shares.came(1)));
        shares.join(2, 2);
        assert!(shares.grant().is_empty());
        shares.reclaim();
        shares.grant();
        assert_eq!(places(&shares), [6, 2]);
        // What comes beyond the credit takes a place until it is returned.
        (0..3).for_each(|_| assert!(shares.came(1)));
        assert!(!shares.came(1));
        shares.left(1);
        assert_eq!(places(&shares), [6, 2]);
        (0..6).for_each(|_| shares.left(1));
        shares.leave(1);
        shares.leave(2);
        assert_eq!((shares.taken, shares.wanting), (0, 0));
        shares.capacity = 1;
        (1..=3).for_each(|lease| shares.join(lease, 5));
        let mut turns = Vec::new();
        for _ in 0..6 {
            let granted = shares.grant();
            assert_eq!(granted.len(), 1);
            assert!(shares.came(granted[0]));
            shares.left(granted[0]);
            turns.extend(granted);
        }
        assert_eq!(turns, [1, 2, 3, 1, 2, 3]);
    }
    /// It has values, or streams that wait for their readers, and no other calls.
    #[test]
    fn one_whose_calls_need_no_place_keeps_nobody_out() {
        let mut shares = Shares { capacity: 1, ..Shares::default() };
        shares.join(1, 2);
        for _ in 0..2 {
            assert_eq!(shares.grant(), [1]);
            assert!(shares.came(1));
            shares.pauses(1);
        }
        // It tells that it has them, as often as it is asked.
        shares.set_want(1, 2);
        assert!(shares.grant().is_empty());
        shares.join(2, 1);
        assert_eq!(shares.grant(), [2]);
        // It wants another one, and takes its turn.
        shares.set_want(1, 3);
        assert!(shares.grant().is_empty());
        assert!(shares.came(2));
        shares.left(2);
        assert_eq!(shares.grant(), [1]);
        shares.goes_on(1);
        shares.left(1);
        shares.leave(1);
        shares.leave(2);
        assert_eq!((shares.taken, shares.wanting), (0, 0));
    }
}
