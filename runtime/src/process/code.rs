//! The code that a worker calls: the bridge between bytes and a body's types.

use std::marker::PhantomData;

use serde::Serialize;

use crate::cross::process::Arguments;
use crate::process::platform;
use crate::process::value::message::Message;
use crate::process::value::output::Output;
use crate::process::value::wire::{self, Reader, WireError};

/// Decodes the arguments, calls the body at the address, encodes what it returns.
pub(crate) type Invoke = unsafe fn(usize, Reader<'_>, &mut Output) -> Result<(), WireError>;

/// An [`Invoke`]. Each combination of types has its own, found by its address like the body itself.
///
/// # Safety
/// `body` must be the address of a `fn(B) -> T`.
unsafe fn invoke<A, B, T>(
    body: usize,
    arguments: Reader<'_>,
    output: &mut Output,
) -> Result<(), WireError>
where
    A: Arguments<B>,
    T: Serialize,
{
    // SAFETY: the caller's promise.
    let body = unsafe { std::mem::transmute::<usize, fn(B) -> T>(body) };
    let arguments = wire::decode(arguments)
        .map_err(|error| WireError::new(format!("its arguments: {error}")))?;
    let value = body(A::received(arguments));
    platform::end_forked_child();
    wire::encode(&value, output).map_err(|error| WireError::new(format!("its result: {error}")))
}

/// A function's code, without its argument types.
pub(crate) struct Code<T> {
    pub(crate) invoke: Invoke,
    pub(crate) body: usize,
    result: PhantomData<fn() -> T>,
}

impl<T: Serialize> Code<T> {
    pub(crate) fn new<A: Arguments<B>, B>(body: fn(B) -> T) -> Self {
        Self { invoke: invoke::<A, B, T>, body: body as usize, result: PhantomData }
    }
}

impl<T> Code<T> {
    /// Runs the body here.
    pub(crate) fn run(&self, message: &Message, output: &mut Output) -> Result<(), WireError> {
        // SAFETY: `invoke` and `body` were made from the same types in `new`.
        unsafe { (self.invoke)(self.body, message.bytes.reader(), output) }
    }
}

impl<T> Clone for Code<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Code<T> {}
