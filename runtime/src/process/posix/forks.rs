//! Children that a body forks in a worker process: they must not answer in its name.

#![allow(unsafe_code, reason = "calls of the C library")]

use std::sync::atomic::{AtomicBool, Ordering};

use crate::forks;

static IS_WORKER: AtomicBool = AtomicBool::new(false);

/// This process serves calls.
pub(crate) fn watch_worker() {
    forks::watch();
    IS_WORKER.store(true, Ordering::Relaxed);
}

/// Ends a child that a body forked and in which the body ended: only its parent serves.
pub(crate) fn end_child(code: i32) {
    if forks::is_child() && IS_WORKER.load(Ordering::Relaxed) {
        end(code);
    }
}

/// Ends this process, without the exit handlers: they may be copied from its parent, or wait for
/// a thread that serves calls.
pub(super) fn end(code: i32) -> ! {
    // SAFETY: no more code of this process runs.
    unsafe { libc::_exit(code) }
}
