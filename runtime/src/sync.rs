//! Locks without poisoning, and the primitives of the lock-free protocols.
//!
//! A panic under one of this crate's locks is caught where it matters and leaves nothing half done,
//! so poisoning would only add a case that nobody can handle. Under `--cfg trine_loom`, loom's
//! versions replace the primitives that the models check: atomics, cells, [`Mutex`] and
//! [`Condvar`]. Code that no model covers uses [`Lock`], which works in a static.

use std::sync::{PoisonError, TryLockError};
use std::time::{Duration, Instant};

use crate::forks;

#[cfg(not(trine_loom))]
pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering, fence,
    };
}

#[cfg(trine_loom)]
pub(crate) mod atomic {
    pub(crate) use loom::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering, fence,
    };
}

#[cfg(trine_loom)]
pub(crate) use loom::cell::UnsafeCell;
#[cfg(trine_loom)]
pub(crate) use loom::sync::MutexGuard;
#[cfg(trine_loom)]
pub(crate) use loom::thread::{Builder as ThreadBuilder, yield_now};
#[cfg(trine_loom)]
pub(crate) use modelled::{Condvar, Mutex};
#[cfg(not(trine_loom))]
pub(crate) use std::thread::{Builder as ThreadBuilder, yield_now};
#[cfg(not(trine_loom))]
pub(crate) use std::thread_local;

/// Thread-locals of a model's threads, with the syntax of `std`.
#[cfg(trine_loom)]
macro_rules! modelled_locals {
    ($(static $name:ident: $type:ty = const { $value:expr };)*) => {
        loom::thread_local! { $(static $name: $type = $value;)* }
    };
}
#[cfg(trine_loom)]
pub(crate) use modelled_locals as thread_local;

/// Statics, which a model makes anew for each interleaving.
macro_rules! statics {
    ($($(#[$about:meta])* static $name:ident: $type:ty = $value:expr;)*) => {
        $(
            #[cfg(not(trine_loom))]
            $(#[$about])* static $name: $type = $value;
            #[cfg(trine_loom)]
            loom::lazy_static! { $(#[$about])* static ref $name: $type = $value; }
        )*
    };
}
pub(crate) use statics;

/// The lock for protocols that have a model.
#[cfg(not(trine_loom))]
pub(crate) type Mutex<T> = Lock<T>;
#[cfg(not(trine_loom))]
pub(crate) type MutexGuard<'a, T> = Guard<'a, T>;
#[cfg(not(trine_loom))]
pub(crate) type Condvar = Signal;

/// The guard of a [`Lock`].
pub(crate) type Guard<'a, T> = std::sync::MutexGuard<'a, T>;

/// How long a thread of a forked child waits for a lock, which nobody holds for more than a few
/// instructions.
const MAX_WAIT_IN_CHILD: Duration = Duration::from_secs(1);

/// A mutex without poisoning.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(std::sync::Mutex<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.try_lock().unwrap_or_else(|| self.wait())
    }

    #[cold]
    fn wait(&self) -> Guard<'_, T> {
        if !forks::is_child() {
            return self.0.lock().unwrap_or_else(PoisonError::into_inner);
        }
        // Another thread here has it, for a moment, or one of the parent had it at the fork.
        let until = Instant::now() + MAX_WAIT_IN_CHILD;
        while Instant::now() < until {
            if let Some(guard) = self.try_lock() {
                return guard;
            }
            std::thread::yield_now();
        }
        panic!("this process was forked while a thread of its parent was changing what it needs");
    }

    /// `None` if it is held.
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

    /// Waits with a timeout.
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
}

/// loom's primitives with the same interface.
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

/// `std`'s cell with loom's interface, which lets loom track each access.
#[cfg(not(trine_loom))]
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(trine_loom))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    #[cfg(feature = "threads")]
    #[inline]
    pub(crate) fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
        access(self.0.get())
    }

    #[inline]
    pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        access(self.0.get())
    }
}
