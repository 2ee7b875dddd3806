//! How full a flow was a moment ago.
//!
//! Whoever is about to wait looks at it again and again, and under the lock each look would keep
//! the other side from what is waited for. Nothing follows from it: it is asked again under the
//! lock.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use crossbeam_utils::CachePadded;

#[derive(Default)]
pub(super) struct Level(CachePadded<Shown>);

#[derive(Default)]
struct Shown {
    queued: AtomicUsize,
    has_room: AtomicBool,
}

impl Level {
    /// Under the lock.
    #[inline]
    pub(super) fn show(&self, queued: usize, has_room: bool) {
        self.0.queued.store(queued, Relaxed);
        self.0.has_room.store(has_room, Relaxed);
    }

    /// How many items the reader would find.
    pub(super) fn queued(&self) -> usize {
        self.0.queued.load(Relaxed)
    }

    /// Whether a writer would not have to wait.
    pub(super) fn has_room(&self) -> bool {
        self.0.has_room.load(Relaxed)
    }
}
