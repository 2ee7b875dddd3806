//! The word on which every right in a cell is won: a stage, and flags beside it.
//!
//! ```text
//! PENDING ──admit──▶ QUEUED ──claim──▶ RUNNING ──finish──▶ FINISHING ──▶ FINISHED
//!    └──────revoke──────┴───────────────▲
//! ```

use crate::sync::atomic::{AtomicU32, Ordering::AcqRel, Ordering::Acquire};

/// The stage that the task is in. A task moves on from stage to stage and never back.
pub(super) const STAGE: u32 = 0b111;

/// Waits for a place under the function's `limit`; nobody may run it yet.
///
/// Set by the call, if the function has a limit. Whoever moves on from it has won: the limiter,
/// which admits the call when it has a place for it, or a revocation.
pub(super) const PENDING: u32 = 0;

/// Waits for somebody to run it: a worker, or the thread that joins it.
///
/// Set by the call or by the limiter. Whoever moves on from it has won the job: a claim takes it
/// out to run it, a revocation to drop it. Under a limit the winner has the call's place too.
pub(super) const QUEUED: u32 = 1;

/// Somebody has won the job. Says nothing of whether the body has begun.
///
/// Set by a claim or a revocation, or from the start for what has no job (combinators). Any number
/// of threads may try to move on from it, each with a result of its own: the body's end, a
/// deadline, a kill.
pub(super) const RUNNING: u32 = 2;

/// Somebody has won the right to write the output, and is at it.
///
/// Set by the one who finishes, for a moment. One bit from [`FINISHED`], so that one `fetch_or`
/// publishes the output.
pub(super) const FINISHING: u32 = 0b110;

/// The output has been written. Final.
///
/// Set by the one who finishes, after the output: whoever sees this sees the output. From then on
/// nobody sets [`REGISTERING`].
pub(super) const FINISHED: u32 = 0b111;

/// Cancellation was asked for; bodies on threads see it by `trine::cancelled()`.
///
/// Set by anybody at any time, also twice. A promise of nothing: the body may finish as if it had
/// not been set.
pub(super) const CANCELLED: u32 = 1 << 3;

/// Somebody is writing the waiter.
///
/// Set by whoever registers a waiter, while the task has not finished, and cleared by the same.
/// While it is set nobody else touches the waiter: whoever finishes leaves it alone, and the
/// registrar that sees [`FINISHED`] as it clears the flag tells the waiter instead.
pub(super) const REGISTERING: u32 = 1 << 4;

/// The output is taken, or about to be.
///
/// Set once, by whoever takes it, after [`FINISHED`]: the one who set it owns the output.
pub(super) const TAKEN: u32 = 1 << 5;

/// Nobody will take the output.
///
/// Set by the handle, as it goes. If that was before [`FINISHED`], whoever finishes takes the
/// output and drops it at once, else the handle does: so it never lives longer than both.
pub(super) const ABANDONED: u32 = 1 << 6;

/// The output is an error.
///
/// Set together with [`FINISHED`], so that a combinator can look before it takes the output.
pub(super) const FAILED: u32 = 1 << 7;

/// The task has alarms of its own.
///
/// Set by the handle, after it has put an alarm into the cell. Whoever finishes and sees it drops
/// them; if the flag comes after [`FINISHED`], the handle does.
pub(super) const ALARMED: u32 = 1 << 8;

/// The word on which every right is won.
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

    #[inline]
    pub(super) fn has(&self, flag: u32) -> bool {
        self.now() & flag != 0
    }

    /// Sets flags; returns what was there before.
    #[inline]
    pub(super) fn set(&self, flags: u32) -> u32 {
        self.0.fetch_or(flags, AcqRel)
    }

    /// Clears flags; returns what was there before.
    #[inline]
    pub(super) fn clear(&self, flags: u32) -> u32 {
        self.0.fetch_and(!flags, AcqRel)
    }

    /// Moves from one stage to another, keeping the flags. Of all that try, one succeeds.
    #[inline]
    pub(super) fn advance(&self, from: u32, to: u32) -> bool {
        self.update(|state| (state & STAGE == from).then_some(state & !STAGE | to)).is_ok()
    }

    /// Changes the word, unless `change` refuses; returns what was there before, or is now.
    #[inline]
    pub(super) fn update(&self, change: impl FnMut(u32) -> Option<u32>) -> Result<u32, u32> {
        self.0.fetch_update(AcqRel, Acquire, change)
    }
}
