//! Children that fork from a process of the engine without exec: they must not act in its name.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

static IS_CHILD: AtomicBool = AtomicBool::new(false);
static IS_WORKER: AtomicBool = AtomicBool::new(false);

extern "C" fn in_child() {
    IS_CHILD.store(true, Ordering::Relaxed);
}

/// Begins to watch.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler stores to an atomic and does nothing else.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

/// This process serves calls.
pub(crate) fn watch_worker() {
    watch();
    IS_WORKER.store(true, Ordering::Relaxed);
}

/// Whether this process was forked from one that watches.
pub(crate) fn is_child() -> bool {
    IS_CHILD.load(Ordering::Relaxed)
}

/// Where a body returns in a child that it forked, the child ends: its parent serves.
pub(crate) fn end_child() {
    if is_child() && IS_WORKER.load(Ordering::Relaxed) {
        // SAFETY: ends the process without the handlers of the parent it was copied from.
        unsafe { libc::_exit(0) }
    }
}
