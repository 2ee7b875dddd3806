//! The engine of `#[concurrent(async)]`: tasks on tokio.
//!
//! A task runs on the tokio runtime that is current at the call, or else on one that trine starts
//! on first use. tokio owns the future; the cell beside it makes the handle the same as in the
//! other modes, so it can be joined from plain code and awaited in any executor.

use std::future::Future;
use std::io;
use std::sync::Arc;

use ::tokio::runtime::Handle;

use crate::cross::{Answer, Arguments, RepeatableArguments};
use crate::error::Error;
use crate::function::Function;
use crate::retry::{self, Retry};
use crate::scope::{self, Scope, ScopedFuture, ScopedTask};
use crate::task::Task;
use crate::{panic, sequential, stream, tokio, wait};

mod call;
mod deadline;
mod host;
#[allow(unsafe_code, reason = "a body that lies in its call")]
mod running;
mod stateful;
mod stoppable;

use call::{AsyncCall, refused};
pub use stateful::{call, call_mut, call_retrying, call_stream, call_stream_mut, worker};

/// Starts `body` on tokio; what `#[concurrent(async)]` expands to.
///
/// ```
/// static FUNCTION: trine::Function = trine::Function::new("double");
/// let task = trine::asynchronous::spawn(&FUNCTION, (21,), |(number,): (u32,)| async move {
///     number * 2
/// });
/// assert_eq!(task.join()?, 42);
/// # Ok::<(), trine::Error>(())
/// ```
///
/// If there is no current runtime and trine's own cannot be started, the task ends with an error
/// that says so.
pub fn spawn<A, B, T, F>(function: &'static Function, arguments: A, body: fn(B) -> F) -> Task<T>
where
    A: Arguments<B> + 'static,
    B: 'static,
    T: 'static,
    F: Answer<Output = T> + Send + 'static,
{
    match tokio::ambient() {
        Ok(runtime) => spawn_on(runtime, function, (arguments, body), apply),
        Err(refusal) => refused(function, &refusal),
    }
}

fn apply<A: Arguments<B>, B, F>((arguments, body): (A, fn(B) -> F)) -> F {
    body(arguments.values())
}

fn spawn_on<A, T, F>(
    runtime: Handle,
    function: &'static Function,
    arguments: A,
    body: fn(A) -> F,
) -> Task<T>
where
    A: Send + 'static,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    if sequential::is_on() {
        let result = panic::catch(function.name(), || wait::block_on(body(arguments)));
        return sequential::done(function.name(), result);
    }
    if let Some(refusal) = Error::if_forked(function.name()) {
        return sequential::done(function.name(), Err(refusal));
    }
    AsyncCall::start(&runtime, function, arguments, body)
}

/// Starts `body` on tokio, and gives the items of the stream that it returns; what
/// `#[concurrent(async)]` expands to where that is `impl Stream`.
///
/// ```
/// use futures_util::stream;
///
/// static FUNCTION: trine::Function = trine::Function::new("count");
/// let body = |(most,): (u32,)| stream::iter(0..most);
/// let stream = trine::asynchronous::stream_polled(&FUNCTION, (3,), body);
/// assert_eq!(stream.gather().join()?, [0, 1, 2]);
/// # Ok::<(), trine::Error>(())
/// ```
pub fn stream_polled<A, B, S, T>(
    function: &'static Function,
    arguments: A,
    body: fn(B) -> S,
) -> stream::Stream<T>
where
    A: Arguments<B> + 'static,
    B: 'static,
    S: futures_core::Stream<Item = T> + Send + 'static,
    T: Send + 'static,
{
    let flow = stream::flow(function);
    let task = match tokio::ambient() {
        Ok(runtime) => {
            let job = (arguments, body, Arc::clone(&flow), function);
            spawn_on(runtime, function, job, |(arguments, body, flow, function)| {
                stream::drive_polled(function, flow, move || body(arguments.values()))
            })
        }
        Err(refusal) => refused(function, &refusal),
    };
    stream::Stream::new(flow, task, stream::as_they_are)
}

/// The same for a function with `retries`; `again` says which outcomes are tried again.
pub fn spawn_retrying<A, B, T, F>(
    function: &'static Function,
    arguments: A,
    body: fn(B) -> F,
    again: Retry<T>,
) -> Task<T>
where
    A: RepeatableArguments<B> + 'static,
    B: 'static,
    T: 'static,
    F: Answer<Output = T> + Send + 'static,
{
    let runtime = match tokio::ambient() {
        Ok(runtime) => runtime,
        Err(refusal) => return refused(function, &refusal),
    };
    let clock = tokio::hold_clock_beside(&runtime);
    let start = move |arguments| spawn_on(runtime.clone(), function, (arguments, body), apply);
    retry::spawn(function, clock, arguments, start, move |outcome| again.wants(outcome))
}

/// The same for a function with `scoped`, whose arguments and value may borrow.
///
/// From a current-thread runtime it runs on trine's own, since the end of the scope blocks the
/// thread that the current one needs.
pub fn spawn_scoped<'scope, A, B, T, F>(
    scope: &'scope Scope<'scope, '_>,
    function: &'static Function,
    arguments: A,
    body: fn(B) -> F,
) -> ScopedTask<'scope, T>
where
    A: Arguments<B> + 'scope,
    B: 'scope,
    T: 'scope,
    F: Answer<Output = T> + Send + 'scope,
{
    let start = |job: ScopedFuture| start_elsewhere(&tokio::multi_thread(), function, job);
    scope::launch_future(scope, function, move || body(arguments.values()), start)
}

/// The same for a function with both `scoped` and `retries`.
pub fn spawn_scoped_retrying<'scope, A, B, T, F>(
    scope: &'scope Scope<'scope, '_>,
    function: &'static Function,
    arguments: A,
    body: fn(B) -> F,
    again: Retry<T>,
) -> ScopedTask<'scope, T>
where
    A: RepeatableArguments<B> + 'scope,
    B: 'scope,
    T: 'scope,
    F: Answer<Output = T> + Send + 'scope,
{
    let runtime = tokio::multi_thread();
    let start = move |job: ScopedFuture| start_elsewhere(&runtime, function, job);
    scope::launch_retrying_future(scope, function, (arguments, body), apply, again, start)
}

fn start_elsewhere(
    runtime: &io::Result<Handle>,
    function: &'static Function,
    job: ScopedFuture,
) -> Task<bool> {
    match runtime {
        Ok(runtime) => spawn_on(runtime.clone(), function, job, |job| job),
        Err(refusal) => refused(function, refusal),
    }
}
