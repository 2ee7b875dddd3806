//! The pool of workers with state: a process for each value. Runs under the pool's lock.
//!
//! The first call of a process makes the value, the last one drops it, and then the process ends.
//! A call whose process is gone goes back to its line: another process has never had the value. So
//! does one that was sent ahead and has not begun when the value is half changed, or is to be
//! dropped.

use std::sync::Arc;

use super::books::{Chore, Chores, Pool, State};
use super::outbox::{Outbox, Sent};
use super::queue::Waiting;
use super::request::Request;
use super::residence::{Part, Residence};
use crate::process::job::AnyCall;
use crate::process::platform;

/// Where the process for a call is.
enum Found {
    At(usize),
    /// It starts, has no room, or is about to be struck out.
    Later,
    Never,
}

impl Pool {
    /// Gives waiting calls to the processes that have their values, or will.
    pub(super) fn hand_out_to_residents(&self, state: &mut State, chores: &mut Chores) {
        let mut position = 0;
        while let Some(waiting) = state.queue.get(position) {
            let found = state.residence_of(&**waiting.call());
            if matches!(found, Found::Later) {
                position += 1;
                continue;
            }
            let Some(waiting) = state.queue.remove(position) else { return };
            let Some(request) = Self::claim(waiting, chores) else { continue };
            let Found::At(index) = found else {
                let is_call = matches!(request.call.stay(), Some((_, Part::Uses)));
                chores.add(match is_call {
                    true => Chore::Displace(Box::new(request)),
                    false => Chore::Fail(Box::new(request), "its worker process is gone".into()),
                });
                continue;
            };
            let link = &state.outboxes[index].link;
            match request.call.stay() {
                Some((residence, Part::Makes)) => residence.settle_in(link),
                // It ends with its answer.
                Some((_, Part::Drops)) => link.retire(),
                _ => {}
            }
            if let Err(request) = state.send(request, index, chores) {
                state.queue.insert(position, Waiting::Request(request));
                position += 1;
            }
        }
        chores.start |= self.wants_more(state);
        if state.makers() == 0 {
            state.dismiss_vacant(chores);
        }
    }

    /// Takes back what was sent ahead to a value that is closed. If that has been made anew
    /// meanwhile, it is sent there again.
    pub(crate) fn call_back(&'static self, residence: &Residence) {
        let Some(link) = residence.link().filter(|_| !platform::is_forked_child()) else { return };
        self.change(|state, chores| {
            let taken = state.outbox(link.key).map(Outbox::withdraw_behind).unwrap_or_default();
            if !taken.is_empty() {
                // Somebody may wait there for one of them.
                chores.add(Chore::Rouse(Arc::clone(&link)));
                state.put_back(taken);
            }
            self.hand_out(state, chores);
        });
    }
}

impl Outbox {
    /// Withdraws what is behind the call that is next to be answered, of those that somebody wants.
    pub(super) fn withdraw_behind(&mut self) -> Vec<Request> {
        let is_wanted = |sent: &Sent| sent.request.is_some();
        let next = self.unanswered.iter().position(is_wanted).unwrap_or(0);
        self.withdraw_from(self.first + next as u64 + 1, usize::MAX)
    }
}

impl State {
    /// The process of the value that a call uses, if it has room.
    pub(super) fn home_of(&self, call: &dyn AnyCall) -> Option<usize> {
        let (_, Part::Uses) = call.stay()? else { return None };
        match self.residence_of(call) {
            Found::At(index) => Some(index),
            Found::Later | Found::Never => None,
        }
    }

    fn residence_of(&self, call: &dyn AnyCall) -> Found {
        let Some((residence, part)) = call.stay() else { return Found::Never };
        if part == Part::Makes {
            let mut outboxes = self.outboxes.iter();
            let vacant = outboxes.position(|outbox| !outbox.is_used() && outbox.takes_calls());
            return vacant.map_or(Found::Later, Found::At);
        }
        let link = if part == Part::Uses { residence.open_link() } else { residence.link() };
        let Some(link) = link else { return Found::Never };
        let index = self.outboxes.iter().position(|outbox| outbox.link.key == link.key);
        match index {
            None => Found::Never,
            Some(_) if link.is_doomed() => Found::Later,
            Some(_) if part == Part::Uses && link.is_retired() => Found::Never,
            Some(index) if self.outboxes[index].has_room() => Found::At(index),
            Some(_) => Found::Later,
        }
    }

    /// How many calls wait for a process to make a value in.
    pub(super) fn makers(&self) -> usize {
        let parts = (0..self.queue.len()).filter_map(|position| {
            self.queue.get(position).and_then(|waiting| waiting.call().stay())
        });
        parts.filter(|(_, part)| *part == Part::Makes).count()
    }

    /// Fails the call that has waited longest for a process: the one for it could not be started.
    pub(super) fn fail_maker(&mut self, chores: &mut Chores, why: &str) {
        let position = (0..self.queue.len()).find(|&position| {
            let call = self.queue.get(position).map(Waiting::call);
            matches!(call.and_then(|call| call.stay()), Some((_, Part::Makes)))
        });
        let waiting = position.and_then(|position| self.queue.remove(position));
        if let Some(request) = waiting.and_then(|waiting| Pool::claim(waiting, chores)) {
            chores.add(Chore::Fail(Box::new(request), why.to_owned()));
        }
    }

    /// Ends processes that never got a value: what was to make it could not be sent.
    fn dismiss_vacant(&self, chores: &mut Chores) {
        for outbox in self.outboxes.iter().filter(|outbox| !outbox.is_used()) {
            if !outbox.link.is_doomed() {
                outbox.link.doom();
                chores.add(Chore::Kill(Arc::clone(&outbox.link)));
            }
        }
    }
}
