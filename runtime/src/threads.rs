//! The engine of `#[concurrent(threads)]`: a work-stealing pool for both computing and waiting.
//!
//! There are as many *permits* as cores, and a worker runs only with one, so computing never
//! oversubscribes the machine. A worker that waits passes its permit to another: at once if the
//! wait goes through this crate ([`blocking`](crate::blocking), `join`), a few milliseconds later
//! if the monitor has to detect it, and from the start if the function is known to wait mostly.
//!
//! | file | owns |
//! | --- | --- |
//! | `seat` | what each thread shows to the others: its deque of tasks, its offered branch |
//! | `strays`, `ranked` | the tasks that are at no seat |
//! | `flags` | which seats may have something to take |
//! | `crew` | the permits, and who searches, sleeps and is woken |
//! | `post` | what the monitor sees of a worker, and how it revokes a permit |
//! | `pool`, `worker`, `spin` | the one pool, and the life of its threads |
//! | `monitor`, `probe`, `clock` | detecting waits, through the kernel |
//! | `shortage`, `standstill` | what to do if there are too few threads |
//! | `overflow` | what is said when a stack is too small |
//! | `join`, `latch` | fork-join on the stack |
//! | `call` | a task, as the pool and its handle see it |
//! | `stateful` | workers with state, whose calls are ordinary tasks in a line |

use std::sync::Arc;

use crate::cell::JobCell;
use crate::cross::{Arguments, RepeatableArguments};
use crate::error::Error;
use crate::function::Function;
use crate::retry::{self, Retry};
use crate::scope::{self, Scope, ScopedJob, ScopedTask};
use crate::task::Task;
use crate::{panic, sequential, stream, tokio, wait};

use call::ThreadCall;

mod call;
mod clock;
mod crew;
mod flags;
mod join;
mod latch;
#[cfg(all(test, trine_loom))]
mod model;
mod monitor;
#[cfg(target_os = "linux")]
mod overflow;
mod pool;
#[allow(unsafe_code, reason = "a pointer to a static, in an atomic")]
mod post;
mod probe;
mod ranked;
#[allow(
    unsafe_code,
    reason = "a list of seats that are never freed, and the owner's deque in each"
)]
mod seat;
mod shortage;
mod spin;
mod standstill;
mod stateful;
mod strays;
mod worker;

pub use join::join;
pub use stateful::{call, call_mut, call_retrying, call_stream, call_stream_mut, worker};

/// Starts `body` on the pool; what `#[concurrent(threads)]` expands to.
///
/// ```
/// static FUNCTION: trine::Function = trine::Function::new("double");
/// let task = trine::threads::spawn(&FUNCTION, (21,), |(number,): (u32,)| number * 2);
/// assert_eq!(task.join()?, 42);
/// # Ok::<(), trine::Error>(())
/// ```
pub fn spawn<A, B, T>(function: &'static Function, arguments: A, body: fn(B) -> T) -> Task<T>
where
    A: Arguments<B> + 'static,
    B: 'static,
    T: Send + 'static,
{
    start(function, (arguments, body), apply)
}

fn apply<A: Arguments<B>, B, T>((arguments, body): (A, fn(B) -> T)) -> T {
    body(arguments.values())
}

fn start<A, T>(function: &'static Function, arguments: A, body: fn(A) -> T) -> Task<T>
where
    A: Send + 'static,
    T: Send + 'static,
{
    if sequential::is_on() {
        let result = panic::catch(function.name(), || body(arguments));
        return sequential::done(function.name(), result);
    }
    if let Some(refusal) = Error::if_forked(function.name()) {
        panic::drop_quietly(arguments);
        return sequential::done(function.name(), Err(refusal));
    }
    let call = Arc::new(ThreadCall { job: JobCell::new(function, "threads", arguments), body });
    match function.limiter() {
        None => pool::push(call.clone()),
        Some(limiter) => limiter.enter(function.options(), call.clone()),
    }
    Task::new(call)
}

/// Starts `body` on the pool, and gives the items of the iterator that it returns; what
/// `#[concurrent(threads)]` expands to where that is `impl Iterator`.
///
/// The iterator stays on the thread of the pool that made it, so only its items need be `Send`.
///
/// ```
/// static FUNCTION: trine::Function = trine::Function::new("count");
/// let stream = trine::threads::stream(&FUNCTION, (3,), |(most,): (u32,)| 0..most);
/// assert_eq!(stream.gather().join()?, [0, 1, 2]);
/// # Ok::<(), trine::Error>(())
/// ```
pub fn stream<A, B, I, T>(
    function: &'static Function,
    arguments: A,
    body: fn(B) -> I,
) -> stream::Stream<T>
where
    A: Arguments<B> + 'static,
    B: 'static,
    I: Iterator<Item = T> + 'static,
    T: Send + 'static,
{
    let flow = stream::flow(function);
    let job = (arguments, body, Arc::clone(&flow), function);
    let task = start(function, job, |(arguments, body, flow, function)| {
        stream::drive(function, &flow, body(arguments.values()))
    });
    stream::Stream::new(flow, task, stream::as_they_are)
}

/// The same where that is `impl Stream`, which is polled on the thread.
pub fn stream_polled<A, B, S, T>(
    function: &'static Function,
    arguments: A,
    body: fn(B) -> S,
) -> stream::Stream<T>
where
    A: Arguments<B> + 'static,
    B: 'static,
    S: futures_core::Stream<Item = T> + 'static,
    T: Send + 'static,
{
    let flow = stream::flow(function);
    let job = (arguments, body, Arc::clone(&flow), function);
    let task = start(function, job, |(arguments, body, flow, function)| {
        wait::block_on(stream::drive_polled(function, flow, || body(arguments.values())))
    });
    stream::Stream::new(flow, task, stream::as_they_are)
}

/// The same for a function with `retries`; `again` says which outcomes are tried again.
///
/// ```
/// static FUNCTION: trine::Function = trine::Function::new("parse").retries(2);
/// let body = |(text,): (&str,)| text.parse::<u32>();
/// let again = trine::Retry::failed(|output| trine::Returned(output).is_err());
/// let task = trine::threads::spawn_retrying(&FUNCTION, ("7",), body, again);
/// assert_eq!(task.join()?, Ok(7));
/// # Ok::<(), trine::Error>(())
/// ```
pub fn spawn_retrying<A, B, T>(
    function: &'static Function,
    arguments: A,
    body: fn(B) -> T,
    again: Retry<T>,
) -> Task<T>
where
    A: RepeatableArguments<B> + 'static,
    B: 'static,
    T: Send + 'static,
{
    let attempt = move |arguments| start(function, (arguments, body), apply);
    retry::spawn(function, tokio::hold_clock(), arguments, attempt, move |outcome| {
        again.wants(outcome)
    })
}

/// The same for a function with `scoped`, whose arguments and value may borrow.
///
/// ```
/// static FUNCTION: trine::Function = trine::Function::new("length");
/// let text = String::from("borrowed");
/// let length = trine::scope(|s| {
///     let body = |(text,): (&String,)| text.len();
///     trine::threads::spawn_scoped(s, &FUNCTION, (&text,), body).join()
/// })?;
/// assert_eq!(length, 8);
/// # Ok::<(), trine::Error>(())
/// ```
pub fn spawn_scoped<'scope, A, B, T>(
    scope: &'scope Scope<'scope, '_>,
    function: &'static Function,
    arguments: A,
    body: fn(B) -> T,
) -> ScopedTask<'scope, T>
where
    A: Arguments<B> + 'scope,
    B: 'scope,
    T: Send + 'scope,
{
    let start = |job| start(function, job, ScopedJob::run);
    scope::launch(scope, function, move || body(arguments.values()), start)
}

/// The same for a function with both `scoped` and `retries`.
pub fn spawn_scoped_retrying<'scope, A, B, T>(
    scope: &'scope Scope<'scope, '_>,
    function: &'static Function,
    arguments: A,
    body: fn(B) -> T,
    again: Retry<T>,
) -> ScopedTask<'scope, T>
where
    A: RepeatableArguments<B> + 'scope,
    B: 'scope,
    T: Send + 'scope,
{
    let start = move |job| start(function, job, ScopedJob::run);
    scope::launch_retrying(scope, function, (arguments, body), apply, again, start)
}
