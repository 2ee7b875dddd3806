//! The atomics and cells of the lock-free protocols, which loom's model checker replaces by its own
//! under `--cfg trine_loom`.

#[cfg(not(trine_loom))]
pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
}

#[cfg(trine_loom)]
pub(crate) mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
}

#[cfg(trine_loom)]
pub(crate) use loom::cell::UnsafeCell;
#[cfg(trine_loom)]
pub(crate) use loom::sync::{Condvar, Mutex};
#[cfg(trine_loom)]
pub(crate) use loom::thread::yield_now;
#[cfg(not(trine_loom))]
pub(crate) use std::sync::{Condvar, Mutex};
#[cfg(not(trine_loom))]
pub(crate) use std::thread::yield_now;

/// `std`'s cell with loom's interface, under which loom sees who accesses what when.
#[cfg(not(trine_loom))]
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(trine_loom))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        access(self.0.get())
    }
}
