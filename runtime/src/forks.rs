//! Detects whether this process was forked, without exec, from one that uses this crate. Such a
//! child must not use the threads and workers that it inherited in memory.
//!
//! Nor must it wait for a lock that one of those threads held at the fork, which nobody will ever
//! release. So in a child each new call is an error, and dropping, cancelling or waiting for a call
//! of the parent ends before it takes any lock. Where that cannot be, [`crate::sync::Lock`] panics.

use std::sync::atomic::{AtomicU32, Ordering};

static GENERATION: AtomicU32 = AtomicU32::new(0);
static CHILDREN: AtomicU32 = AtomicU32::new(0);

/// The number of forks between the process that first watched and this one. What another generation
/// has started does not exist here.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Whether this process was forked from one that watches.
pub(crate) fn is_child() -> bool {
    generation() > 0
}

/// How many children this process has forked, while they were counted.
pub(crate) fn children() -> u32 {
    CHILDREN.load(Ordering::Relaxed)
}

/// Starts counting, and returns the generation of this process.
pub(crate) fn watch() -> u32 {
    #[cfg(all(unix, any(feature = "threads", feature = "process", feature = "async")))]
    handler::install();
    generation()
}

#[cfg(all(unix, any(feature = "threads", feature = "process", feature = "async")))]
#[allow(unsafe_code, reason = "a handler for the C library")]
mod handler {
    use std::sync::Once;
    use std::sync::atomic::Ordering;

    extern "C" fn in_parent() {
        super::CHILDREN.fetch_add(1, Ordering::Relaxed);
    }

    extern "C" fn in_child() {
        super::GENERATION.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn install() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: each handler adds to an atomic and does nothing else.
            unsafe { libc::pthread_atfork(None, Some(in_parent), Some(in_child)) };
        });
    }
}
