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
        // SAFETY: ends the process without running the exit handlers copied from its parent.
        unsafe { libc::_exit(code) }
    }
}
