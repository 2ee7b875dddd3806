//! The allocator of all contestants, which counts allocations. A feature of `trine-tests` chooses
//! which one does the work: `jemalloc` or `mimalloc` instead of the system's.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[cfg(not(any(feature = "jemalloc", feature = "mimalloc")))]
use std::alloc::System as Memory;

#[cfg(all(feature = "mimalloc", not(feature = "jemalloc")))]
use mimalloc::MiMalloc as Memory;
#[cfg(feature = "jemalloc")]
use tikv_jemallocator::Jemalloc as Memory;

pub(crate) const NAME: &str = if cfg!(feature = "jemalloc") {
    "jemalloc"
} else if cfg!(feature = "mimalloc") {
    "mimalloc"
} else {
    "the system's allocator"
};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static COUNTING: AtomicBool = AtomicBool::new(false);

// SAFETY: every call is passed unchanged to another allocator.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTING.load(Ordering::Relaxed) {
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: as our caller promises.
        unsafe { Memory.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as our caller promises.
        unsafe { Memory.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations all threads together make while `run` runs.
pub(crate) fn allocations<T>(run: impl FnOnce() -> T) -> (T, u64) {
    ALLOCATIONS.store(0, Ordering::Relaxed);
    COUNTING.store(true, Ordering::Relaxed);
    let value = run();
    COUNTING.store(false, Ordering::Relaxed);
    (value, ALLOCATIONS.load(Ordering::Relaxed))
}
