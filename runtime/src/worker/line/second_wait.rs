//! Decides who counts a call as given up that stands in its line a second time.
//!
//! Its body has been claimed, so whoever cancels it ends it without the line: the line has to be
//! told, or what is behind the call waits for the place that it would need. The pool marks that the
//! call is in line again and then looks whether it has ended; whoever ends it then looks for that
//! mark. So at least one of them sees the other, and whoever takes the mark off acts on it, once:
//! `second_wait/model.rs` checks that.

use crate::sync::atomic::{AtomicBool, Ordering, fence};

#[cfg(all(test, trine_loom))]
mod model;

pub(super) struct SecondWait(AtomicBool);

impl SecondWait {
    pub(super) fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// It is about to stand in line; returns false if it has ended instead, and nobody was told.
    pub(super) fn begin(&self, is_ended: impl FnOnce() -> bool) -> bool {
        self.0.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        !is_ended() || !self.end()
    }

    /// It leaves the line, or has ended; returns whether it stood there.
    pub(super) fn end(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::AcqRel)
    }

    pub(super) fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
