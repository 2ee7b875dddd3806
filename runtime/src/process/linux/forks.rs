//! Children that fork from a process of the engine without exec: they must not act in its name.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::forks;

static IS_WORKER: AtomicBool = AtomicBool::new(false);

/// Begins to watch.
pub(crate) fn watch() {
    forks::watch();
}

/// This process serves calls.
pub(crate) fn watch_worker() {
    watch();
    IS_WORKER.store(true, Ordering::Relaxed);
}

/// Whether this process was forked from one that watches.
pub(crate) fn is_child() -> bool {
    forks::generation() > 0
}

/// Where a body returns in a child that it forked, the child ends: its parent serves.
pub(crate) fn end_child() {
    if is_child() && IS_WORKER.load(Ordering::Relaxed) {
        // SAFETY: ends the process without the handlers of the parent it was copied from.
        unsafe { libc::_exit(0) }
    }
}
