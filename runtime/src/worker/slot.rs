//! Where the value of a worker is that lives in this program, between two calls.
//!
//! Whoever has the turn takes it out, so no lock is held while a method runs. A call that ends in
//! the middle of `&mut self`, by a panic or because its future is dropped, leaves a value behind
//! that nobody may look at: it is lost, and dropped by whatever is next.

use std::fmt::Display;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{iter, mem};

use super::how_many;
use crate::function::Function;
use crate::panic::{self, drop_quietly};
use crate::sync::Lock;

/// What a value is made by, as often as it is made anew; or what calls are told if that is gone.
pub(crate) struct Kept<M>(Lock<Result<M, Arc<str>>>);

impl<M> Kept<M> {
    /// One for each copy of a worker, with arguments of its own.
    pub(crate) fn each<A: Clone>(
        constructor: &'static Function,
        arguments: A,
        maker: impl Fn(A) -> M,
    ) -> impl Iterator<Item = Arc<Self>> {
        let name = constructor.name();
        let copy = |_| panic::catch(name, || arguments.clone());
        let further = (1..how_many(constructor)).map(copy);
        let further = further.map(|copied| copied.map_err(|error| failed(name, &error)));
        let further: Vec<_> = further.collect();
        let all = iter::once(Ok(arguments)).chain(further);
        all.map(move |arguments| Arc::new(Self(Lock::new(arguments.map(&maker)))))
    }

    /// Runs it, without the lock; or what calls are told.
    pub(crate) fn run<R>(
        &self,
        constructor: &'static str,
        run: impl FnOnce(&mut M) -> R,
    ) -> Result<R, Arc<str>> {
        let mut maker = self.take(constructor)?;
        let ran = panic::catch(constructor, || run(&mut maker));
        *self.0.lock() = Ok(maker);
        ran.map_err(|error| failed(constructor, &error))
    }

    pub(crate) fn clear(&self, constructor: &'static str) {
        let maker = self.take(constructor);
        drop_quietly(maker);
    }

    fn take(&self, constructor: &'static str) -> Result<M, Arc<str>> {
        let mut kept = self.0.lock();
        let left = match &*kept {
            Ok(_) => failed(constructor, &"what it was made from is gone"),
            Err(why) => Arc::clone(why),
        };
        mem::replace(&mut *kept, Err(left))
    }
}

impl<M> Drop for Kept<M> {
    /// Where nothing cleared it, as where its runtime has gone. Others go in the same breath.
    fn drop(&mut self) {
        let left = Err(Arc::default());
        drop_quietly(mem::replace(&mut *self.0.lock(), left));
    }
}

/// Those of all copies.
pub(crate) type Slots<T> = Box<[Arc<Slot<T>>]>;

pub(crate) struct Slot<T> {
    value: Lock<Option<Box<T>>>,
    is_lost: AtomicBool,
    /// The call that has it waits between two items, so that it may end there.
    is_at_rest: AtomicBool,
}

/// Where a call that yields says that it waits for its reader.
#[cfg(feature = "async")]
pub(crate) trait Rests: Send + Sync {
    fn is_at_rest(&self, is_at_rest: bool);
}

#[cfg(feature = "async")]
impl<T: Send> Rests for Slot<T> {
    fn is_at_rest(&self, is_at_rest: bool) {
        // Read where the call is dropped, by whoever has it.
        self.is_at_rest.store(is_at_rest, Ordering::Relaxed);
    }
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Arc<Self> {
        let (is_lost, is_at_rest) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { value: Lock::new(None), is_lost, is_at_rest })
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }

    /// There is a value from now on.
    pub(crate) fn put(&self, value: T) {
        self.is_lost.store(false, Ordering::Release);
        *self.value.lock() = Some(Box::new(value));
    }

    /// Drops the value.
    pub(crate) fn clear(&self) {
        let value = self.value.lock().take();
        drop_quietly(value);
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

impl<T> Drop for Slot<T> {
    /// As above.
    fn drop(&mut self) {
        self.clear();
    }
}

impl<T> Held<T> {
    /// The call has ended as it should.
    pub(crate) fn give_back(mut self) {
        self.is_whole = true;
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        let is_at_rest = self.slot.is_at_rest.swap(false, Ordering::Relaxed);
        if !self.is_whole && !is_at_rest {
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
