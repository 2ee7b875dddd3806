//! The calls of functions with a `priority`: workers take those with a high one before all else,
//! and those with a low one when they find nothing else.
//!
//! They lie in lines under a lock, beside the deques. So only those functions pay for the order;
//! for others a worker reads one count that nobody writes.

use std::sync::atomic::{AtomicUsize, Ordering, fence};

use super::seat::Item;
use crate::options::Priority;
use crate::panic::drop_quietly;
use crate::priority::{Line, Waits};
use crate::sync::Lock;

impl Waits for Item {
    fn priority(&self) -> Priority {
        self.function().options().priority
    }

    fn is_wanted(&self) -> bool {
        self.is_queued()
    }
}

static HIGH: Rank = Rank::new();
static LOW: Rank = Rank::new();

/// The calls with one priority.
pub(super) struct Rank {
    computing: Counted,
    /// Those that will mostly wait, for which workers need no permit.
    blocking: Counted,
}

/// Before all others.
pub(super) fn high() -> &'static Rank {
    &HIGH
}

/// Behind all others.
pub(super) fn low() -> &'static Rank {
    &LOW
}

/// Where a call belongs, if its function has a priority.
#[inline]
pub(super) fn of(item: &Item) -> Option<&'static Rank> {
    match item.priority() {
        Priority::High => Some(&HIGH),
        Priority::Usual => None,
        Priority::Low => Some(&LOW),
    }
}

impl Rank {
    const fn new() -> Self {
        Self { computing: Counted::new(), blocking: Counted::new() }
    }

    /// Queues a call. Call [`Crew::published`](super::crew::Crew::published) afterwards.
    pub(super) fn push(&self, item: Item) {
        self.computing.push(item);
    }

    /// Queues a call that will mostly wait. Call [`Crew::dispatch`](super::crew::Crew::dispatch)
    /// afterwards.
    pub(super) fn push_blocking(&self, item: Item) {
        self.blocking.push(item);
    }

    #[inline]
    pub(super) fn has_any(&self) -> bool {
        self.computing.has_any() || self.blocking.has_any()
    }

    /// Takes the oldest, if possible one that computes.
    #[inline]
    pub(super) fn take(&self) -> Option<Item> {
        self.computing.take().or_else(|| self.blocking.take())
    }

    /// Takes the oldest of those that will mostly wait.
    #[inline]
    pub(super) fn take_blocking(&self) -> Option<Item> {
        self.blocking.take()
    }
}

/// A line, and its length for those who do not lock it.
struct Counted {
    length: AtomicUsize,
    line: Lock<Line<Item>>,
}

impl Counted {
    const fn new() -> Self {
        Self { length: AtomicUsize::new(0), line: Lock::new(Line::new()) }
    }

    #[inline]
    fn has_any(&self) -> bool {
        self.length.load(Ordering::Relaxed) > 0
    }

    #[cold]
    fn push(&self, item: Item) {
        let shells = self.change(|line| line.push_back(item));
        fence(Ordering::SeqCst);
        drop_quietly(shells);
    }

    #[inline]
    fn take(&self) -> Option<Item> {
        if self.has_any() { self.take_one() } else { None }
    }

    #[cold]
    fn take_one(&self) -> Option<Item> {
        self.change(Line::pop_front)
    }

    fn change<R>(&self, change: impl FnOnce(&mut Line<Item>) -> R) -> R {
        let mut line = self.line.lock();
        let result = change(&mut line);
        self.length.store(line.len(), Ordering::Relaxed);
        result
    }
}
