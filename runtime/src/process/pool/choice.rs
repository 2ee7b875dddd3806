//! Which worker gets which call. Runs under the pool's lock.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

use super::books::{Chore, Chores, Pool, State};
use super::link::Link;
use super::outbox::{NotSent, Outbox};
use super::queue::Waiting;
use super::request::Request;
use super::waits::Waits;
use crate::function::Function;
use crate::process::address::WorkerKey;
use crate::process::job::AnyCall;

/// How many calls may go to workers before the first one of the queue, and how far behind it they
/// are looked for.
const MAX_AHEAD: usize = 64;

/// Whether a call of this function waits for a worker that does nothing else: its time counts from
/// its start there.
fn wants_idle(function: &Function) -> bool {
    function.options().timeout.is_some()
}

impl State {
    /// Sends a request to a worker; returns it if that has no room, or is gone.
    pub(super) fn send(
        &mut self,
        request: Request,
        index: usize,
        chores: &mut Chores,
    ) -> Result<(), Box<Request>> {
        let outbox = &mut self.outboxes[index];
        // The time that its worker needs to start is not the call's.
        let is_clocked = request.wants_clock() && outbox.link.has_served();
        let clocked = is_clocked.then(|| Arc::clone(&request.call));
        match outbox.send(request) {
            Ok(asleep) => {
                if asleep {
                    chores.add(Chore::Wake(Arc::clone(&outbox.link)));
                }
                if let Some(call) = clocked {
                    chores.add(Chore::StartClock(call, outbox.last()));
                }
            }
            Err(NotSent::Full(request) | NotSent::Gone(request)) => return Err(request),
            Err(NotSent::Failed(request, why)) => chores.add(Chore::Fail(request, why)),
        }
        Ok(())
    }
}

impl Pool {
    /// Whether no call waits behind another one. Behind one that itself waits it could wait for
    /// ever: the other end may be with a call that waits for it.
    fn is_alone(&self) -> bool {
        self.fresh || self.keeps || self.waits != Waits::Never
    }

    /// Gives waiting calls to workers that have room.
    pub(super) fn hand_out(&self, state: &mut State, chores: &mut Chores) {
        chores.attend |= !state.queue.is_empty();
        if self.keeps {
            return self.hand_out_to_residents(state, chores);
        }
        while let Some((position, index)) = self.next(state, chores) {
            state.overtaken = if position == 0 { 0 } else { state.overtaken + 1 };
            let Some(waiting) = state.queue.remove(position) else { return };
            let Some(request) = Self::claim(waiting, chores) else { continue };
            if let Err(request) = state.send(request, index, chores) {
                state.queue.insert(position, Waiting::Request(request));
                return;
            }
        }
    }

    /// Gives a new call to a worker, or has it wait. May return shells of calls that nobody waits
    /// for, to drop without the lock.
    pub(super) fn place(
        &self,
        state: &mut State,
        call: Arc<dyn AnyCall>,
        chores: &mut Chores,
    ) -> Option<VecDeque<Waiting>> {
        chores.attend = true;
        // Usually no other call waits, and a worker is idle, or there is room where its value is.
        let is_first = state.queue.is_empty();
        let index = match is_first {
            true if self.keeps => state.home_of(&*call),
            true => self.choose(state, call.function(), chores),
            false => None,
        };
        if let Some(index) = index {
            if let Some(request) = Request::claim(call)
                && let Err(request) = state.send(request, index, chores)
            {
                state.queue.push_front(Waiting::Request(request));
            }
            return None;
        }
        let shells = state.queue.push_back(Waiting::Call(call));
        self.hand_out(state, chores);
        Some(shells)
    }

    /// The next call that a worker can take, by its position in the queue, and that worker. If the
    /// first call has to wait for an idle worker, others go to those that are at their functions
    /// already, but not for long: a worker that gets nothing more becomes idle.
    fn next(&self, state: &State, chores: &mut Chores) -> Option<(usize, usize)> {
        let first = state.queue.get(0)?.function();
        if let Some(index) = self.choose(state, first, chores) {
            return Some((0, index));
        }
        let is_open = |outbox: &Outbox| {
            outbox.takes_calls() && outbox.has_room() && !outbox.is_serving(first)
        };
        let is_over = state.overtaken >= MAX_AHEAD;
        if self.is_alone() || is_over || !state.outboxes.iter().any(is_open) {
            return None;
        }
        (1..state.queue.len().min(MAX_AHEAD)).find_map(|position| {
            let function = state.queue.get(position)?.function();
            let index = state.outboxes.iter().position(|outbox| {
                is_open(outbox) && outbox.is_serving(function) && !wants_idle(function)
            });
            Some((position, index?))
        })
    }

    /// The request to send; `None` if nobody wants it any more.
    pub(super) fn claim(waiting: Waiting, chores: &mut Chores) -> Option<Request> {
        match waiting {
            Waiting::Call(call) => Request::claim(call),
            Waiting::Request(request) if request.call.is_finished() => {
                chores.add(Chore::Drop(request));
                None
            }
            Waiting::Request(request) => Some(*request),
        }
    }

    /// The worker for the next call: an idle one, else the one with the least to do; and whether
    /// there ought to be more. A call goes behind others of its own function only: what it does to
    /// its worker's memory, and what it says in others' names, is then no other function's loss.
    fn choose(
        &self,
        state: &State,
        function: &'static Function,
        chores: &mut Chores,
    ) -> Option<usize> {
        let wants_idle = self.is_alone() || wants_idle(function);
        let mut best = None;
        for (index, outbox) in state.outboxes.iter().enumerate() {
            if !outbox.takes_calls() || self.fresh && outbox.is_used() {
                continue;
            }
            let load = outbox.unanswered.len();
            if load == 0 {
                return Some(index);
            }
            let may_queue = !wants_idle && outbox.has_room() && outbox.is_serving(function);
            if may_queue && best.is_none_or(|(_, least)| load < least) {
                best = Some((index, load));
            }
        }
        chores.start |= self.wants_more(state);
        best.map(|(index, _)| index)
    }

    /// Whether this worker says that its call waits for another.
    fn waits_in(&self, link: &Link) -> bool {
        self.waits == Waits::ForEnds && link.channel.is_waiting()
    }

    /// Looks for a worker for the next call if this one's waits.
    pub(super) fn note_wait(&'static self, link: &Link) {
        if self.waits_in(link) {
            self.change(|state, chores| self.hand_out(state, chores));
        }
    }

    /// Whether there may be another worker. One that is about to end, or waits, does not count.
    pub(super) fn wants_more(&self, state: &State) -> bool {
        if self.keeps {
            return state.starting < state.makers();
        }
        let counts = |outbox: &&Outbox| outbox.is_here_to_stay() && !self.waits_in(&outbox.link);
        let there = state.outboxes.iter().filter(counts).count() + state.starting;
        (there < self.workers_max || self.waits == Waits::ForReader)
            && (there == 0 || !state.no_more)
            && (!self.is_alone() || state.starting < state.queue.len())
    }

    /// Gives an idle worker half of the unstarted requests of the busiest one; asks for a worker if
    /// none is idle and there may be more.
    pub(super) fn share(&self, state: &mut State, chores: &mut Chores) {
        // Most often no call waits behind another.
        if self.is_alone() || state.outboxes.iter().all(|outbox| outbox.unanswered.len() < 2) {
            return;
        }
        let alive = || state.outboxes.iter().filter(|outbox| outbox.takes_calls());
        let mut loaded: Vec<(usize, WorkerKey)> = alive()
            .map(|outbox| (outbox.waiting(), outbox.link.key))
            .filter(|(waiting, _)| *waiting > 0)
            .collect();
        if loaded.is_empty() {
            return;
        }
        if alive().all(|outbox| !outbox.unanswered.is_empty()) {
            chores.start |= self.wants_more(state);
            return;
        }
        // The busiest first. It may already have started what seems to wait, if everything before
        // that was withdrawn and only its answer is pending. Then there is nothing to take.
        loaded.sort_unstable_by_key(|(waiting, _)| Reverse(*waiting));
        for (waiting, key) in loaded {
            let Some(outbox) = state.outbox(key) else { continue };
            let taken = outbox.withdraw_from(outbox.first + 1, waiting.div_ceil(2));
            if !taken.is_empty() {
                chores.add(Chore::Rouse(Arc::clone(&outbox.link)));
                state.put_back(taken);
                self.hand_out(state, chores);
                return;
            }
        }
    }
}
