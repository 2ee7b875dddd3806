//! Who gets which call. All of it under the pool's lock.

use std::sync::Arc;

use super::outbox::Claimed;
use super::{Chore, Chores, Pool, State, Waiting};

impl Pool {
    /// Hands out what waits to those that have room.
    pub(super) fn hand_out(&self, state: &mut State, chores: &mut Chores) {
        while let Some(next) = state.queue.front() {
            let wants_idle = match next {
                Waiting::Queued(call) => call.function().options().timeout.is_some(),
                Waiting::Claimed(claimed) => claimed.call.function().options().timeout.is_some(),
            };
            let Some(index) = self.choose(state, wants_idle, chores) else {
                return;
            };
            let Some(waiting) = state.queue.pop_front() else {
                return;
            };
            if let Some(claimed) = Self::claim(waiting, chores) {
                let clocked =
                    claimed.call.function().options().timeout.is_some() && claimed.alarm.is_none();
                let call = clocked.then(|| Arc::clone(&claimed.call));
                match state.slots[index].send(claimed) {
                    Ok(asleep) => {
                        let slot = &state.slots[index];
                        if asleep {
                            chores.add(Chore::Wake(Arc::clone(&slot.link)));
                        }
                        if let Some(call) = call {
                            let number = slot.first + slot.pending.len() as u64 - 1;
                            chores.add(Chore::StartClock(call, number));
                        }
                    }
                    Err(claimed) => {
                        state.queue.push_front(Waiting::Claimed(claimed));
                        return;
                    }
                }
            }
        }
    }

    pub(super) fn claim(waiting: Waiting, chores: &mut Chores) -> Option<Claimed> {
        match waiting {
            Waiting::Queued(call) => {
                let claim = call.claim()?;
                let (job, place) = (claim.job, claim.place);
                Some(Claimed { call, job, place, alarm: None, returned: 0 })
            }
            Waiting::Claimed(claimed) if claimed.call.is_finished() => {
                chores.add(Chore::Drop(claimed));
                None
            }
            Waiting::Claimed(claimed) => Some(*claimed),
        }
    }

    /// The worker for the next call: an idle one, else the one with the least to do; and whether
    /// there ought to be more.
    fn choose(&self, state: &State, wants_idle: bool, chores: &mut Chores) -> Option<usize> {
        let mut best = None;
        for (index, slot) in state.slots.iter().enumerate() {
            if slot.link.is_doomed() || self.fresh && slot.used {
                continue;
            }
            let load = slot.pending.len();
            if load == 0 {
                return Some(index);
            }
            if !wants_idle && !self.fresh && slot.has_room() && best.is_none_or(|(_, b)| load < b) {
                best = Some((index, load));
            }
        }
        chores.start |= self.wants_more(state);
        best.map(|(index, _)| index)
    }

    /// Whether there may be another worker. One that is about to end is none.
    pub(super) fn wants_more(&self, state: &State) -> bool {
        let alive = state.slots.iter().filter(|slot| !slot.link.is_doomed()).count();
        let there = alive + state.starting;
        there < self.workers_max
            && (there == 0 || !state.no_more)
            && (!self.fresh || state.starting < state.queue.len())
    }

    /// Gives an idle worker half of what lies unstarted with the busiest one; asks for a worker
    /// if none is idle and there may be more.
    pub(super) fn share(&self, state: &mut State, chores: &mut Chores) {
        if self.fresh {
            return;
        }
        let more = self.wants_more(state);
        let mut alive = state.slots.iter_mut().filter(|slot| !slot.link.is_doomed());
        let Some(mut busiest) = alive.next() else { return };
        let mut idle = busiest.pending.is_empty();
        let mut waiting = busiest.waiting();
        for slot in alive {
            idle |= slot.pending.is_empty();
            let behind = slot.waiting();
            if behind > waiting {
                (busiest, waiting) = (slot, behind);
            }
        }
        if waiting == 0 {
            return;
        }
        if !idle {
            chores.start |= more;
            return;
        }
        let taken = busiest.withdraw_after(busiest.first, waiting.div_ceil(2));
        if !taken.is_empty() {
            chores.add(Chore::Rouse(Arc::clone(&busiest.link)));
            for claimed in taken {
                state.queue.push_front(Waiting::Claimed(Box::new(claimed)));
            }
            self.hand_out(state, chores);
        }
    }
}
