//! Starting a call: encoding its arguments, locating its code, and passing it to the pool.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cross::process::{Arguments, Output};
use crate::error::Error;
use crate::function::Function;
use crate::process::call::ProcessCall;
use crate::process::code::Code;
use crate::process::job::{Job, codec_error, worker_error};
use crate::process::value::message::Message;
use crate::process::value::wire::WireError;
use crate::process::value::{files, wire};
use crate::process::{platform, pool};
use crate::retry::{self, Retry};
use crate::task::Task;
use crate::{panic, sequential};

pub(crate) fn spawn<A, B, T>(function: &'static Function, arguments: A, body: fn(B) -> T) -> Task<T>
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

pub(crate) fn spawn_retrying<A, B, T>(
    function: &'static Function,
    arguments: A,
    body: fn(B) -> T,
    again: Retry<T>,
) -> Task<T>
where
    A: Arguments<B>,
    T: Output + 'static,
{
    let code = Code::new::<A, B>(body);
    match encode(function.name(), arguments) {
        Ok(message) => {
            let attempt = move |message| launch(function, message, code);
            retry::spawn(function, message, attempt, move |outcome| again.wants(outcome))
        }
        Err(error) => sequential::done(function.name(), Err(error)),
    }
}

fn encode<A: Serialize>(function: &'static str, arguments: A) -> Result<Message, Error> {
    panic::catch(function, || Message::encode(&arguments))?
        .map_err(|error| codec_error(function, &format!("its arguments: {error}")))
}

fn launch<T>(function: &'static Function, message: Message, code: Code<T>) -> Task<T>
where
    T: DeserializeOwned + Send + 'static,
{
    if sequential::is_on() {
        return sequential::done(function.name(), round_trip(function.name(), &message, code));
    }
    match locate(function.name(), message, code) {
        #[cfg(feature = "cluster")]
        Ok(job) if crate::cluster::takes(function) => crate::cluster::start(function, job),
        Ok(job) => match pool::pool_of(function) {
            Ok(pool) => Task::new(ProcessCall::<T>::start(function, job, pool)),
            Err(why) => sequential::done(function.name(), Err(worker_error(function.name(), why))),
        },
        Err(error) => sequential::done(function.name(), Err(error)),
    }
}

/// Locates the code in the executable, which a worker runs too.
fn locate<T>(function: &'static str, message: Message, code: Code<T>) -> Result<Job, Error> {
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
    Ok(Job { message, invoke: distance(code.invoke as usize)?, body: distance(code.body)? })
}

/// Runs a body here, with the same encoding as in a worker.
fn round_trip<T>(function: &'static str, message: &Message, code: Code<T>) -> Result<T, Error>
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
