//! Decides who gets a request that the parent withdraws while the worker is about to start it.
//!
//! The worker announces what it is going to run and then checks whether that was withdrawn; the
//! parent marks a request as withdrawn and then checks what was announced. So at least one of them
//! sees the other, and never do both believe that it is theirs: `withdrawal/model.rs` checks that.

use crate::sync::atomic::{Ordering, fence};

#[cfg(all(test, trine_loom))]
mod model;

/// The parent's side; returns true if it is certain that the call never runs. `running` is twice
/// the number of the last call that the worker announced, plus 1 while it runs.
pub(crate) fn withdraw(note: impl FnOnce(), running: impl FnOnce() -> u64, number: u64) -> bool {
    note();
    fence(Ordering::SeqCst);
    running() / 2 < number
}

/// The worker's side; returns false if the call must not run.
pub(crate) fn begin(announce: impl FnOnce(), is_withdrawn: impl FnOnce() -> bool) -> bool {
    announce();
    fence(Ordering::SeqCst);
    !is_withdrawn()
}
