//! Workers with state in processes of their own: where a value is made, is used and is dropped.
//!
//! The arguments of the constructor stay here as bytes, and are sent again where the value is made
//! anew.

use std::sync::Arc;

use self::housing::{Housed, Housing, job};
use crate::cross::process::{Arguments, Output};
use crate::function::Function;
use crate::options::{Options, Priority};
#[cfg(feature = "cluster")]
use crate::process::call::Away;
use crate::process::call::{Here, Items, ProcessCall, Stay, items};
use crate::process::code::{Code, StreamCode};
use crate::process::job::Job;
#[cfg(feature = "cluster")]
use crate::process::job::codec_error;
#[cfg(feature = "cluster")]
use crate::process::launch::is_connected;
use crate::process::launch::{encode, yield_here};
use crate::process::pool::residence::{Residence, Residences, Value};
use crate::process::pool::{Pool, pool_of_values};
use crate::process::value::files::What;
use crate::process::value::message::Message;
use crate::process::value::output::MAX_INLINE;
use crate::retry::{self, Retry};
use crate::stream::flow::Flow;
use crate::stream::{self, Stream};
use crate::task::Task;
use crate::worker::line::Home;
use crate::worker::slot::failed;
use crate::worker::{Constructed, Outlet, Worker, how_many};
use crate::{sequential, tokio};

mod housing;

/// Where the values live.
struct Estate {
    value: Value,
    pool: &'static Pool,
    residences: Residences,
}

/// Starts a worker whose value `body` makes in a process of its own; what a constructor expands to
/// in an `impl` with `#[concurrent(process)]`.
///
/// The arguments are encoded before this returns, and the bytes are kept.
///
/// ```
/// static NEW: trine::Function = trine::Function::new("new");
/// static PUSH: trine::Function = trine::Function::new("push");
/// let list = trine::process::worker(&NEW, (1,), |(first,): (u32,)| vec![first]);
/// let push = |list: &mut Vec<u32>, (number,): (u32,)| list.push(number);
/// trine::process::call_mut(&list, &PUSH, (2,), push).join()?;
/// let sum = |list: &Vec<u32>, ()| list.iter().sum::<u32>();
/// assert_eq!(trine::process::call(&list, &PUSH, (), sum).join()?, 3);
/// # Ok::<(), trine::Error>(())
/// ```
pub fn worker<T, A, B, M>(
    constructor: &'static Function,
    arguments: A,
    body: fn(B) -> M,
) -> Worker<T>
where
    T: Send + 'static,
    A: Arguments<B>,
    M: Constructed<T>,
{
    let name = constructor.name();
    let mut value = Value::new(sequential::is_on(), false);
    let message = encode(name, What::Repeated, (value.number, arguments));
    value.is_far = goes_far(constructor, value, message.as_ref().ok());
    let message = message.map_err(|error| failed(name, &error));
    let code = Code::make::<A, B, T, M>(body);
    let residences: Residences =
        (0..how_many(constructor)).map(|_| Residence::new(value, constructor)).collect();
    let homes = residences.iter().map(|residence| -> Box<dyn Home> {
        let residence = Arc::clone(residence);
        let housing = Housing::new(constructor, message.clone(), code, residence);
        Box::new(Housed(Arc::new(housing)))
    });
    let homes = homes.collect();
    let pool = pool_of_values(constructor);
    Worker::start(constructor, Arc::new(Estate { value, pool, residences }), homes)
}

/// Whether the value is made on another machine. What is connected stays on this one.
#[cfg(feature = "cluster")]
fn goes_far(constructor: &Function, value: Value, message: Option<&Message>) -> bool {
    let is_connected = message.is_none_or(is_connected);
    !value.is_here && !is_connected && crate::cluster::takes(constructor)
}

#[cfg(not(feature = "cluster"))]
fn goes_far(_: &Function, _: Value, _: Option<&Message>) -> bool {
    false
}

/// Starts `body` in the process of this worker when it is its turn; what a method with `&self`
/// expands to.
pub fn call<T, A, B, R>(
    worker: &Worker<T>,
    function: &'static Function,
    arguments: A,
    body: fn(&T, B) -> R,
) -> Task<R>
where
    T: 'static,
    A: Arguments<B>,
    R: Output + 'static,
{
    let code = Code::look::<T, A, B>(body);
    start(worker, function, What::Arguments, arguments, (code, false))
}

/// The same for a method with `&mut self`: if it panics, the value is gone.
pub fn call_mut<T, A, B, R>(
    worker: &Worker<T>,
    function: &'static Function,
    arguments: A,
    body: fn(&mut T, B) -> R,
) -> Task<R>
where
    T: 'static,
    A: Arguments<B>,
    R: Output + 'static,
{
    let code = Code::change::<T, A, B>(body);
    start(worker, function, What::Arguments, arguments, (code, true))
}

/// The same for a method with `&self` and `retries`. Each try waits for its turn.
///
/// The arguments are encoded once, so they need not be `Clone`.
pub fn call_retrying<T, A, B, R>(
    worker: &Worker<T>,
    function: &'static Function,
    arguments: A,
    body: fn(&T, B) -> R,
    again: Retry<R>,
) -> Task<R>
where
    T: 'static,
    A: Arguments<B>,
    R: Output + 'static,
{
    let code = Code::look::<T, A, B>(body);
    let number = worker.place::<Estate>().value.number;
    match encode(function.name(), What::Repeated, (number, arguments)) {
        Ok(message) => {
            let worker = worker.clone();
            let attempt = move |message| enter(&worker, function, message, (code, false));
            retry::spawn(function, tokio::hold_clock(), message, attempt, move |outcome| {
                again.wants(outcome)
            })
        }
        Err(error) => sequential::done(function.name(), Err(error)),
    }
}

/// Starts `body` in the process of this worker when it is its turn, and gives the items that it
/// puts out; what a method with `&self` expands to that yields. It has its turn until it has ended.
pub fn call_stream<T, A, B, R>(
    worker: &Worker<T>,
    function: &'static Function,
    arguments: A,
    body: fn(&T, B, Outlet<'_, R>) -> bool,
) -> Stream<R>
where
    T: 'static,
    A: Arguments<B>,
    R: Output + 'static,
{
    start_to_yield(worker, function, arguments, (StreamCode::look::<T, A, B, R>(body), false))
}

/// The same for a method with `&mut self`: if it panics, the value is gone.
pub fn call_stream_mut<T, A, B, R>(
    worker: &Worker<T>,
    function: &'static Function,
    arguments: A,
    body: fn(&mut T, B, Outlet<'_, R>) -> bool,
) -> Stream<R>
where
    T: 'static,
    A: Arguments<B>,
    R: Output + 'static,
{
    start_to_yield(worker, function, arguments, (StreamCode::change::<T, A, B, R>(body), true))
}

/// The code of a method, and whether it changes the value.
type Method<R> = (Code<R>, bool);

fn start<T, A, B, R>(
    worker: &Worker<T>,
    function: &'static Function,
    what: What,
    arguments: A,
    method: Method<R>,
) -> Task<R>
where
    T: 'static,
    A: Arguments<B>,
    R: Output + 'static,
{
    let number = worker.place::<Estate>().value.number;
    match encode(function.name(), what, (number, arguments)) {
        Ok(message) => enter(worker, function, message, method),
        Err(error) => sequential::done(function.name(), Err(error)),
    }
}

fn enter<T, R>(
    worker: &Worker<T>,
    function: &'static Function,
    message: Message,
    (code, changes): Method<R>,
) -> Task<R>
where
    R: Output + 'static,
{
    let at = code.at();
    enter_at(worker, function, message, at, (Here::Code(code), changes, None))
}

fn start_to_yield<T, A, B, R>(
    worker: &Worker<T>,
    function: &'static Function,
    arguments: A,
    (code, changes): (StreamCode, bool),
) -> Stream<R>
where
    T: 'static,
    A: Arguments<B>,
    R: Output + 'static,
{
    let (name, value) = (function.name(), worker.place::<Estate>().value);
    let message = encode(name, What::Arguments, (value.number, arguments));
    let at = (code.invoke as usize, code.body);
    if value.is_here {
        let flow = Arc::new(Flow::new(usize::MAX));
        let items = Arc::clone(&flow);
        let run = move |message: &Message| yield_here(name, message, &code, &items);
        let how = (Here::Yields(Box::new(run)), changes, None);
        let task = match message {
            Ok(message) => enter_at(worker, function, message, at, how),
            Err(error) => sequential::done(name, Err(error)),
        };
        return Stream::new(flow, task, stream::as_they_are);
    }
    #[cfg(feature = "cluster")]
    let far = value.is_far.then(|| crate::cluster::number(Some(stream::ahead(function)))).flatten();
    #[cfg(feature = "cluster")]
    if let Some((number, Some(flow))) = far {
        let outlet = Items::far(stream::ahead(function), &flow);
        let how = (Here::Never, changes, Some((outlet, Some(number))));
        let task = match message {
            Ok(message) => enter_at(worker, function, message, at, how),
            Err(error) => sequential::done(name, Err(error)),
        };
        return Stream::new(flow, task, items);
    }
    let (outlet, flow) = Items::new(stream::ahead(function));
    let how = (Here::Never, changes, Some((outlet, None)));
    let task = match message {
        Ok(message) => enter_at(worker, function, message, at, how),
        Err(error) => sequential::done(name, Err(error)),
    };
    Stream::helped(flow, task, items)
}

/// How a method is called: what runs it if its value is here, whether it changes that, and where
/// its items go.
type How<R> = (Here<R>, bool, Option<(Items, Option<u64>)>);

fn enter_at<T, R>(
    worker: &Worker<T>,
    function: &'static Function,
    message: Message,
    (invoke, body): (usize, usize),
    (here, changes, items): How<R>,
) -> Task<R>
where
    R: Output + 'static,
{
    if let Some(refusal) = worker.refusal(function.name()) {
        return sequential::done(function.name(), Err(refusal));
    }
    let estate = worker.place::<Estate>();
    #[cfg(feature = "cluster")]
    if estate.value.is_far && is_connected(&message) {
        let why = "its arguments: the other end of a `Sender` or a `Stream` is on this machine, \
                   and its worker is not";
        return sequential::done(function.name(), Err(codec_error(function.name(), why)));
    }
    match job(function.name(), estate.value, message, (invoke, body)) {
        Ok(job) => {
            if !estate.value.is_here && !estate.value.is_far {
                estate.pool.heed_rights();
            }
            let (pool, residences) = (estate.pool, Arc::clone(&estate.residences));
            let (items, _number) = items.unzip();
            let goes_ahead = items.is_none() && goes_ahead(function, &estate, &job);
            let stay = Stay {
                residences,
                changes,
                goes_ahead,
                here,
                #[cfg(feature = "cluster")]
                away: away(estate.value, _number.flatten()),
            };
            Task::new(ProcessCall::enter(function, job, pool, worker.line(), (stay, items)))
        }
        Err(error) => sequential::done(function.name(), Err(error)),
    }
}

/// Whether a call may be sent before the one before it has ended: one that needs nothing but the
/// value, since it may have to come back. Time counts from a start, `limit` and `priority` say
/// whose turn it is, `renew` is between two calls; and what is not in the ring goes beside it.
fn goes_ahead(function: &'static Function, estate: &Estate, job: &Job) -> bool {
    let &Options { timeout, limit, priority, .. } = function.options();
    let is_plain = timeout.is_none() && limit.is_none() && priority == Priority::Usual;
    let Value { is_here, is_far, .. } = estate.value;
    let is_here_to_stay = !is_here && !is_far && !estate.residences[0].is_renewed();
    let Message { bytes, files, .. } = &job.message;
    let is_small = bytes.private().is_some_and(|bytes| bytes.len() <= MAX_INLINE);
    is_plain && is_here_to_stay && is_small && files.is_empty()
}

/// How a call gets to its value, if that is on another machine.
#[cfg(feature = "cluster")]
fn away(value: Value, known: Option<u64>) -> Option<Away> {
    let new = || crate::cluster::number(None).map(|(number, _)| number);
    // Without a caller there is none, and its constructor says why.
    let number = value.is_far.then(|| known.or_else(new).unwrap_or(0));
    number.map(|number| Away { number, submit: crate::cluster::submit, stop: crate::cluster::stop })
}
