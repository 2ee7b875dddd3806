//! The engine of `#[concurrent(async)]`: tasks on tokio.
//!
//! A task runs on the tokio runtime that is current at the call, or else on one that trine starts
//! on first use. tokio owns the future; the cell beside it makes the handle the same as in the
//! other modes, so it can be joined from plain code and awaited in any executor.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use ::tokio::runtime::Handle;
use ::tokio::task::JoinHandle;

use crate::carry::{self, Carried};
use crate::cell::{Cell, Claim, JobCell};
use crate::cross::{Answer, Arguments, RepeatableArguments};
use crate::error::{Error, ErrorKind};
use crate::function::Function;
use crate::limit::Admit;
use crate::options::Priority;
use crate::relay::Asked;
use crate::retry::{self, Retry};
use crate::scope::{self, Scope, ScopedFuture, ScopedTask};
use crate::sync::Lock;
use crate::task::{Call, Task, time_out};
use crate::{forks, panic, sequential, stream, tokio, wait};

mod deadline;
mod turn;

use deadline::Deadline;

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
        Ok(runtime) => spawn_on(runtime, function, (arguments, body), call),
        Err(refusal) => refused(function, &refusal),
    }
}

fn call<A: Arguments<B>, B, F>((arguments, body): (A, fn(B) -> F)) -> F {
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
    if let Some(refusal) = forks::refusal(function.name()) {
        return sequential::done(function.name(), Err(refusal));
    }
    let is_kept = function.limiter().is_some() || !tokio::is_multi_thread(&runtime);
    let call = Arc::new(AsyncCall {
        job: JobCell::new(function, "async", (arguments, body)),
        runtime: is_kept.then(|| runtime.clone()),
        handle: Lock::new(None),
    });
    match function.limiter() {
        None => call.spawn_on(&runtime),
        Some(limiter) => limiter.enter(function.options(), call.clone()),
    }
    Task::new(call)
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
    stream::Stream::new(flow, task, stream::as_it_is)
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
    let start = move |arguments| spawn_on(runtime.clone(), function, (arguments, body), call);
    retry::spawn(function, arguments, start, move |outcome| again.wants(outcome))
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
    scope::launch_retrying_future(scope, function, (arguments, body), call, again, start)
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

fn refused<T: Send + 'static>(function: &'static Function, refusal: &io::Error) -> Task<T> {
    let message = format!("no tokio runtime to run it on: {refusal}");
    sequential::done(
        function.name(),
        Err(Error::new(function.name(), ErrorKind::Worker { message })),
    )
}

/// The arguments, and the function that makes a future of them.
type AsyncJob<A, F> = (A, fn(A) -> F);

struct AsyncCall<A, T, F> {
    job: JobCell<AsyncJob<A, F>, T>,
    /// Where it runs. Kept if the function has a limit, to start it later, and for a current-thread
    /// runtime, whose thread must not block on it.
    runtime: Option<Handle>,
    /// tokio's own, to stop the body by. Its memory is given back with the call's, where the call
    /// was made: threads that free each other's memory wait for each other.
    handle: Lock<Option<JoinHandle<()>>>,
}

impl<A, T, F> AsyncCall<A, T, F>
where
    A: Send + 'static,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    fn spawn_on(self: &Arc<Self>, runtime: &Handle) {
        if turn::is_taken_by(self.job.function()) {
            return turn::spawn(runtime, Arc::clone(self) as Arc<dyn turn::Waiting>);
        }
        // Locked, so that a cancel which sees that it runs finds what to stop.
        let mut handle = self.handle.lock();
        *handle = Some(runtime.spawn(drive(Driver(Arc::clone(self)))));
    }
}

impl<A, T, F> turn::Waiting for AsyncCall<A, T, F>
where
    A: Send + 'static,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    fn priority(&self) -> Priority {
        self.job.function().options().priority
    }

    fn is_queued(&self) -> bool {
        self.job.cell().is_queued()
    }

    fn drive(self: Arc<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(drive(Driver(self)))
    }

    fn keep(&self, handle: JoinHandle<()>) {
        *self.handle.lock() = Some(handle);
    }
}

impl<A, T, F> Admit for AsyncCall<A, T, F>
where
    A: Send + 'static,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    fn is_pending(&self) -> bool {
        self.cell().is_pending()
    }

    fn refuse(self: Arc<Self>) {
        self.job.refuse();
    }

    fn admit(self: Arc<Self>) -> bool {
        let admitted = self.job.admit();
        if admitted && let Some(runtime) = &self.runtime {
            self.spawn_on(runtime);
        }
        admitted
    }
}

impl<A, T, F> Call<T> for AsyncCall<A, T, F>
where
    A: Send + 'static,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    fn cell(&self) -> &Cell<T> {
        self.job.cell()
    }

    fn name(&self) -> &'static str {
        self.job.function().name()
    }

    fn cancel(self: Arc<Self>, why: Error) {
        let Err(why) = self.job.revoke(why) else { return };
        if self.cell().is_finished() {
            return;
        }
        if why.is_timeout() {
            // First: a body that sees the request may return at once, after its deadline.
            self.cell().finish(Err(why));
        }
        self.cell().request_cancel();
        // A body that is being polled right now stops when it comes to its await.
        let handle = self.handle.lock().as_ref().map(JoinHandle::abort_handle);
        if let Some(handle) = handle {
            handle.abort();
        }
    }

    fn needs_this_thread(self: Arc<Self>, asked: &mut Asked) -> bool {
        let is_driven_here =
            |runtime: &Handle| !tokio::is_multi_thread(runtime) && tokio::is_driven_here(runtime);
        asked.blocks && self.runtime.as_ref().is_some_and(is_driven_here)
    }
}

/// A call that tokio owns. If tokio drops it anywhere, for example when its runtime shuts down, the
/// task ends.
struct Driver<A, T, F>(Arc<AsyncCall<A, T, F>>)
where
    A: Send + 'static,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static;

impl<A, T, F> Drop for Driver<A, T, F>
where
    A: Send + 'static,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    fn drop(&mut self) {
        let Self(call) = self;
        if !call.cell().is_finished()
            && let Err(why) = call.job.revoke(Error::cancelled(call.name()))
        {
            call.cell().finish(Err(why));
        }
    }
}

/// What tokio runs: the body, then the end of the cell. It is a plain `async fn` that holds the
/// claim, so neither pin projection nor `unsafe` is needed.
async fn drive<A, T, F>(driver: Driver<A, T, F>)
where
    A: Send + 'static,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    // Locals are dropped in reverse order, and the driver after them: when tokio drops this future
    // at an await, the body's values are dropped before the task ends.
    let Driver(call) = &driver;
    let Some(Claim { job: (arguments, body), place: _place, carried }) = call.job.claim() else {
        return;
    };
    let function = call.job.function();
    let _alarm =
        function.options().timeout.map(|allowed| Deadline::after(allowed, time_out(call, allowed)));
    let cell = call.cell();
    let result = match run(call, carried.as_ref(), || body(arguments)) {
        Err(error) => Err(error),
        Ok(future) => {
            let mut future = pin!(future);
            poll_fn(|context| {
                match run(call, carried.as_ref(), || future.as_mut().poll(context)) {
                    Ok(Poll::Ready(value)) => return Poll::Ready(Ok(value)),
                    Ok(Poll::Pending) => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
                Poll::Pending
            })
            .await
        }
    };
    cell.finish(result);
}

/// Runs a piece of the body. What panics beside it, such as a subscriber, ends the call too.
fn run<A, T, F, R>(
    call: &AsyncCall<A, T, F>,
    carried: Option<&Carried>,
    piece: impl FnOnce() -> R,
) -> Result<R, Error> {
    let cell = call.job.cell();
    panic::catch(call.job.function().name(), || cell.run(|| carry::within(carried, piece)))
}
