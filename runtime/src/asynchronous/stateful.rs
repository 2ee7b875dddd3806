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
use crate::stream::flow::Flow;
use crate::stream::{self, Stream};
use crate::task::Task;
use crate::worker::construction::{Construction, Made};
use crate::worker::line::{Home, Ticket, Turn};
use crate::worker::slot::{Kept, Slot, Slots, failed};
use crate::worker::{AsyncOutlet, Constructed, Held, Worker};
use crate::{panic, sequential, tokio};

type Constructing<T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send>>;
type Maker<T> = Box<dyn FnMut() -> Constructing<T> + Send>;

/// What making a value takes, and dropping it.
type Making<T> = (&'static str, Arc<Slot<T>>, Arc<Kept<Maker<T>>>);
type Clearing<T> = (Arc<Slot<T>>, &'static str, Option<Arc<Kept<Maker<T>>>>);

/// Where the values live.
struct Place<T> {
    runtime: io::Result<Handle>,
    slots: Slots<T>,
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
    let makers: Vec<_> = makers.collect();
    let slots = makers.iter().map(|_| Slot::new()).collect();
    let place = Arc::new(Place { runtime: tokio::ambient(), slots });
    let homes = makers.into_iter().enumerate().map(|(copy, maker)| -> Box<dyn Home> {
        Box::new(Polled { constructor, place: Arc::clone(&place), copy, maker })
    });
    let homes = homes.collect();
    Worker::start(constructor, place, homes)
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

/// Starts `body` on tokio when it is its turn at this worker, and gives the items that it puts out;
/// what a method with `&self` expands to that yields. It has its turn until it has ended.
pub fn call_stream<T, A, B, R, F>(
    worker: &Worker<T>,
    function: &'static Function,
    arguments: A,
    body: fn(Held<T>, B, AsyncOutlet<R>) -> F,
) -> Stream<R>
where
    T: Send + 'static,
    A: Arguments<B> + 'static,
    B: 'static,
    R: Send + 'static,
    F: Future<Output = (Held<T>, bool)> + Send + 'static,
{
    enter_to_yield(worker, function, (arguments, body, false))
}

/// The same for a method with `&mut self`: if it panics, or is stopped while it does not wait
/// between two items, the value is gone.
pub fn call_stream_mut<T, A, B, R, F>(
    worker: &Worker<T>,
    function: &'static Function,
    arguments: A,
    body: fn(Held<T>, B, AsyncOutlet<R>) -> F,
) -> Stream<R>
where
    T: Send + 'static,
    A: Arguments<B> + 'static,
    B: 'static,
    R: Send + 'static,
    F: Future<Output = (Held<T>, bool)> + Send + 'static,
{
    enter_to_yield(worker, function, (arguments, body, true))
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
    enter_by(worker, function, method, at_copy(run))
}

/// The same of a method that yields.
type Yielding<T, A, B, R, F> = (A, fn(Held<T>, B, AsyncOutlet<R>) -> F, bool);

fn enter_to_yield<T, A, B, R, F>(
    worker: &Worker<T>,
    function: &'static Function,
    method: Yielding<T, A, B, R, F>,
) -> Stream<R>
where
    T: Send + 'static,
    A: Arguments<B> + 'static,
    B: 'static,
    R: Send + 'static,
    F: Future<Output = (Held<T>, bool)> + Send + 'static,
{
    let flow = stream::flow(function);
    let method = (method, Arc::clone(&flow), function);
    let task = enter_by(worker, function, method, at_copy(run_to_yield));
    Stream::new(flow, task, stream::as_they_are)
}

fn enter_by<T, M, R, F>(
    worker: &Worker<T>,
    function: &'static Function,
    method: M,
    run: fn(Visit<T, M>, usize) -> F,
) -> Task<R>
where
    T: Send + 'static,
    M: Send + 'static,
    R: Send + 'static,
    F: Future<Output = R> + Send + 'static,
{
    if let Some(refusal) = worker.refusal(function.name()) {
        return sequential::done(function.name(), Err(refusal));
    }
    let place = worker.place::<Place<T>>();
    let runtime = match &place.runtime {
        Ok(runtime) => runtime.clone(),
        Err(refusal) => return refused(function, refusal),
    };
    let ticket = Ticket::new(Arc::clone(worker.line()));
    let call = AsyncCall::in_line(runtime, function, ticket, (place, method), run);
    worker.line().enter(call.clone());
    Task::new(call)
}

/// A call's job.
type Visit<T, M> = (Arc<Place<T>>, M);

async fn run<T, A, B, R, F>(job: Visit<T, Method<T, A, B, F>>, copy: usize) -> R
where
    A: Arguments<B>,
    F: Future<Output = (Held<T>, R)>,
{
    let (place, (arguments, body, is_changed)) = job;
    let (held, result) = body(place.slots[copy].hold(is_changed), arguments.values()).await;
    held.give_back();
    result
}

/// What a call that yields carries beside its worker: the method, and where its items go.
type Outgoing<T, A, B, R, F> = (Yielding<T, A, B, R, F>, Arc<Flow<R>>, &'static Function);

async fn run_to_yield<T, A, B, R, F>(job: Visit<T, Outgoing<T, A, B, R, F>>, copy: usize) -> bool
where
    T: Send + 'static,
    A: Arguments<B>,
    R: Send + 'static,
    F: Future<Output = (Held<T>, bool)>,
{
    let (place, ((arguments, body, is_changed), flow, function)) = job;
    let slot = &place.slots[copy];
    let outlet = AsyncOutlet::new(function, flow, slot.clone());
    let (held, is_all) = body(slot.hold(is_changed), arguments.values(), outlet).await;
    held.give_back();
    is_all
}

/// The function as one of a type that can be written.
fn at_copy<J, F>(body: fn(J, usize) -> F) -> fn(J, usize) -> F {
    body
}

/// The same for what needs no copy.
fn plainly<J, F>(body: fn(J) -> F) -> fn(J) -> F {
    body
}

/// A value that is made on tokio, and dropped there.
struct Polled<T> {
    constructor: &'static Function,
    place: Arc<Place<T>>,
    copy: usize,
    maker: Arc<Kept<Maker<T>>>,
}

impl<T> Polled<T> {
    fn slot(&self) -> &Arc<Slot<T>> {
        &self.place.slots[self.copy]
    }
}

impl<T: Send + 'static> Home for Polled<T> {
    fn make(&self, turn: Turn) {
        let Ok(runtime) = &self.place.runtime else {
            // Each call says why.
            return turn.leave();
        };
        let (name, slot) = (self.constructor.name(), Arc::clone(self.slot()));
        let job = (name, slot, Arc::clone(&self.maker));
        let body = plainly(|(name, slot, maker): Making<T>| async move {
            slot.clear();
            made(name, maker.run(name, |maker| maker())?).await
        });
        let ticket = Ticket::making(&turn);
        let call = AsyncCall::in_line(runtime.clone(), self.constructor, ticket, job, body);
        Construction::begin(turn, self.slot(), call);
    }

    fn clear(&self, turn: Turn, is_last: bool) {
        static DROP: Function = Function::new("drop");
        let Ok(runtime) = &self.place.runtime else { return turn.leave() };
        let (name, maker) = (self.constructor.name(), is_last.then(|| Arc::clone(&self.maker)));
        let job = (Arc::clone(self.slot()), name, maker);
        let body = plainly(|(slot, name, maker): Clearing<T>| async move {
            slot.clear();
            maker.into_iter().for_each(|maker| maker.clear(name));
        });
        let ticket = Ticket::from(&turn);
        AsyncCall::in_line(runtime.clone(), &DROP, ticket, job, body).begin(&turn);
    }

    fn is_lost(&self) -> bool {
        self.slot().is_lost()
    }
}

/// The value, or what calls are told if there is none.
async fn made<T>(name: &'static str, mut making: Constructing<T>) -> Made<T> {
    let polled = poll_fn(|context| {
        let polled: Result<_, Error> = panic::catch(name, || making.as_mut().poll(context));
        match polled {
            Ok(polled) => polled.map(|made| made.map_err(|why| failed(name, &why))),
            Err(error) => std::task::Poll::Ready(Err(failed(name, &error))),
        }
    });
    polled.await
}
