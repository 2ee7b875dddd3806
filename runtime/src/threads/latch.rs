//! The end of a branch: set once, awaited by one thread.

use crate::sync::atomic::{AtomicU32, Ordering};

const OPEN: u32 = 0;
const AWAITED: u32 = 1;
const SET: u32 = 2;

/// Whether a branch has ended, and whether its owner sleeps for that.
pub(crate) struct Latch(AtomicU32);

impl Latch {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(OPEN))
    }

    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire) == SET
    }

    /// Sets it. Returns whether the owner must be woken. The latch may no longer exist when this
    /// returns.
    pub(crate) fn set(&self) -> bool {
        self.0.swap(SET, Ordering::AcqRel) == AWAITED
    }

    /// Announces that the owner will sleep. Returns false if it no longer needs to.
    pub(crate) fn wait(&self) -> bool {
        self.0.compare_exchange(OPEN, AWAITED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}
