//! Where the value of a worker is that lives in this program, between two calls.
//!
//! Whoever has the turn takes it out, so no lock is held while a method runs. A call that ends in
//! the middle of `&mut self`, by a panic or because its future is dropped, leaves a value behind
//! that nobody may look at: it is lost, and dropped by whatever is next.

use std::fmt::Display;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::panic::{self, drop_quietly};
use crate::sync::Lock;

/// What makes the value, each time anew; with the message of a failure.
pub(crate) type Maker<T> = Box<dyn FnMut() -> Result<T, String> + Send>;

pub(crate) struct Slot<T> {
    value: Lock<Option<Box<T>>>,
    maker: Lock<Option<Maker<T>>>,
    is_lost: AtomicBool,
}

impl<T> Slot<T> {
    pub(crate) fn new(maker: Maker<T>) -> Arc<Self> {
        let (value, maker) = (Lock::new(None), Lock::new(Some(maker)));
        Arc::new(Self { value, maker, is_lost: AtomicBool::new(false) })
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }

    /// Makes the value, in place of the one that there may be.
    pub(crate) fn make(&self, constructor: &'static str) -> Result<(), Arc<str>> {
        self.clear();
        let Some(mut maker) = self.maker.lock().take() else {
            return Err(failed(constructor, &"what it was made from is gone"));
        };
        let made = panic::catch(constructor, &mut maker);
        *self.maker.lock() = Some(maker);
        let message = match made {
            Ok(Ok(value)) => {
                self.is_lost.store(false, Ordering::Release);
                *self.value.lock() = Some(Box::new(value));
                return Ok(());
            }
            Ok(Err(message)) => failed(constructor, &message),
            Err(error) => failed(constructor, &error),
        };
        Err(message)
    }

    /// Drops the value.
    pub(crate) fn clear(&self) {
        let value = self.value.lock().take();
        drop_quietly(value);
    }

    /// Drops the value, and what it was made from.
    pub(crate) fn clear_for_good(&self) {
        self.clear();
        let maker = self.maker.lock().take();
        drop_quietly(maker);
    }

    /// The value, for whoever has the turn.
    pub(crate) fn hold(self: &Arc<Self>, is_changed: bool) -> Held<T> {
        let value = self.value.lock().take();
        let value = Some(value.expect("a call has its turn only while there is a value"));
        Held { slot: Arc::clone(self), value, is_whole: !is_changed }
    }
}

/// What callers are told of a constructor that failed.
pub(crate) fn failed(constructor: &str, why: &dyn Display) -> Arc<str> {
    format!("the constructor `{constructor}` of its worker failed: {why}").into()
}

/// The value of a worker, lent to one call.
pub struct Held<T> {
    slot: Arc<Slot<T>>,
    value: Option<Box<T>>,
    /// Whether it may be used again if the call ends here.
    is_whole: bool,
}

impl<T> Held<T> {
    /// The call has ended as it should.
    pub(crate) fn give_back(mut self) {
        self.is_whole = true;
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        if !self.is_whole {
            self.slot.is_lost.store(true, Ordering::Release);
        }
        let value = self.value.take();
        let none = mem::replace(&mut *self.slot.value.lock(), value);
        debug_assert!(none.is_none(), "one call at a time has the value");
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_deref().expect("it is there until it is dropped")
    }
}

impl<T> DerefMut for Held<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_deref_mut().expect("it is there until it is dropped")
    }
}
