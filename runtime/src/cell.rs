//! The state machine inside a task: who may run it, who may finish it, who waits for it.
//!
//! A [`Cell`] is part of an engine's call object, so a task is one allocation. Its state is one
//! word. Every exclusive right (to the job, to the output, to the waiter) is won by one atomic step
//! on that word, and only the winner touches the memory behind it. That is the whole argument for
//! the `unsafe` here; `loom` checks it (`cell/model.rs`).
//!
//! `cell/state.rs` documents each stage and flag of the word.

use std::sync::Arc;
use std::task::Waker;

use crate::current;
use crate::error::Error;
use crate::observe::Observed;
use crate::panic::{drop_quietly, quietly};
use crate::relay::{self, Observer, Step};
use crate::sync::{Lock, UnsafeCell, yield_now};
use crate::timer::Alarm;
use crate::tokio;

mod job;
#[cfg(all(test, trine_loom))]
mod model;
mod state;

#[cfg(any(feature = "threads", feature = "async"))]
pub(crate) use self::job::Body;
pub(crate) use self::job::{Claim, JobCell};
pub(crate) use self::state::State;
use self::state::{
    ABANDONED, ALARMED, CANCELLED, FAILED, FINISHED, FINISHING, PENDING, QUEUED, REGISTERING,
    RUNNING, STAGE, TAKEN,
};

/// Who is told that a task has finished.
pub(crate) enum Waiter {
    /// A future's executor, or a thread that joins.
    Waker(Waker),
    /// A combinator, and which of its tasks this is.
    Observer(Arc<dyn Observer>, usize),
}

impl Waiter {
    pub(crate) fn tell(self) {
        match self {
            Self::Waker(waker) => relay::wake(waker),
            Self::Observer(observer, index) if observer.note(index) => {
                relay::take(Step::Tell(observer, index));
            }
            Self::Observer(..) => {}
        }
    }
}

/// The part of a task that does not depend on how it runs.
pub(crate) struct Cell<T> {
    observed: Observed,
    state: State,
    output: UnsafeCell<Option<Result<T, Error>>>,
    waiter: UnsafeCell<Option<Waiter>>,
    /// Dropped when the task ends, so that nothing stays in the timer until the deadline.
    alarm: Lock<Option<Box<Alarm>>>,
    /// The paused clock of the calling runtime, if the task runs outside of that runtime.
    clock: UnsafeCell<Option<tokio::HeldClock>>,
}

// SAFETY: `output`, `waiter` and `clock` are touched only by the thread that won the right to by an
// atomic step on `state` (see `finish`, `take` and `register`); values of `T` move between threads,
// which `T: Send` allows, and are never shared. All else is `Sync`, see `_WHAT_CELLS_OWN`.
unsafe impl<T: Send> Sync for Cell<T> {}
// SAFETY: it owns a `T` and what `_WHAT_CELLS_OWN` names.
unsafe impl<T: Send> Send for Cell<T> {}

/// What a cell owns besides its value can go to other threads; what is not in an `UnsafeCell` can
/// be shared as well.
const _WHAT_CELLS_OWN: () = {
    const fn are_sent<T: Send>() {}
    const fn are_shared<T: Send + Sync>() {}
    are_sent::<(Error, Waiter, tokio::HeldClock)>();
    are_shared::<(Observed, State, Lock<Option<Box<Alarm>>>)>();
};

impl<T> Cell<T> {
    #[inline(always)]
    fn at(stage: u32, observed: Observed) -> Self {
        Self {
            observed,
            state: State::new(stage),
            output: UnsafeCell::new(None),
            waiter: UnsafeCell::new(None),
            alarm: Lock::new(None),
            clock: UnsafeCell::new(None),
        }
    }

    /// A cell without a job, for something that is running from the start, such as a combinator.
    pub(crate) fn running() -> Self {
        Self::at(RUNNING, Observed::nothing())
    }

    /// The cell of something that has ended before it got one.
    pub(crate) fn ended(result: Result<T, Error>) -> Self {
        let failed = if result.is_err() { FAILED } else { 0 };
        let cell = Self::at(FINISHED | failed, Observed::nothing());
        Self { output: UnsafeCell::new(Some(result)), ..cell }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.state.is_at(FINISHED)
    }

    /// Whether the task has ended with an error.
    pub(crate) fn has_failed(&self) -> bool {
        self.state.has(FAILED)
    }

    /// Whether nobody will take the output.
    #[cfg(feature = "threads")]
    pub(crate) fn is_abandoned(&self) -> bool {
        self.state.has(ABANDONED)
    }

    /// Whether the job may be claimed, at this moment.
    pub(crate) fn is_queued(&self) -> bool {
        self.state.is_at(QUEUED)
    }

    /// Whether the job waits for a place under the function's limit.
    pub(crate) fn is_pending(&self) -> bool {
        self.state.is_at(PENDING)
    }

    /// Records that cancellation was requested; changes nothing else.
    pub(crate) fn request_cancel(&self) {
        self.state.set(CANCELLED);
    }

    /// Whether cancellation was requested.
    #[cfg(feature = "async")]
    pub(crate) fn is_cancel_requested(&self) -> bool {
        self.state.is_cancel_requested()
    }

    /// The body runs in the worker process of this id.
    #[cfg(feature = "process")]
    pub(crate) fn goes_to(&self, worker: u32) {
        self.observed.goes_to(worker);
    }

    /// Runs a body, or a part of it, as this task.
    #[inline]
    pub(crate) fn run<R>(&self, body: impl FnOnce() -> R) -> R {
        self.observed.inside(|| current::run(&self.state, body))
    }

    /// Ends a running task, and returns whether it did: if a deadline or a kill came first, the
    /// result is dropped. No foreign code that runs in here, such as a destructor or a waker, can
    /// unwind into the caller, which may be a thread that serves all tasks.
    pub(crate) fn finish(&self, result: Result<T, Error>) -> bool {
        self.finish_or(result, drop_quietly)
    }

    /// The same, where a result that nobody wants is dropped in this way.
    pub(crate) fn finish_or(
        &self,
        result: Result<T, Error>,
        unwanted: impl FnOnce(Result<T, Error>),
    ) -> bool {
        if !self.state.advance(RUNNING, FINISHING) {
            unwanted(result);
            return false;
        }
        self.observed.ended(&result);
        let failed = if result.is_err() { FAILED } else { 0 };
        self.output.with_mut(|output| {
            // SAFETY: only one caller wins the step to `FINISHING`, and nobody reads before
            // `FINISHED`.
            unsafe { *output = Some(result) }
        });
        self.publish(failed, unwanted);
        true
    }

    /// The last step of the thread that won the step to `FINISHING`.
    fn publish(&self, failed: u32, unwanted: impl FnOnce(Result<T, Error>)) {
        let state = self.state.set(FINISHED | failed);
        if state & ALARMED != 0 {
            self.drop_alarm();
        }
        if state & ABANDONED != 0
            && let Some(output) = self.take()
        {
            unwanted(output);
        }
        let clock = self.clock.with_mut(|clock| {
            // SAFETY: only the one caller that won the step to `FINISHING` comes here.
            unsafe { (*clock).take() }
        });
        // A registration in progress sees `FINISHED` when it ends, and tells its waiter itself.
        if state & REGISTERING == 0 {
            let waiter = self.waiter.with_mut(|waiter| {
                // SAFETY: nobody was registering when `FINISHED` was set, and from then on nobody
                // begins to; only the caller that set it comes here.
                unsafe { (*waiter).take() }
            });
            if let Some(waiter) = waiter {
                quietly(|| match &clock {
                    None => waiter.tell(),
                    Some(clock) => clock.within(|| waiter.tell()),
                });
            }
        }
        if clock.is_some() {
            // The waiter was told before the clock moves on: where telling it waits, so does this.
            relay::discard(clock);
        }
    }

    /// Keeps one more alarm until the task ends.
    pub(crate) fn keep(&self, alarm: Alarm) {
        {
            let mut kept = self.alarm.lock();
            let alarm = match kept.take() {
                None => alarm,
                Some(earlier) => earlier.and(alarm),
            };
            *kept = Some(Box::new(alarm));
        }
        if self.state.set(ALARMED) & STAGE == FINISHED {
            self.drop_alarm();
        }
    }

    /// Whether the task has alarms of its own.
    pub(crate) fn has_alarm(&self) -> bool {
        self.state.has(ALARMED)
    }

    fn drop_alarm(&self) {
        let alarm = self.alarm.lock().take();
        drop(alarm);
    }

    /// Takes the output; only the first caller gets it.
    pub(crate) fn take(&self) -> Option<Result<T, Error>> {
        self.win_output().then(|| self.output()).flatten()
    }

    /// Whether this caller, and no other, gets what the task has ended with.
    #[inline]
    fn win_output(&self) -> bool {
        let state = self.state.now();
        let is_there = state & STAGE == FINISHED && state & TAKEN == 0;
        is_there && self.state.set(TAKEN) & TAKEN == 0
    }

    /// The output, for the one caller that has won it.
    #[inline]
    fn output(&self) -> Option<Result<T, Error>> {
        self.output.with_mut(|output| {
            // SAFETY: `FINISHED` says that the output was written, if it ever is; only one caller
            // sets `TAKEN`.
            unsafe { (*output).take() }
        })
    }

    /// Nobody wants the output any more: it is dropped now, or by whoever finishes. Returns whether
    /// the task was still running, on the first call.
    #[inline]
    pub(crate) fn abandon(&self) -> bool {
        self.abandon_to(drop_quietly)
    }

    /// The same, where the output is dropped in this way.
    #[inline]
    pub(crate) fn abandon_to(&self, unwanted: impl FnOnce(Result<T, Error>)) -> bool {
        if self.state.is_over() {
            // The usual end: the handle has taken it.
            return false;
        }
        let state = self.state.set(ABANDONED);
        if state & STAGE == FINISHED {
            self.take().map(unwanted);
            return false;
        }
        state & ABANDONED == 0
    }

    /// Registers the waiter to tell when the task finishes, replacing an earlier one. Returns it if
    /// the task has already finished.
    pub(crate) fn register(&self, waiter: Waiter) -> Result<(), Waiter> {
        let free = |state: u32| {
            let is_free = state & STAGE != FINISHED && state & REGISTERING == 0;
            is_free.then_some(state | REGISTERING)
        };
        while let Err(state) = self.state.update(free) {
            if state & STAGE == FINISHED {
                return Err(waiter);
            }
            // A task has one handle, so only one thread registers at a time. Two would be a bug in
            // this crate; even then memory stays safe.
            yield_now();
        }
        let earlier = self.waiter.with_mut(|slot| {
            // SAFETY: setting `REGISTERING` while not `FINISHED` is the exclusive right to the
            // waiter until it is cleared below; `finish` keeps off while it is set.
            unsafe { (*slot).replace(waiter) }
        });
        let finished = self.state.clear(REGISTERING) & STAGE == FINISHED;
        // Dropped only now, since a waker's destructor is foreign code.
        drop_quietly(earlier);
        if finished {
            let waiter = self.waiter.with_mut(|slot| {
                // SAFETY: `finish` saw `REGISTERING` and left the waiter to us, and nobody
                // registers with a finished task.
                unsafe { (*slot).take() }
            });
            return waiter.map_or(Ok(()), Err);
        }
        Ok(())
    }
}
