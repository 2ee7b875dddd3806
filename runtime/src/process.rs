//! The engine of `#[concurrent(process)]`: worker processes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::function::Function;
use crate::task::Task;
use crate::{panic, sequential};

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
    B: DeserializeOwned,
    T: Serialize + DeserializeOwned + Send + 'static,
{
    if sequential::is_on() {
        return sequential::done(function.name(), round_trip(function.name(), &arguments, body));
    }
    match prepare(function.name(), &arguments, body) {
        Ok(job) => {
            drop(arguments);
            Task::new(call::ProcessCall::<T>::start(function, job, pool::pool_of(function)))
        }
        Err(error) => sequential::done(function.name(), Err(error)),
    }
}

fn prepare<A, B, T>(
    function: &'static str,
    arguments: &A,
    body: fn(B) -> T,
) -> Result<call::Job, Error>
where
    A: Serialize,
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
    let body = distance(body as usize)?;
    let message = panic::catch(function, || message::Message::encode(arguments))?
        .map_err(|error| call::codec(function, &format!("its arguments: {error}")))?;
    Ok(call::Job { message, invoke, body })
}

/// Runs a body here, with its arguments and its result encoded and decoded on the way.
pub(crate) fn round_trip<A, B, T>(
    function: &'static str,
    arguments: &A,
    body: fn(B) -> T,
) -> Result<T, Error>
where
    A: Serialize,
    B: DeserializeOwned,
    T: Serialize + DeserializeOwned,
{
    let arguments: B = copy(function, "its arguments", arguments)?;
    let result = panic::catch(function, || body(arguments))?;
    copy(function, "its result", &result)
}

/// Encodes and decodes a value.
fn copy<A: Serialize, B: DeserializeOwned>(
    function: &'static str,
    what: &str,
    value: &A,
) -> Result<B, Error> {
    let copied = panic::catch(function, || {
        let mut output = output::Output::in_vector(Vec::new());
        let (encoded, files) = files::collect(|| wire::encode(value, &mut output));
        encoded?;
        let files = files.iter().map(|file| file.try_clone()).collect::<Result<_, _>>();
        let files = files.map_err(|error| wire::WireError::new(error.to_string()))?;
        output.with_bytes(|bytes| files::supply(files, || wire::decode(wire::Reader::new(bytes))))
    })?;
    copied.map_err(|error| call::codec(function, &format!("{what}: {error}")))
}
