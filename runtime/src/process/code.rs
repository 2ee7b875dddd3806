//! The code that a worker calls: the bridge between bytes and a body's types.

#![allow(unsafe_code, reason = "functions known by their address")]

use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::pin;

use serde::Serialize;

use crate::cross::process::Arguments;
use crate::process::platform;
use crate::process::value::message::Message;
use crate::process::value::output::Output;
use crate::process::value::wire::{self, Reader, WireError};
use crate::wait;

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
    let (body, arguments) = unsafe { received::<A, B, T>(body, arguments)? };
    let value = body(arguments);
    platform::end_forked_child();
    wire::encode(&value, output).map_err(|error| WireError::new(format!("its result: {error}")))
}

type Body<B, T> = fn(B) -> T;

/// The body at the address, and its decoded arguments.
///
/// # Safety
/// `body` must be the address of a `fn(B) -> T`.
unsafe fn received<A: Arguments<B>, B, T>(
    body: usize,
    arguments: Reader<'_>,
) -> Result<(Body<B, T>, B), WireError> {
    // SAFETY: the caller's promise.
    let body = unsafe { std::mem::transmute::<usize, Body<B, T>>(body) };
    let arguments = wire::decode(arguments)
        .map_err(|error| WireError::new(format!("its arguments: {error}")))?;
    Ok((body, A::received(arguments)))
}

/// Where a body that yields puts its items.
pub(crate) trait Outlet {
    /// Sends an item that `encode` writes, when there is room; false if nothing more is wanted.
    fn put(
        &mut self,
        encode: &mut dyn FnMut(&mut Output) -> Result<(), WireError>,
    ) -> Result<bool, WireError>;
}

/// Decodes the arguments, calls the body at the address, sends what the iterator yields that it
/// returns. Whether that was all there is.
pub(crate) type InvokeStream =
    unsafe fn(usize, Reader<'_>, &mut dyn Outlet) -> Result<bool, WireError>;

/// An [`InvokeStream`].
///
/// # Safety
/// `body` must be the address of a `fn(B) -> I`.
unsafe fn invoke_stream<A, B, I>(
    body: usize,
    arguments: Reader<'_>,
    outlet: &mut dyn Outlet,
) -> Result<bool, WireError>
where
    A: Arguments<B>,
    I: Iterator<Item: Serialize>,
{
    // SAFETY: the caller's promise.
    let (body, arguments) = unsafe { received::<A, B, I>(body, arguments)? };
    for item in body(arguments) {
        platform::end_forked_child();
        if !put(outlet, &item)? {
            return Ok(false);
        }
    }
    platform::end_forked_child();
    Ok(true)
}

/// The same, where the body returns what is polled.
///
/// # Safety
/// `body` must be the address of a `fn(B) -> S`.
unsafe fn invoke_polled<A, B, S>(
    body: usize,
    arguments: Reader<'_>,
    outlet: &mut dyn Outlet,
) -> Result<bool, WireError>
where
    A: Arguments<B>,
    S: futures_core::Stream<Item: Serialize>,
{
    // SAFETY: the caller's promise.
    let (body, arguments) = unsafe { received::<A, B, S>(body, arguments)? };
    wait::block_on(async move {
        let mut items = pin!(body(arguments));
        while let Some(item) = poll_fn(|context| items.as_mut().poll_next(context)).await {
            platform::end_forked_child();
            if !put(outlet, &item)? {
                return Ok(false);
            }
        }
        platform::end_forked_child();
        Ok(true)
    })
}

fn put<T: Serialize>(outlet: &mut dyn Outlet, item: &T) -> Result<bool, WireError> {
    let sent = outlet.put(&mut |output| wire::encode(item, output));
    sent.map_err(|error| WireError::new(format!("an item: {error}")))
}

/// The code of a function that yields.
pub(crate) struct StreamCode {
    pub(crate) invoke: InvokeStream,
    pub(crate) body: usize,
}

impl StreamCode {
    pub(crate) fn new<A, B, I>(body: fn(B) -> I) -> Self
    where
        A: Arguments<B>,
        I: Iterator<Item: Serialize>,
    {
        Self { invoke: invoke_stream::<A, B, I>, body: body as usize }
    }

    pub(crate) fn polled<A, B, S>(body: fn(B) -> S) -> Self
    where
        A: Arguments<B>,
        S: futures_core::Stream<Item: Serialize>,
    {
        Self { invoke: invoke_polled::<A, B, S>, body: body as usize }
    }

    /// Runs the body here.
    pub(crate) fn run(
        &self,
        message: &Message,
        outlet: &mut dyn Outlet,
    ) -> Result<bool, WireError> {
        // SAFETY: `invoke` and `body` were made from the same types in `new`.
        unsafe { (self.invoke)(self.body, message.bytes.reader(), outlet) }
    }
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
