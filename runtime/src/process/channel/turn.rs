//! Whose a request is that the parent wants back while the worker comes to it.
//!
//! The worker announces what it is going to run and then looks whether that was taken back; the
//! parent notes that it takes a request back and then looks what was announced. So one of them
//! sees the other, and never do both believe that it is theirs: `turn/model.rs` checks it.

use crate::sync::atomic::{Ordering, fence};

#[cfg(all(test, trine_loom))]
mod model;

/// The parent's side; true if it is certain that the call never runs. `running` is twice the
/// number of the latest call that the worker announced, and 1 more while it runs.
pub(crate) fn withdraw(note: impl FnOnce(), running: impl FnOnce() -> u64, number: u64) -> bool {
    note();
    fence(Ordering::SeqCst);
    running() / 2 < number
}

/// The worker's side; false if the call is not to run.
pub(crate) fn begin(announce: impl FnOnce(), is_withdrawn: impl FnOnce() -> bool) -> bool {
    announce();
    fence(Ordering::SeqCst);
    !is_withdrawn()
}
