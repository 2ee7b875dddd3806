//! Locks that cannot be poisoned, and the parts of the lock-free protocols.
//!
//! A panic under a lock of this crate is caught where it would matter and leaves nothing half done,
//! so poisoning would only add a case that nobody can handle. Under `--cfg trine_loom` loom's model
//! checker puts its own parts in the place of those that the models look at: atomics, cells,
//! [`Mutex`] and [`Condvar`]. What no model looks at uses [`Lock`], which a static may hold.

use std::sync::{PoisonError, TryLockError};
use std::time::Duration;

#[cfg(not(trine_loom))]
pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
}

#[cfg(trine_loom)]
pub(crate) mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
}

#[cfg(trine_loom)]
pub(crate) use loom::cell::UnsafeCell;
#[cfg(trine_loom)]
pub(crate) use loom::sync::MutexGuard;
#[cfg(trine_loom)]
pub(crate) use loom::thread::yield_now;
#[cfg(trine_loom)]
pub(crate) use modelled::{Condvar, Mutex};
#[cfg(not(trine_loom))]
pub(crate) use std::thread::yield_now;
#[cfg(not(trine_loom))]
pub(crate) use std::thread_local;

/// Values of each thread of a model, in the words of `std`.
#[cfg(trine_loom)]
macro_rules! modelled_locals {
    ($(static $name:ident: $type:ty = const { $value:expr };)*) => {
        loom::thread_local! { $(static $name: $type = $value;)* }
    };
}
#[cfg(trine_loom)]
pub(crate) use modelled_locals as thread_local;

/// The lock of a protocol that is modelled.
#[cfg(not(trine_loom))]
pub(crate) type Mutex<T> = Lock<T>;
#[cfg(not(trine_loom))]
pub(crate) type MutexGuard<'a, T> = Guard<'a, T>;
#[cfg(not(trine_loom))]
pub(crate) type Condvar = Signal;

/// What a [`Lock`] gives for as long as it is held.
pub(crate) type Guard<'a, T> = std::sync::MutexGuard<'a, T>;

/// A mutex without poisoning.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(std::sync::Mutex<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing if somebody holds it.
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A condition variable for a [`Lock`].
#[derive(Debug, Default)]
pub(crate) struct Signal(std::sync::Condvar);

impl Signal {
    pub(crate) const fn new() -> Self {
        Self(std::sync::Condvar::new())
    }

    pub(crate) fn wait<'a, T>(&self, guard: Guard<'a, T>) -> Guard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits that long at most.
    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: Guard<'a, T>,
        at_most: Duration,
    ) -> Guard<'a, T> {
        self.0.wait_timeout(guard, at_most).unwrap_or_else(PoisonError::into_inner).0
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// loom's parts with the same interface.
#[cfg(trine_loom)]
mod modelled {
    use loom::sync::MutexGuard;

    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("a panic ends the model")
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }
    }

    #[derive(Debug)]
    pub(crate) struct Condvar(loom::sync::Condvar);

    impl Condvar {
        pub(crate) fn new() -> Self {
            Self(loom::sync::Condvar::new())
        }

        pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(guard).expect("a panic ends the model")
        }

        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }
    }
}

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
