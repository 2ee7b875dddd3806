//! The code of methods: a worker calls the method itself, which runs its body where it is called.
//!
//! A closure around the body of a method has captured `self`, and cannot be sent to a worker. So
//! what is sent calls the method, as its caller has. Right before that the worker notes which
//! function has a call that is due on this thread. The method takes that note when it is entered,
//! and only then runs its body in place; every other call of it starts a task, also one in its own
//! body. The note is the address of the function's static, and travels as its distance from the
//! code that is sent, which lies in the same image. It is compared and nothing else.

#![allow(unsafe_code, reason = "functions known by their address, and an outlet lent to a method")]

use std::cell::{Cell, RefCell};
use std::mem;
use std::process::abort;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Code, Outlet, StreamCode, body_at, decode, finish, put};
use crate::cross::process::Arguments;
use crate::error::Error;
use crate::function::Function;
use crate::process::platform;
use crate::process::value::output::Output;
use crate::process::value::wire::{Reader, WireError};
use crate::stream::Stream;
use crate::task::Task;

thread_local! {
    /// The address of the function whose call is due; 0 if there is none.
    static DUE: Cell<usize> = const { Cell::new(0) };
    /// Where that call puts its items, if it yields.
    static LENT: RefCell<Option<Rc<Lent>>> = const { RefCell::new(None) };
}

/// What a method returns that has run its body in place.
pub(crate) trait Ended {
    type Value;

    fn value(self) -> Result<Self::Value, Error>;
}

impl<T> Ended for Task<T> {
    type Value = T;

    fn value(self) -> Result<T, Error> {
        // Usually it has ended.
        self.try_take().unwrap_or_else(|| self.join())
    }
}

impl<T> Ended for Result<T, Error> {
    type Value = T;

    fn value(self) -> Self {
        self
    }
}

/// The distance of a function's static from the code that is sent for it.
pub(crate) fn distance(function: &'static Function, body: usize) -> i64 {
    ptr::from_ref(function).addr().wrapping_sub(body) as i64
}

/// Whether a call of this function is due, which then is not any more; and where its items go.
pub(crate) fn take(function: &'static Function) -> Option<Option<Rc<Lent>>> {
    if DUE.get() != ptr::from_ref(function).addr() {
        return None;
    }
    DUE.set(0);
    Some(LENT.try_with(RefCell::take).unwrap_or_default())
}

/// An [`Invoke`](super::Invoke) of a method.
///
/// # Safety
/// `body` must be the address of a `fn(B) -> R`.
unsafe fn invoke<A, B, R>(
    body: usize,
    arguments: Reader<'_>,
    output: &mut Output,
) -> Result<(), WireError>
where
    A: Arguments<B>,
    R: Ended<Value: Serialize>,
{
    let (distance, arguments) = decode::<(i64, A::Received)>(arguments)?;
    // SAFETY: the caller's promise.
    let enter = unsafe { body_at::<B, R>(body) };
    let ended = call(body, distance, None, || enter(A::received(arguments)))?;
    let value = ended.value().map_err(|error| WireError::new(error.to_string()))?;
    finish(&value, output)
}

/// An [`InvokeStream`](super::InvokeStream) of a method.
///
/// # Safety
/// `body` must be the address of a `fn(B) -> Stream<T>`.
unsafe fn invoke_stream<A, B, T>(
    body: usize,
    arguments: Reader<'_>,
    outlet: &mut dyn Outlet,
) -> Result<bool, WireError>
where
    A: Arguments<B>,
{
    let (distance, arguments) = decode::<(i64, A::Received)>(arguments)?;
    // SAFETY: the caller's promise.
    let enter = unsafe { body_at::<B, Stream<T>>(body) };
    let lent = Rc::new(Lent::new(outlet));
    let back = Back(&lent);
    drop(call(body, distance, Some(Rc::clone(&lent)), || enter(A::received(arguments)))?);
    drop(back);
    platform::end_forked_child(0);
    lent.ended.take().unwrap_or_else(|| Err(not_entered()))
}

/// Calls a method for the call that is due.
fn call<R>(
    body: usize,
    distance: i64,
    lent: Option<Rc<Lent>>,
    enter: impl FnOnce() -> R,
) -> Result<R, WireError> {
    struct Restore(usize, Option<Rc<Lent>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            DUE.set(self.0);
            _ = LENT.try_with(|lent| lent.replace(self.1.take()));
        }
    }
    let due = body.wrapping_add(distance as usize);
    let before = LENT.try_with(|slot| slot.replace(lent)).unwrap_or_default();
    let restore = Restore(DUE.replace(due), before);
    let returned = enter();
    let is_entered = DUE.get() != due;
    drop(restore);
    if is_entered { Ok(returned) } else { Err(not_entered()) }
}

fn not_entered() -> WireError {
    let why = "a method of the same name hides it from the worker: name one of the two otherwise";
    WireError::new(why.to_owned())
}

/// An outlet that is lent to a method for the time of its call.
pub(crate) struct Lent {
    /// `None` while an item is put out, and after the call.
    outlet: Cell<Option<NonNull<dyn Outlet>>>,
    /// Whether it has put out all.
    ended: Cell<Option<Result<bool, WireError>>>,
}

impl Lent {
    fn new(outlet: &mut dyn Outlet) -> Self {
        let outlet = NonNull::from(outlet);
        // SAFETY: only the lifetime differs. `Back` takes the pointer away before that ends.
        let outlet =
            unsafe { mem::transmute::<NonNull<dyn Outlet + '_>, NonNull<dyn Outlet>>(outlet) };
        Self { outlet: Cell::new(Some(outlet)), ended: Cell::new(None) }
    }

    /// Puts out an item; false if no more is wanted.
    fn put<T: Serialize>(&self, item: &T) -> Result<bool, WireError> {
        struct Return<'a>(&'a Lent, NonNull<dyn Outlet>);
        impl Drop for Return<'_> {
            fn drop(&mut self) {
                self.0.outlet.set(Some(self.1));
            }
        }
        let Some(outlet) = self.outlet.take() else { return Ok(false) };
        let mut lent = Return(self, outlet);
        // SAFETY: while it is taken out here, nobody else has it, and `Back` does not let the call
        // end.
        put(unsafe { lent.1.as_mut() }, item)
    }

    /// Has `all` put out all items.
    pub(crate) fn fill<T: Serialize>(&self, all: impl FnOnce(&mut dyn FnMut(T) -> bool) -> bool) {
        let mut failure = None;
        let is_all = all(&mut |item| match self.put(&item) {
            Ok(goes_on) => goes_on,
            Err(error) => {
                failure = Some(error);
                false
            }
        });
        self.ended.set(Some(failure.map_or(Ok(is_all), Err)));
    }
}

/// Takes the outlet back at the end of the call.
struct Back<'a>(&'a Lent);

impl Drop for Back<'_> {
    fn drop(&mut self) {
        if self.0.outlet.take().is_none() {
            eprintln!("trine: a method ends whose item is put out, in a coroutine");
            abort();
        }
    }
}

impl<T: Serialize> Code<T> {
    /// Of a method.
    pub(crate) fn method<A: Arguments<B>, B, R: Ended<Value = T>>(body: fn(B) -> R) -> Self {
        Self { invoke: invoke::<A, B, R>, body: body as usize, result: std::marker::PhantomData }
    }
}

impl StreamCode {
    /// Of a method.
    pub(crate) fn method<A: Arguments<B>, B, T>(body: fn(B) -> Stream<T>) -> Self
    where
        T: Serialize + DeserializeOwned,
    {
        Self { invoke: invoke_stream::<A, B, T>, body: body as usize }
    }
}
