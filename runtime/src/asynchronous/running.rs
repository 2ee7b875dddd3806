//! The body of a call while it runs.
//!
//! A body lies in the call, so that a call is one allocation however it runs. Whoever has claimed
//! the call has a [`Running`], which alone touches the body, and drops it in its place.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::deadline::Deadline;
use crate::carry::Carried;
use crate::panic::quietly;
use crate::place::Place;
use crate::sync::UnsafeCell;

/// A call that a host may run.
pub(super) trait Runs: Send + Sync {
    /// For its body to be run here. Exactly one caller succeeds.
    fn claim(self: Arc<Self>) -> Option<Running>;

    /// Ends the call, which nobody will claim any more.
    fn give_up(&self);

    /// Keeps the waker of whoever runs the body, and returns whether the body is to go on.
    fn keep(&self, waker: &Waker) -> bool;

    /// Whether the body is to stop.
    fn is_stopped(&self) -> bool;

    /// Polls the body, and ends the call with its value.
    ///
    /// # Safety
    /// The caller has claimed the call, nobody else is in its room, and the call does not move.
    unsafe fn poll(&self, held: &Held, context: &mut Context<'_>) -> Poll<()>;

    /// Drops the body, and ends the call unless it has ended.
    ///
    /// # Safety
    /// As of [`poll`](Self::poll).
    unsafe fn let_go(&self);
}

/// What is held until the body has ended. Dropped in this order.
pub(super) struct Held {
    pub(super) _alarm: Option<Box<Deadline>>,
    pub(super) carried: Option<Carried>,
    pub(super) _place: Place,
}

/// A claimed call. Dropped before its end, it ends the call.
pub(super) struct Running {
    held: Held,
    /// Whether the body has waited.
    is_waiting: bool,
    call: Arc<dyn Runs>,
}

impl Running {
    /// # Safety
    /// The caller has claimed the call, and makes this once.
    pub(super) unsafe fn new(call: Arc<dyn Runs>, held: Held) -> Self {
        Self { held, is_waiting: false, call }
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_waiting && self.call.is_stopped() {
            return Poll::Ready(());
        }
        // SAFETY: there is one of this for the claimed call, here borrowed for its own; a call lies
        // in its `Arc` until it is dropped.
        let polled = unsafe { self.call.poll(&self.held, context) };
        let is_first = polled.is_pending() && !mem::replace(&mut self.is_waiting, true);
        if is_first && !self.call.keep(context.waker()) {
            return Poll::Ready(());
        }
        polled
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SAFETY: as in `poll`.
        unsafe { self.call.let_go() }
    }
}

/// Room for a body: for the job that it begins with, and then for the future.
pub(super) struct Room<J, F>(UnsafeCell<Stage<J, F>>);

enum Stage<J, F> {
    Nothing,
    Job(J),
    Future(F),
}

// SAFETY: only whoever has claimed the call is inside, see `enter`; what it owns moves between
// threads and is never shared.
unsafe impl<J: Send, F: Send> Sync for Room<J, F> {}

impl<J, F: Future> Room<J, F> {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self(UnsafeCell::new(Stage::Nothing))
    }

    /// # Safety
    /// Nobody else is inside.
    pub(super) unsafe fn fill(&self, job: J) {
        // SAFETY: that is the caller's promise.
        self.0.with_mut(|stage| unsafe { *stage = Stage::Job(job) });
    }

    /// Makes the future of the job, at first, and polls it.
    ///
    /// # Safety
    /// Nobody else is inside, and the room stays where it is until it is dropped.
    pub(super) unsafe fn poll(
        &self,
        context: &mut Context<'_>,
        make: impl FnOnce(J) -> F,
    ) -> Poll<F::Output> {
        self.0.with_mut(|stage| {
            // SAFETY: nobody else is inside.
            let stage = unsafe { &mut *stage };
            if let Stage::Job(_) = stage
                && let Stage::Job(job) = mem::replace(stage, Stage::Nothing)
            {
                *stage = Stage::Future(make(job));
            }
            match stage {
                // SAFETY: the room does not move, and the future leaves it only to be dropped.
                Stage::Future(future) => unsafe { Pin::new_unchecked(future) }.poll(context),
                _ => Poll::Pending,
            }
        })
    }

    /// Drops what is inside.
    ///
    /// # Safety
    /// Nobody else is inside.
    pub(super) unsafe fn clear(&self) {
        // SAFETY: that is the caller's promise.
        self.0.with_mut(|stage| unsafe { *stage = Stage::Nothing });
    }

    /// The same for a body that nobody waits for.
    ///
    /// # Safety
    /// The same.
    pub(super) unsafe fn clear_quietly(&self) {
        // SAFETY: the same.
        quietly(|| unsafe { self.clear() });
    }
}
