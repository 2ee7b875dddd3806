//! Whether this process is a child that was forked, without exec, from one that uses this crate:
//! the threads and workers that it remembers are not its own.

use std::sync::atomic::{AtomicU32, Ordering};

static GENERATION: AtomicU32 = AtomicU32::new(0);

/// How often there was a fork between the process that first watched and this one. What another
/// generation has started is not here.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Begins to count, and gives the generation of this process.
pub(crate) fn watch() -> u32 {
    #[cfg(unix)]
    handler::install();
    generation()
}

#[cfg(unix)]
#[allow(unsafe_code, reason = "a handler for the C library")]
mod handler {
    use std::sync::Once;
    use std::sync::atomic::Ordering;

    extern "C" fn in_child() {
        super::GENERATION.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn install() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: the handler adds to an atomic and does nothing else.
            unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        });
    }
}
