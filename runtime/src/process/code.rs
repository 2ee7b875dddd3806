//! The code that a worker calls: the bridge between bytes and a body's types.

#![allow(unsafe_code, reason = "functions known by their address")]

use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::pin;
use std::{mem, ptr};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cross::process::Arguments;
use crate::error::Error;
use crate::process::job::codec_error;
use crate::process::platform;
use crate::process::value::files;
use crate::process::value::message::Message;
use crate::process::value::output::Output;
use crate::process::value::wire::{self, Reader, WireError};
use crate::{panic, wait};

pub(crate) mod method;
mod stateful;

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
    finish(&body(arguments), output)
}

/// Encodes what a body has returned, unless that was in a child that it has forked.
fn finish<T: Serialize>(result: &T, output: &mut Output) -> Result<(), WireError> {
    platform::end_forked_child(0);
    wire::encode(result, output).map_err(|error| WireError::new(format!("its result: {error}")))
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
    let body = unsafe { body_at(body) };
    Ok((body, A::received(decode(arguments)?)))
}

/// The body at the address.
///
/// # Safety
/// It must be the address of a `fn(B) -> T`.
unsafe fn body_at<B, T>(body: usize) -> Body<B, T> {
    // SAFETY: the caller's promise.
    unsafe { mem::transmute::<*const (), Body<B, T>>(ptr::with_exposed_provenance(body)) }
}

fn decode<T: DeserializeOwned>(arguments: Reader<'_>) -> Result<T, WireError> {
    wire::decode(arguments).map_err(|error| WireError::new(format!("its arguments: {error}")))
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
        if !put(outlet, &item)? {
            return Ok(false);
        }
    }
    platform::end_forked_child(0);
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
            if !put(outlet, &item)? {
                return Ok(false);
            }
        }
        platform::end_forked_child(0);
        Ok(true)
    })
}

fn put<T: Serialize>(outlet: &mut dyn Outlet, item: &T) -> Result<bool, WireError> {
    platform::end_forked_child(0);
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
        // SAFETY: `invoke` and `body` were made from the same types.
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
    /// The addresses of what calls the body and of the body.
    pub(crate) fn at(&self) -> (usize, usize) {
        (self.invoke as usize, self.body)
    }

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

/// Runs a body here, with the same encoding as in a worker.
pub(crate) fn round_trip<T>(
    function: &'static str,
    message: &Message,
    code: Code<T>,
) -> Result<T, Error>
where
    T: DeserializeOwned,
{
    let codec = |error: WireError| codec_error(function, &error.to_string());
    let supplied = |files: &[files::File]| files::duplicate(files).map_err(codec);
    let files = supplied(&message.files)?;
    let result = panic::catch(function, || {
        files::supply(files, || Message::encoded_by(|output| code.run(message, output)))
    });
    let result = result?.map_err(codec)?;
    let files = supplied(&result.files)?;
    panic::catch(function, || files::supply(files, || wire::decode(result.bytes.reader())))?
        .map_err(codec)
}
