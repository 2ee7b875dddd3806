//! Starting a call: encoding its arguments, locating its code, and passing it to the pool.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cross::process::Output;
use crate::error::Error;
use crate::function::Function;
use crate::process::call::{Items, ProcessCall, items};
use crate::process::code::{Code, Outlet, StreamCode, round_trip};
use crate::process::job::{Job, codec_error, worker_error};
use crate::process::pool::Waits;
use crate::process::value::files::What;
use crate::process::value::message::Message;
use crate::process::value::output::Output as Buffer;
use crate::process::value::wire::WireError;
use crate::process::value::{files, wire};
use crate::process::{platform, pool};
use crate::retry::{self, Retry};
use crate::stream::flow::Flow;
use crate::stream::{self, Stream};
use crate::task::Task;
use crate::{panic, sequential, tokio};

pub(crate) fn spawn<A, T>(function: &'static Function, arguments: A, code: Code<T>) -> Task<T>
where
    A: Serialize,
    T: Output + 'static,
{
    match encode(function.name(), What::Arguments, arguments) {
        Ok(message) => launch(function, message, code),
        Err(error) => sequential::done(function.name(), Err(error)),
    }
}

pub(crate) fn spawn_retrying<A, T>(
    function: &'static Function,
    arguments: A,
    code: Code<T>,
    again: Retry<T>,
) -> Task<T>
where
    A: Serialize,
    T: Output + 'static,
{
    match encode(function.name(), What::Repeated, arguments) {
        Ok(message) => {
            let attempt = move |message| launch(function, message, code);
            retry::spawn(function, tokio::hold_clock(), message, attempt, move |outcome| {
                again.wants(outcome)
            })
        }
        Err(error) => sequential::done(function.name(), Err(error)),
    }
}

pub(crate) fn encode<A>(function: &'static str, what: What, arguments: A) -> Result<Message, Error>
where
    A: Serialize,
{
    panic::catch(function, || files::in_arguments(what, || Message::encode(&arguments)))?
        .map_err(|error| codec_error(function, &format!("its arguments: {error}")))
}

fn launch<T>(function: &'static Function, message: Message, code: Code<T>) -> Task<T>
where
    T: DeserializeOwned + Send + 'static,
{
    if sequential::is_on() {
        return sequential::done(function.name(), round_trip(function.name(), &message, code));
    }
    let is_connected = is_connected(&message);
    let waits = if is_connected { Waits::ForEnds } else { Waits::Never };
    match locate(function.name(), message, code.invoke as usize, code.body) {
        #[cfg(feature = "cluster")]
        // What is connected stays on this machine.
        Ok(job) if !is_connected && crate::cluster::takes(function) => {
            crate::cluster::start(function, job)
        }
        Ok(job) => match pool::pool_of(function, waits) {
            Ok(pool) => Task::new(ProcessCall::<T>::start(function, job, pool, None)),
            Err(why) => sequential::done(function.name(), Err(worker_error(function.name(), why))),
        },
        Err(error) => sequential::done(function.name(), Err(error)),
    }
}

/// Locates the code in the executable, which a worker runs too.
pub(crate) fn locate(
    function: &'static str,
    message: Message,
    invoke: usize,
    body: usize,
) -> Result<Job, Error> {
    if platform::is_forked_child() {
        let why = "this process was forked and cannot use its parent's workers";
        return Err(worker_error(function, why));
    }
    let distance = |address: usize| {
        platform::distance(address).ok_or_else(|| {
            let why = "its code is in a library, not in the executable that a worker runs";
            worker_error(function, why)
        })
    };
    Ok(Job { message, invoke: distance(invoke)?, body: distance(body)? })
}

/// Whether a message has an end of a channel or stream, whose other end is on this machine.
pub(crate) fn is_connected(message: &Message) -> bool {
    message.files.iter().any(|file| !file.is_memory())
}

/// Starts a call that yields.
pub(crate) fn stream<A, T>(function: &'static Function, arguments: A, code: StreamCode) -> Stream<T>
where
    A: Serialize,
    T: Output + 'static,
{
    let (outlet, flow) = Items::new(stream::ahead(function));
    let name = function.name();
    let message = match encode(name, What::Arguments, arguments) {
        Ok(message) => message,
        Err(error) => {
            let task = sequential::done(name, Err(error));
            return Stream::new(flow, task, items);
        }
    };
    if sequential::is_on() {
        return round_trips(function, &message, &code);
    }
    let (invoke, body) = (code.invoke as usize, code.body);
    #[cfg(feature = "cluster")]
    let is_connected = is_connected(&message);
    let task = match locate(name, message, invoke, body) {
        #[cfg(feature = "cluster")]
        Ok(job) if !is_connected && crate::cluster::takes(function) => {
            return crate::cluster::stream(function, job);
        }
        Ok(job) => match pool::pool_of(function, Waits::ForReader) {
            Ok(pool) => Task::new(ProcessCall::start(function, job, pool, Some(outlet))),
            Err(why) => sequential::done(name, Err(worker_error(name, why))),
        },
        Err(error) => sequential::done(name, Err(error)),
    };
    Stream::helped(flow, task, items)
}

/// Yields all here, each item from the bytes that a worker would send.
fn round_trips<T>(function: &'static Function, message: &Message, code: &StreamCode) -> Stream<T>
where
    T: Output + 'static,
{
    let (name, flow) = (function.name(), Arc::new(Flow::new(usize::MAX)));
    let task = sequential::done(name, yield_here(name, message, code, &flow));
    Stream::new(flow, task, stream::as_they_are)
}

/// The same, into a flow with room for all.
pub(crate) fn yield_here<T>(
    name: &'static str,
    message: &Message,
    code: &StreamCode,
    flow: &Arc<Flow<T>>,
) -> Result<bool, Error>
where
    T: DeserializeOwned,
{
    struct Inline<T>(Arc<Flow<T>>);

    impl<T: DeserializeOwned> Outlet for Inline<T> {
        fn put(
            &mut self,
            encode: &mut dyn FnMut(&mut Buffer) -> Result<(), WireError>,
        ) -> Result<bool, WireError> {
            let item = Message::encoded_by(encode)?;
            let files = files::duplicate(&item.files)?;
            let item = files::supply(files, || wire::decode(item.bytes.reader()))?;
            Ok(self.0.poll_push(&mut Some(item), None).is_ready())
        }
    }

    let mut outlet = Inline(Arc::clone(flow));
    let run = || {
        let files = files::duplicate(&message.files)?;
        files::supply(files, || code.run(message, &mut outlet))
    };
    let codec = |error: WireError| codec_error(name, &error.to_string());
    panic::catch(name, run)?.map_err(codec)
}
