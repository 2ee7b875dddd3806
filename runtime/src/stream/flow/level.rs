//! How full a flow was a moment ago, and which cores its two sides were on.
//!
//! Whoever is about to wait looks at it again and again, and under the lock each look would keep
//! the other side from what is waited for. Nothing follows from it: it is asked again under the
//! lock. Spinning is of use only if the other side can run meanwhile, and a scheduler tends to wake
//! a thread on its waker's core.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};

use crossbeam_utils::CachePadded;

use crate::wait;

#[derive(Default)]
pub(super) struct Level {
    shown: CachePadded<Shown>,
    pub(super) writer: Side,
    pub(super) reader: Side,
}

#[derive(Default)]
struct Shown {
    queued: AtomicUsize,
    has_room: AtomicBool,
}

impl Level {
    /// Under the lock.
    #[inline]
    pub(super) fn show(&self, queued: usize, has_room: bool) {
        self.shown.queued.store(queued, Relaxed);
        self.shown.has_room.store(has_room, Relaxed);
    }

    /// How many items the reader would find.
    pub(super) fn queued(&self) -> usize {
        self.shown.queued.load(Relaxed)
    }

    /// Whether a writer would not have to wait.
    pub(super) fn has_room(&self) -> bool {
        self.shown.has_room.load(Relaxed)
    }
}

/// The core that a side was on when it last came, and 1 more; 0 if unknown.
#[derive(Default)]
pub(super) struct Side(CachePadded<AtomicU32>);

impl Side {
    /// This thread comes.
    #[inline]
    pub(super) fn is_here(&self) {
        let core = wait::core().map_or(0, |core| core + 1);
        if self.0.load(Relaxed) != core {
            self.0.store(core, Relaxed);
        }
    }

    /// Whether it may run while this thread spins.
    pub(super) fn may_run(&self) -> bool {
        let core = self.0.load(Relaxed);
        wait::cores() > 1 && (core == 0 || wait::core().is_none_or(|own| own + 1 != core))
    }
}
