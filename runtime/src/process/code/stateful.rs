//! The code of workers with state: it makes a value, and lends it to the methods.

#![allow(unsafe_code, reason = "functions known by their address")]

use std::marker::PhantomData;
use std::{mem, ptr};

use serde::Serialize;

use super::{Code, Outlet, StreamCode, body_at, decode, finish, put};
use crate::cross::process::Arguments;
use crate::process::platform;
use crate::process::value::kept;
use crate::process::value::output::Output;
use crate::process::value::wire::{self, Reader, WireError};
use crate::worker::{Constructed, Outlet as Puts};

/// An [`Invoke`](super::Invoke) of a constructor: keeps the value that it makes, and tells whether
/// it did.
///
/// # Safety
/// `body` must be the address of a `fn(B) -> M`.
unsafe fn make<A, B, T, M>(
    body: usize,
    arguments: Reader<'_>,
    output: &mut Output,
) -> Result<(), WireError>
where
    A: Arguments<B>,
    T: Send + 'static,
    M: Constructed<T>,
{
    // SAFETY: the caller's promise.
    let body = unsafe { body_at::<B, M>(body) };
    let (number, arguments) = method::<A, B>(arguments)?;
    let made = body(arguments).constructed();
    platform::end_forked_child(0);
    wire::encode(&made.map(|value| kept::put(number, Box::new(value))), output)
}

/// An [`Invoke`](super::Invoke) of a method with `&self`.
///
/// # Safety
/// `body` must be the address of a `fn(&T, B) -> R`.
unsafe fn look<T, A, B, R>(
    body: usize,
    arguments: Reader<'_>,
    output: &mut Output,
) -> Result<(), WireError>
where
    T: 'static,
    A: Arguments<B>,
    R: Serialize,
{
    // SAFETY: the caller's promise.
    let body =
        unsafe { mem::transmute::<*const (), fn(&T, B) -> R>(ptr::with_exposed_provenance(body)) };
    run_on::<T, A, B, R>(arguments, output, |value, arguments| body(value, arguments))
}

/// The same with `&mut self`.
///
/// # Safety
/// `body` must be the address of a `fn(&mut T, B) -> R`.
unsafe fn change<T, A, B, R>(
    body: usize,
    arguments: Reader<'_>,
    output: &mut Output,
) -> Result<(), WireError>
where
    T: 'static,
    A: Arguments<B>,
    R: Serialize,
{
    // SAFETY: the caller's promise.
    let body = unsafe {
        mem::transmute::<*const (), fn(&mut T, B) -> R>(ptr::with_exposed_provenance(body))
    };
    run_on::<T, A, B, R>(arguments, output, body)
}

/// Runs a method on the value that the arguments name.
fn run_on<T, A, B, R>(
    arguments: Reader<'_>,
    output: &mut Output,
    run: impl FnOnce(&mut T, B) -> R,
) -> Result<(), WireError>
where
    T: 'static,
    A: Arguments<B>,
    R: Serialize,
{
    let (number, arguments) = method::<A, B>(arguments)?;
    finish(&kept::lend(number, |value| run(value, arguments))?, output)
}

/// The number of the value, and the decoded arguments.
fn method<A: Arguments<B>, B>(arguments: Reader<'_>) -> Result<(u64, B), WireError> {
    let (number, arguments) = decode::<(u64, A::Received)>(arguments)?;
    Ok((number, A::received(arguments)))
}

impl Code<Result<(), String>> {
    /// Of a constructor.
    pub(crate) fn make<A, B, T, M>(body: fn(B) -> M) -> Self
    where
        A: Arguments<B>,
        T: Send + 'static,
        M: Constructed<T>,
    {
        Self { invoke: make::<A, B, T, M>, body: body as usize, result: PhantomData }
    }
}

impl<R: Serialize> Code<R> {
    /// Of a method with `&self`.
    pub(crate) fn look<T: 'static, A: Arguments<B>, B>(body: fn(&T, B) -> R) -> Self {
        Self { invoke: look::<T, A, B, R>, body: body as usize, result: PhantomData }
    }

    /// Of a method with `&mut self`.
    pub(crate) fn change<T: 'static, A: Arguments<B>, B>(body: fn(&mut T, B) -> R) -> Self {
        Self { invoke: change::<T, A, B, R>, body: body as usize, result: PhantomData }
    }
}

/// An [`InvokeStream`](super::InvokeStream) of a method with `&self`.
///
/// # Safety
/// `body` must be the address of a `fn(&T, B, Puts<'_, R>) -> bool`.
unsafe fn look_through<T, A, B, R>(
    body: usize,
    arguments: Reader<'_>,
    outlet: &mut dyn Outlet,
) -> Result<bool, WireError>
where
    T: 'static,
    A: Arguments<B>,
    R: Serialize,
{
    // SAFETY: the caller's promise.
    let body = unsafe {
        mem::transmute::<*const (), fn(&T, B, Puts<'_, R>) -> bool>(ptr::with_exposed_provenance(
            body,
        ))
    };
    yield_on::<T, A, B, R>(arguments, outlet, |value, arguments, puts| body(value, arguments, puts))
}

/// The same with `&mut self`.
///
/// # Safety
/// `body` must be the address of a `fn(&mut T, B, Puts<'_, R>) -> bool`.
unsafe fn change_through<T, A, B, R>(
    body: usize,
    arguments: Reader<'_>,
    outlet: &mut dyn Outlet,
) -> Result<bool, WireError>
where
    T: 'static,
    A: Arguments<B>,
    R: Serialize,
{
    // SAFETY: the caller's promise.
    let body = unsafe {
        mem::transmute::<*const (), fn(&mut T, B, Puts<'_, R>) -> bool>(
            ptr::with_exposed_provenance(body),
        )
    };
    yield_on::<T, A, B, R>(arguments, outlet, body)
}

/// Runs a method that yields on the value that the arguments name.
fn yield_on<T, A, B, R>(
    arguments: Reader<'_>,
    outlet: &mut dyn Outlet,
    run: impl FnOnce(&mut T, B, Puts<'_, R>) -> bool,
) -> Result<bool, WireError>
where
    T: 'static,
    A: Arguments<B>,
    R: Serialize,
{
    let (number, arguments) = method::<A, B>(arguments)?;
    let mut failure = None;
    let mut put = |item: R| match put(outlet, &item) {
        Ok(goes_on) => goes_on,
        Err(error) => {
            failure = Some(error);
            false
        }
    };
    let is_all = kept::lend(number, |value| run(value, arguments, Puts::new(&mut put)))?;
    platform::end_forked_child(0);
    failure.map_or(Ok(is_all), Err)
}

impl StreamCode {
    /// Of a method with `&self`.
    pub(crate) fn look<T: 'static, A: Arguments<B>, B, R: Serialize>(
        body: fn(&T, B, Puts<'_, R>) -> bool,
    ) -> Self {
        Self { invoke: look_through::<T, A, B, R>, body: body as usize }
    }

    /// Of a method with `&mut self`.
    pub(crate) fn change<T: 'static, A: Arguments<B>, B, R: Serialize>(
        body: fn(&mut T, B, Puts<'_, R>) -> bool,
    ) -> Self {
        Self { invoke: change_through::<T, A, B, R>, body: body as usize }
    }
}
