//! The word that decides every right in a cell: a stage, and flags beside it.
//!
//! ```text
//! PENDING ──admit──▶ QUEUED ──claim──▶ RUNNING ──finish──▶ FINISHING ──▶ FINISHED
//!    └──────revoke──────┴───────────────▲
//! ```

use crate::sync::atomic::{AtomicU32, Ordering::AcqRel, Ordering::Acquire};

/// The stage that the task is in. A task only moves forward from stage to stage.
pub(super) const STAGE: u32 = 0b111;

/// Waits for a place under the function's `limit`; nobody may run it yet.
///
/// Set by the call, if the function has a limit. Whoever leaves this stage has won: the limiter,
/// which admits the call when there is a place for it, or a revocation.
pub(super) const PENDING: u32 = 0;

/// Waits to be run by a worker or by the thread that joins it.
///
/// Set by the call or by the limiter. Whoever leaves this stage has won the job: a claim takes it
/// out to run it, a revocation to drop it. Under a limit the winner also gets the call's place.
pub(super) const QUEUED: u32 = 1;

/// Somebody has won the job. The body may or may not have begun.
///
/// Set by a claim or a revocation, or from the start if there is no job (combinators). Any number
/// of threads may try to leave this stage, each with its own result: the body's end, a deadline, a
/// kill.
pub(super) const RUNNING: u32 = 2;

/// Somebody has won the right to write the output, and is writing it.
///
/// Set for a moment by the finishing thread. It differs from [`FINISHED`] in one bit, so that one
/// `fetch_or` publishes the output.
pub(super) const FINISHING: u32 = 0b110;

/// The output has been written. Final.
///
/// Set by the finishing thread after the output, so whoever sees this sees the output. From then on
/// nobody sets [`REGISTERING`].
pub(super) const FINISHED: u32 = 0b111;

/// Cancellation was requested; bodies on threads see it through `trine::cancelled()`.
///
/// Set by anybody at any time, even twice. It promises nothing: the body may finish regardless.
pub(super) const CANCELLED: u32 = 1 << 3;

/// Somebody is writing the waiter.
///
/// Set and cleared by the thread that registers a waiter, while the task has not finished. While it
/// is set nobody else touches the waiter: the finishing thread leaves it alone, and if the
/// registering thread sees [`FINISHED`] when it clears the flag, it tells the waiter instead.
pub(super) const REGISTERING: u32 = 1 << 4;

/// The output has been taken, or is about to be.
///
/// Set once, after [`FINISHED`], by whoever takes the output and so owns it.
pub(super) const TAKEN: u32 = 1 << 5;

/// Nobody will take the output.
///
/// Set by the handle when it is dropped. If that was before [`FINISHED`], the finishing thread
/// takes the output and drops it at once; otherwise the handle does.
pub(super) const ABANDONED: u32 = 1 << 6;

/// The output is an error.
///
/// Set together with [`FINISHED`], so that a combinator can check before it takes the output.
pub(super) const FAILED: u32 = 1 << 7;

/// The task has alarms of its own.
///
/// Set by the handle after it has stored an alarm in the cell. The finishing thread drops the
/// alarms if it sees the flag; if the flag comes after [`FINISHED`], the handle does.
pub(super) const ALARMED: u32 = 1 << 8;

/// The word that decides every right.
pub(crate) struct State(AtomicU32);

impl State {
    #[inline]
    pub(super) fn new(stage: u32) -> Self {
        Self(AtomicU32::new(stage))
    }

    #[inline]
    pub(crate) fn is_cancel_requested(&self) -> bool {
        self.has(CANCELLED)
    }

    #[inline]
    pub(super) fn now(&self) -> u32 {
        self.0.load(Acquire)
    }

    #[inline]
    pub(super) fn is_at(&self, stage: u32) -> bool {
        self.now() & STAGE == stage
    }

    /// Whether the output has been taken.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.now() & (STAGE | TAKEN) == FINISHED | TAKEN
    }

    #[inline]
    pub(super) fn has(&self, flag: u32) -> bool {
        self.now() & flag != 0
    }

    /// Sets flags; returns the previous word.
    #[inline]
    pub(super) fn set(&self, flags: u32) -> u32 {
        self.0.fetch_or(flags, AcqRel)
    }

    /// Clears flags; returns the previous word.
    #[inline]
    pub(super) fn clear(&self, flags: u32) -> u32 {
        self.0.fetch_and(!flags, AcqRel)
    }

    /// Moves from one stage to another and keeps the flags. Of all threads that try, one succeeds.
    #[inline]
    pub(super) fn advance(&self, from: u32, to: u32) -> bool {
        self.update(|state| (state & STAGE == from).then_some(state & !STAGE | to)).is_ok()
    }

    /// Changes the word unless `change` refuses; returns the previous word, or the current one on
    /// refusal.
    #[inline]
    pub(super) fn update(&self, change: impl FnMut(u32) -> Option<u32>) -> Result<u32, u32> {
        self.0.fetch_update(AcqRel, Acquire, change)
    }
}
