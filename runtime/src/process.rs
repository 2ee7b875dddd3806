//! The engine of `#[concurrent(process)]`: worker processes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::call::{Job, ProcessCall};
use self::message::Message;
use crate::error::Error;
use crate::function::Function;
use crate::scope::{self, Scope, ScopedTask};
use crate::task::Task;
use crate::{panic, retry, sequential};

mod call;
mod channel;
mod constructors;
mod control;
mod dispatcher;
mod files;
mod forks;
mod harvest;
mod image;
mod lifeline;
mod link;
mod memory;
mod message;
mod outbox;
mod output;
mod pool;
mod report;
mod spin;
mod startup;
mod wire;
mod worker;

/// Starts `body` in a worker process; what `#[concurrent(process)]` expands to.
///
/// The arguments are encoded before this returns, so `A` may borrow; in the worker they are
/// decoded as `B`.
///
/// ```
/// static FUNCTION: trine::Function = trine::Function::new("double");
/// let task = trine::process::spawn(&FUNCTION, (21,), |(number,): (u32,)| number * 2);
/// assert_eq!(task.join()?, 42);
/// # Ok::<(), trine::Error>(())
/// ```
pub fn spawn<A, B, T>(function: &'static Function, arguments: A, body: fn(B) -> T) -> Task<T>
where
    A: Serialize,
    B: DeserializeOwned + 'static,
    T: Serialize + DeserializeOwned + Send + 'static,
{
    match encode(function.name(), arguments) {
        Ok(message) => launch(function, message, body),
        Err(error) => sequential::done(function.name(), Err(error)),
    }
}

/// The same for a function with `retries`; `failed` says which values count as failures.
///
/// The arguments are encoded once, so they need not be `Clone`.
///
/// ```
/// static FUNCTION: trine::Function = trine::Function::new("parse").retries(2);
/// let body = |(text,): (String,)| text.parse::<u32>().map_err(|error| error.to_string());
/// let task = trine::process::spawn_retrying(&FUNCTION, ("7",), body, |output| {
///     trine::is_err!(output)
/// });
/// assert_eq!(task.join()?, Ok(7));
/// # Ok::<(), trine::Error>(())
/// ```
pub fn spawn_retrying<A, B, T>(
    function: &'static Function,
    arguments: A,
    body: fn(B) -> T,
    failed: fn(&T) -> bool,
) -> Task<T>
where
    A: Serialize,
    B: DeserializeOwned + 'static,
    T: Serialize + DeserializeOwned + Send + 'static,
{
    match encode(function.name(), arguments) {
        Ok(message) => {
            let start = move |message| launch(function, message, body);
            retry::spawn(function, message, start, failed)
        }
        Err(error) => sequential::done(function.name(), Err(error)),
    }
}

/// The same for a function with `scoped`. Nothing of a process task borrows once it is started;
/// the scope waits for it and cancels it as in the other modes.
///
/// ```
/// static FUNCTION: trine::Function = trine::Function::new("length");
/// let text = String::from("borrowed");
/// let length = trine::scope(|s| {
///     let body = |(text,): (String,)| text.len();
///     trine::process::spawn_scoped(s, &FUNCTION, (&text,), body).join()
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
    A: Serialize,
    B: DeserializeOwned + 'static,
    T: Serialize + DeserializeOwned + Send + 'static,
{
    scope::adopt(scope, spawn(function, arguments, body))
}

/// The same for a function with both `scoped` and `retries`.
pub fn spawn_scoped_retrying<'scope, A, B, T>(
    scope: &'scope Scope<'scope, '_>,
    function: &'static Function,
    arguments: A,
    body: fn(B) -> T,
    failed: fn(&T) -> bool,
) -> ScopedTask<'scope, T>
where
    A: Serialize,
    B: DeserializeOwned + 'static,
    T: Serialize + DeserializeOwned + Send + 'static,
{
    scope::adopt(scope, spawn_retrying(function, arguments, body, failed))
}

fn encode<A: Serialize>(function: &'static str, arguments: A) -> Result<Message, Error> {
    panic::catch(function, || Message::encode(&arguments))?
        .map_err(|error| call::codec(function, &format!("its arguments: {error}")))
}

fn launch<B, T>(function: &'static Function, message: Message, body: fn(B) -> T) -> Task<T>
where
    B: DeserializeOwned + 'static,
    T: Serialize + DeserializeOwned + Send + 'static,
{
    if sequential::is_on() {
        return sequential::done(function.name(), round_trip(function.name(), &message, body));
    }
    match locate(function.name(), message, body) {
        Ok(job) => Task::new(ProcessCall::<T>::start(function, job, pool::pool_of(function))),
        Err(error) => sequential::done(function.name(), Err(error)),
    }
}

/// Finds a body in the executable that a worker runs too.
fn locate<B, T>(function: &'static str, message: Message, body: fn(B) -> T) -> Result<Job, Error>
where
    B: DeserializeOwned,
    T: Serialize,
{
    if forks::is_child() {
        let why = "this process was forked from one whose workers it cannot use";
        return Err(call::worker_error(function, why));
    }
    let distance = |address: usize| {
        image::distance(address).ok_or_else(|| {
            let why = "its code lies in a library, not in the executable that a worker runs";
            call::worker_error(function, why)
        })
    };
    let invoke = distance(call::Types::<B, T>::invoke())?;
    Ok(Job { message, invoke, body: distance(body as usize)? })
}

/// Runs a body here, with its arguments and its result decoded from what a worker would get.
fn round_trip<B, T>(function: &'static str, message: &Message, body: fn(B) -> T) -> Result<T, Error>
where
    B: DeserializeOwned,
    T: Serialize + DeserializeOwned,
{
    let arguments = decode::<B>(function, "its arguments", message)?;
    let result = panic::catch(function, || body(arguments))?;
    let message = panic::catch(function, || Message::encode(&result))?
        .map_err(|error| call::codec(function, &format!("its result: {error}")))?;
    decode(function, "its result", &message)
}

fn decode<T: DeserializeOwned>(
    function: &'static str,
    what: &str,
    message: &Message,
) -> Result<T, Error> {
    let files = message.files.iter().map(|file| file.try_clone()).collect::<Result<_, _>>();
    let files = files.map_err(|error| call::codec(function, &format!("{what}: {error}")))?;
    panic::catch(function, || files::supply(files, || wire::decode(message.bytes.reader())))?
        .map_err(|error| call::codec(function, &format!("{what}: {error}")))
}
