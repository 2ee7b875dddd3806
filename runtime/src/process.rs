//! The engine of `#[concurrent(process)]`: worker processes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::call::{Code, Job, ProcessCall};
use self::message::Message;
use self::wire::WireError;
use crate::cross::process::{Arguments, Output};
use crate::error::Error;
use crate::function::Function;
use crate::scope::{self, Scope, ScopedTask};
use crate::task::Task;
use crate::{panic, retry, sequential};

pub use self::shared::Shared;
pub use crate::cross::process::Owned;

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
mod shared;
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
    A: Arguments<B>,
    T: Output + 'static,
{
    let code = Code::new::<A, B>(body);
    match encode(function.name(), arguments) {
        Ok(message) => launch(function, message, code),
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
    A: Arguments<B>,
    T: Output + 'static,
{
    let code = Code::new::<A, B>(body);
    match encode(function.name(), arguments) {
        Ok(message) => {
            let attempt = move |message| launch(function, message, code);
            retry::spawn(function, message, attempt, failed)
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
///     trine::process::spawn_scoped(s, &FUNCTION, (&*text,), body).join()
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
    A: Arguments<B>,
    T: Output + 'static,
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
    A: Arguments<B>,
    T: Output + 'static,
{
    scope::adopt(scope, spawn_retrying(function, arguments, body, failed))
}

fn encode<A: Serialize>(function: &'static str, arguments: A) -> Result<Message, Error> {
    panic::catch(function, || Message::encode(&arguments))?
        .map_err(|error| call::codec(function, &format!("its arguments: {error}")))
}

fn launch<T>(function: &'static Function, message: Message, code: Code<T>) -> Task<T>
where
    T: DeserializeOwned + Send + 'static,
{
    if sequential::is_on() {
        return sequential::done(function.name(), round_trip(function.name(), &message, code));
    }
    match locate(function.name(), message, code) {
        Ok(job) => Task::new(ProcessCall::<T>::start(function, job, pool::pool_of(function))),
        Err(error) => sequential::done(function.name(), Err(error)),
    }
}

/// Finds the code in the executable that a worker runs too.
fn locate<T>(function: &'static str, message: Message, code: Code<T>) -> Result<Job, Error> {
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
    Ok(Job { message, invoke: distance(code.invoke as usize)?, body: distance(code.body)? })
}

/// Runs a body here, from the bytes and to the bytes that a worker would see.
fn round_trip<T>(function: &'static str, message: &Message, code: Code<T>) -> Result<T, Error>
where
    T: DeserializeOwned,
{
    let codec = |error: WireError| call::codec(function, &error.to_string());
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
