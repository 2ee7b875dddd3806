//! `limit = N`: at most N calls of a function run at once in this program, in order of arrival.
//!
//! `queue = N`: at most N wait for that; the next call ends at once.
//!
//! A call over the limit is pending: it is in no engine's queue and holds no thread. Whoever ends a
//! call passes its place to the call that has waited longest. Calls that were given up are removed
//! from the line in groups, so that they never greatly outnumber those that still wait.
//!
//! A call of a worker with state waits in the line of that worker. It takes a place when it is its
//! turn there, and not before: it would keep the place from others while it waits. If there is
//! none, its line stands here in its stead (`worker/line/bid.rs`).

use std::collections::VecDeque;
use std::ptr;
use std::sync::Arc;

use crate::error::ErrorKind;
use crate::options::Options;
use crate::sync::{Guard, Lock};
use crate::{forks, relay};

/// A call that can wait for a place.
pub(crate) trait Admit: Send + Sync {
    /// Under what it needs a place beside its turn, as a call of a worker with state.
    fn limited(&self) -> Option<Limited> {
        None
    }

    /// It is about to be admitted to this copy of a worker with state, as its call of this number.
    fn assign(&self, _copy: usize, _order: u64) {}

    /// Whether it may be sent to the value before the call before it has ended.
    fn goes_ahead(&self) -> bool {
        false
    }

    /// The number that it was admitted with, if it has come back since.
    #[cfg(feature = "process")]
    fn order(&self) -> Option<u64> {
        None
    }

    /// Makes the call claimable and passes it to its engine; returns false if it was cancelled in
    /// the meantime, in which case the place goes to the next.
    fn admit(self: Arc<Self>) -> bool;

    /// Ends the call with this error, since it gets no place; returns false if it had left the line
    /// before.
    fn refuse(self: Arc<Self>, why: ErrorKind) -> bool;

    /// Whether the call still waits for a place.
    fn is_pending(&self) -> bool;

    /// Whether somebody wants its result.
    fn is_wanted(&self) -> bool {
        true
    }

    /// Runs an admitted call on this thread, for one that waits behind it; returns whether it did.
    fn assist(self: Arc<Self>) -> bool {
        false
    }
}

/// A line may always hold this many calls that were given up.
pub(crate) const MAX_GIVEN_UP: isize = 32;

pub(crate) struct Limiter {
    line: Lock<Line>,
}

struct Line {
    running: usize,
    waiting: VecDeque<Arc<dyn Admit>>,
    /// How many of those were given up. Less than none while a call that is told to have been given
    /// up has left the line before.
    given_up: isize,
    /// How many calls run or wait elsewhere: on other machines, or at workers with state.
    elsewhere: usize,
}

impl Line {
    /// How many calls wait, and are still wanted.
    fn length(&self) -> usize {
        self.waiting.len().saturating_sub(self.given_up.max(0).unsigned_abs())
    }
}

impl Limiter {
    pub(crate) const fn new() -> Self {
        let line = Line { running: 0, waiting: VecDeque::new(), given_up: 0, elsewhere: 0 };
        Self { line: Lock::new(line) }
    }

    /// Admits the call now, or once there is a place for it. Refuses it if too many wait already.
    pub(crate) fn enter(&'static self, options: &Options, call: Arc<dyn Admit>) {
        let mut line = self.line();
        if options.limit.is_some_and(|limit| line.running >= limit) {
            if options.queue.is_some_and(|queue| line.length() >= queue) {
                drop(line);
                call.refuse(ErrorKind::Busy);
            } else {
                line.waiting.push_back(call);
            }
            return;
        }
        line.running += 1;
        drop(line);
        if !call.admit() {
            self.leave();
        }
    }

    /// Gives a place back: the next call in line gets it.
    pub(crate) fn leave(&'static self) {
        if forks::is_child() {
            // Those that wait are the parent's.
            return;
        }
        // A call may end while it is admitted, for example because its runtime is gone, and leave
        // in turn. This runs in a loop, since lines may be long.
        relay::brief(|| self.pass_on());
    }

    fn pass_on(&self) {
        loop {
            let mut line = self.line();
            let Some(next) = line.waiting.pop_front() else {
                line.running -= 1;
                return;
            };
            // Unlocked, since the engine may run code that comes here again.
            drop(line);
            if next.admit() {
                return;
            }
            self.line().given_up -= 1;
        }
    }

    /// A call that waited in line has been given up.
    pub(crate) fn give_up(&self) {
        let mut line = self.line();
        line.given_up += 1;
        if line.given_up <= MAX_GIVEN_UP.max(line.waiting.len().cast_signed() / 2) {
            return;
        }
        let (waiting, given_up): (VecDeque<_>, VecDeque<_>) =
            line.waiting.drain(..).partition(|call| call.is_pending());
        line.waiting = waiting;
        line.given_up -= given_up.len().cast_signed();
        // Unlocked, since their destructors may run any code.
        drop(line);
        relay::discard(given_up);
    }

    /// Ends the calls in line whose results somebody wants: nobody can run what they wait for.
    #[cfg(feature = "threads")]
    pub(crate) fn refuse_wanted(&self, why: &ErrorKind) {
        let refused = take_wanted(&mut self.line().waiting);
        for call in refused {
            if !call.refuse(why.clone()) {
                // It was given up, and counted as one that still stood in line.
                self.line().given_up -= 1;
            }
        }
    }

    /// Notes a call that runs on other machines, where the limit counts over all of them. `None` if
    /// so many of this program's calls run or wait there that it is refused.
    #[cfg(feature = "cluster")]
    pub(crate) fn send(&'static self, options: &Options) -> Option<Elsewhere> {
        let elsewhere = Elsewhere(self);
        self.count_elsewhere(options).then_some(elsewhere)
    }

    /// Counts a call that runs or waits elsewhere; returns whether that is not one too many.
    pub(crate) fn count_elsewhere(&self, options: &Options) -> bool {
        let most =
            options.limit.zip(options.queue).map(|(limit, queue)| limit.saturating_add(queue));
        let mut line = self.line();
        line.elsewhere += 1;
        most.is_none_or(|most| line.elsewhere <= most)
    }

    /// One that was counted has ended.
    pub(crate) fn uncount_elsewhere(&self) {
        self.line().elsewhere -= 1;
    }

    fn line(&self) -> Guard<'_, Line> {
        self.line.lock()
    }
}

/// Takes the calls out of a line whose results somebody wants.
pub(crate) fn take_wanted(line: &mut VecDeque<Arc<dyn Admit>>) -> VecDeque<Arc<dyn Admit>> {
    let is_wanted = |call: &Arc<dyn Admit>| call.is_pending() && call.is_wanted();
    let (wanted, others) = line.drain(..).partition(is_wanted);
    *line = others;
    wanted
}

/// The limit of a function.
#[derive(Clone, Copy)]
pub(crate) struct Limited {
    pub(crate) limiter: &'static Limiter,
    pub(crate) options: &'static Options,
}

impl Limited {
    /// Whether it is the same function's.
    pub(crate) fn is(self, other: Self) -> bool {
        ptr::eq(self.limiter, other.limiter)
    }

    /// Takes a place if there is one; otherwise has this stand in line for it.
    pub(crate) fn take_or_stand(self, stand: impl FnOnce() -> Arc<dyn Admit>) -> Option<Admission> {
        let mut line = self.limiter.line();
        if self.options.limit.is_some_and(|limit| line.running >= limit) {
            line.waiting.push_back(stand());
            return None;
        }
        line.running += 1;
        Some(Admission(self.limiter))
    }
}

/// A place, which is given back when this is dropped.
pub(crate) struct Admission(&'static Limiter);

impl Admission {
    /// A place that was taken before.
    pub(crate) const fn taken(limiter: &'static Limiter) -> Self {
        Self(limiter)
    }

    /// Keeps it beyond this: the call that has it gives it back.
    pub(crate) fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limiter").finish_non_exhaustive()
    }
}

/// A call that runs on other machines, from its start to its end.
#[cfg(feature = "cluster")]
pub(crate) struct Elsewhere(&'static Limiter);

#[cfg(feature = "cluster")]
impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.0.uncount_elsewhere();
    }
}
