//! Where the value of a worker with state lives: a process that gets the calls of this value, and
//! no others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::link::Link;
use crate::sync::Lock;

/// Where one value lives, as often as it is made anew.
pub(crate) struct Residence {
    value: Value,
    place: Lock<Place>,
    /// A call has ended in the middle of a change.
    is_spoiled: AtomicBool,
}

/// Those of all copies.
pub(crate) type Residences = Arc<[Arc<Residence>]>;

/// What a worker with state calls its value, in whatever process a copy of that is.
#[derive(Clone, Copy)]
pub(crate) struct Value {
    pub(crate) number: u64,
    /// The value is kept in this process, where all its calls run inline.
    pub(crate) is_here: bool,
}

impl Value {
    pub(crate) fn new(is_here: bool) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // In a worker there is a value as well that its parent counted.
        let first = if is_here { 1 << 63 } else { 0 };
        Self { number: first | COUNT.fetch_add(1, Ordering::Relaxed), is_here }
    }
}

enum Place {
    Nowhere,
    Here,
    In(Arc<Link>),
}

/// What a call does to the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Makes,
    Uses,
    Drops,
}

impl Residence {
    pub(crate) fn new(value: Value) -> Arc<Self> {
        let (place, is_spoiled) = (Lock::new(Place::Nowhere), AtomicBool::new(false));
        Arc::new(Self { value, place, is_spoiled })
    }

    pub(crate) fn value(&self) -> Value {
        self.value
    }

    pub(crate) fn is_here(&self) -> bool {
        self.value.is_here
    }

    /// Whether there is no value, or one that nobody may look at.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_spoiled.load(Ordering::Acquire) || !self.is_occupied()
    }

    /// Whether there is a value to drop.
    pub(crate) fn is_occupied(&self) -> bool {
        match &*self.place.lock() {
            Place::Nowhere => false,
            Place::Here => true,
            Place::In(link) => !link.is_retired(),
        }
    }

    /// Has the value replaced, or the worker stopped, before the next call.
    pub(crate) fn spoil(&self) {
        self.is_spoiled.store(true, Ordering::Release);
    }

    /// The value is made in this process.
    pub(crate) fn settle_here(&self) {
        self.settle(Place::Here);
    }

    /// The value is made in the process at the end of this link.
    pub(super) fn settle_in(&self, link: &Arc<Link>) {
        self.settle(Place::In(Arc::clone(link)));
    }

    fn settle(&self, place: Place) {
        self.is_spoiled.store(false, Ordering::Release);
        let former = std::mem::replace(&mut *self.place.lock(), place);
        // Unlocked, since it may be the last to hold its link.
        drop(former);
    }

    /// There is no value any more. A process that is still there ends.
    pub(crate) fn vacate(&self) {
        let former = std::mem::replace(&mut *self.place.lock(), Place::Nowhere);
        if let Place::In(link) = former
            && !link.is_doomed()
        {
            link.kill();
        }
    }

    pub(super) fn link(&self) -> Option<Arc<Link>> {
        match &*self.place.lock() {
            Place::In(link) => Some(Arc::clone(link)),
            _ => None,
        }
    }
}
