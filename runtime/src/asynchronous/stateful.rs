//! Workers with state on tokio: one call at a time, each a task of the runtime on which the value
//! was made.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use ::tokio::runtime::Handle;

use super::call::{AsyncCall, refused};
use crate::cross::{Arguments, RepeatableArguments};
use crate::error::Error;
use crate::function::Function;
use crate::retry::{self, Retry};
use crate::task::Task;
use crate::worker::line::{Home, Line};
use crate::worker::slot::{Kept, Slot, failed};
use crate::worker::{Constructed, Held, Worker};
use crate::{forks, panic, sequential, tokio};

type Making<T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send>>;
type Maker<T> = Box<dyn FnMut() -> Making<T> + Send>;

/// Where the value lives.
struct Place<T> {
    runtime: io::Result<Handle>,
    slot: Arc<Slot<T>>,
}

/// Starts a worker whose value `body` makes on tokio; what a constructor expands to in an `impl`
/// with `#[concurrent(async)]`.
///
/// All its calls run on the runtime that is current here. The arguments are kept, and copied each
/// time that the value is made.
///
/// ```
/// static NEW: trine::Function = trine::Function::new("new");
/// static PUSH: trine::Function = trine::Function::new("push");
/// let body = |(first,): (u32,)| async move { vec![first] };
/// let list = trine::asynchronous::worker::<Vec<u32>, _, _, _>(&NEW, (1,), body);
/// let push = trine::asynchronous::call_mut(&list, &PUSH, (2,), |mut list, (number,): (u32,)| {
///     async move {
///         list.push(number);
///         let length = list.len();
///         (list, length)
///     }
/// });
/// assert_eq!(push.join()?, 2);
/// # Ok::<(), trine::Error>(())
/// ```
pub fn worker<T, A, B, F>(
    constructor: &'static Function,
    arguments: A,
    body: fn(B) -> F,
) -> Worker<T>
where
    T: Send + 'static,
    A: RepeatableArguments<B> + 'static,
    B: 'static,
    F: Future<Output: Constructed<T>> + Send + 'static,
{
    let makers = Kept::each(constructor, arguments, |arguments: A| -> Maker<T> {
        Box::new(move || {
            let making = body(arguments.clone().values());
            Box::pin(async move { making.await.constructed() })
        })
    });
    let places = makers.map(|maker| {
        let place = Arc::new(Place { runtime: tokio::ambient(), slot: Slot::new() });
        let home: Box<dyn Home> =
            Box::new(Polled { constructor, place: Arc::clone(&place), maker });
        (place, home)
    });
    Worker::start(constructor, places)
}

/// Starts `body` on tokio when it is its turn at this worker; what a method with `&self` expands
/// to. It gives the value back with its result.
pub fn call<T, A, B, R, F>(
    worker: &Worker<T>,
    function: &'static Function,
    arguments: A,
    body: fn(Held<T>, B) -> F,
) -> Task<R>
where
    T: Send + 'static,
    A: Arguments<B> + 'static,
    B: 'static,
    R: Send + 'static,
    F: Future<Output = (Held<T>, R)> + Send + 'static,
{
    enter(worker, function, (arguments, body, false))
}

/// The same for a method with `&mut self`: if it panics, or is stopped before its end, the value is
/// gone.
pub fn call_mut<T, A, B, R, F>(
    worker: &Worker<T>,
    function: &'static Function,
    arguments: A,
    body: fn(Held<T>, B) -> F,
) -> Task<R>
where
    T: Send + 'static,
    A: Arguments<B> + 'static,
    B: 'static,
    R: Send + 'static,
    F: Future<Output = (Held<T>, R)> + Send + 'static,
{
    enter(worker, function, (arguments, body, true))
}

/// The same for a method with `&self` and `retries`. Each try waits for its turn.
pub fn call_retrying<T, A, B, R, F>(
    worker: &Worker<T>,
    function: &'static Function,
    arguments: A,
    body: fn(Held<T>, B) -> F,
    again: Retry<R>,
) -> Task<R>
where
    T: Send + 'static,
    A: RepeatableArguments<B> + 'static,
    B: 'static,
    R: Send + 'static,
    F: Future<Output = (Held<T>, R)> + Send + 'static,
{
    let place: Arc<Place<T>> = worker.place();
    let clock = place.runtime.as_ref().ok().and_then(tokio::hold_clock_beside);
    let worker = worker.clone();
    let attempt = move |arguments| call(&worker, function, arguments, body);
    retry::spawn(function, clock, arguments, attempt, move |outcome| again.wants(outcome))
}

/// The arguments, the method, and whether it changes the value.
type Method<T, A, B, F> = (A, fn(Held<T>, B) -> F, bool);

fn enter<T, A, B, R, F>(
    worker: &Worker<T>,
    function: &'static Function,
    method: Method<T, A, B, F>,
) -> Task<R>
where
    T: Send + 'static,
    A: Arguments<B> + 'static,
    B: 'static,
    R: Send + 'static,
    F: Future<Output = (Held<T>, R)> + Send + 'static,
{
    if let Some(refusal) = forks::refusal(function.name()) {
        return sequential::done(function.name(), Err(refusal));
    }
    let (entry, place) = worker.choose::<Place<T>>();
    let runtime = match &place.runtime {
        Ok(runtime) => runtime.clone(),
        Err(refusal) => return refused(function, refusal),
    };
    let job = (Arc::clone(&place.slot), method);
    let call = AsyncCall::in_line(runtime, function, &entry.line(), job, |job| async move {
        let (slot, (arguments, body, is_changed)) = job;
        let (held, result) = body(slot.hold(is_changed), arguments.values()).await;
        held.give_back();
        result
    });
    entry.enter(call.clone());
    Task::new(call)
}

/// A value that is made on tokio, and dropped there.
struct Polled<T> {
    constructor: &'static Function,
    place: Arc<Place<T>>,
    maker: Arc<Kept<Maker<T>>>,
}

impl<T: Send + 'static> Home for Polled<T> {
    fn make(&self, line: &Arc<Line>) {
        let Ok(runtime) = &self.place.runtime else {
            // Each call says why.
            return line.leave();
        };
        let (name, slot) = (self.constructor.name(), Arc::clone(&self.place.slot));
        let job = (name, slot, Arc::clone(line), Arc::clone(&self.maker));
        let call = AsyncCall::in_line(runtime.clone(), self.constructor, line, job, |job| {
            let (name, slot, line, maker) = job;
            async move {
                slot.clear();
                let made = match maker.run(name, |maker| maker()) {
                    Ok(making) => made(name, making).await,
                    Err(why) => Err(why),
                };
                line.made(made.map(|value| slot.put(value)));
            }
        });
        call.begin(line);
    }

    fn clear(&self, line: &Arc<Line>, is_last: bool) {
        static DROP: Function = Function::new("drop");
        let Ok(runtime) = &self.place.runtime else { return line.leave() };
        let (name, maker) = (self.constructor.name(), is_last.then(|| Arc::clone(&self.maker)));
        let job = (Arc::clone(&self.place.slot), name, maker);
        let call = AsyncCall::in_line(runtime.clone(), &DROP, line, job, |job| async move {
            let (slot, name, maker) = job;
            slot.clear();
            maker.into_iter().for_each(|maker| maker.clear(name));
        });
        call.begin(line);
    }

    fn is_lost(&self) -> bool {
        self.place.slot.is_lost()
    }
}

/// The value, or what calls are told if there is none.
async fn made<T>(name: &'static str, mut making: Making<T>) -> Result<T, Arc<str>> {
    let polled = poll_fn(|context| {
        let polled: Result<_, Error> = panic::catch(name, || making.as_mut().poll(context));
        match polled {
            Ok(polled) => polled.map(|made| made.map_err(|why| failed(name, &why))),
            Err(error) => std::task::Poll::Ready(Err(failed(name, &error))),
        }
    });
    polled.await
}
