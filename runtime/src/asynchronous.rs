//! The engine of `#[concurrent(async)]`: tasks on tokio.
//!
//! A task runs on the tokio runtime that is ambient at the call, else on one that trine starts when
//! it is first needed. tokio owns the future; the cell beside it makes the handle the same as in
//! the other modes, so it can be joined from plain code and awaited in any executor.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{Builder, EnterGuard, Handle, Runtime, RuntimeFlavor};
use tokio::task::AbortHandle;

use crate::cell::{Cell, Claim, JobCell};
use crate::cross::{Answer, Arguments, Itself, RepeatableArguments, Same};
use crate::error::Error;
use crate::function::Function;
use crate::limit::Admit;
use crate::scope::{self, FutureJob, Scope, ScopedTask};
use crate::task::{Call, Task};
use crate::timer::Alarm;
use crate::{config, current, panic, retry, sequential};

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
/// # Panics
/// If there is no ambient runtime and trine's own cannot be started.
pub fn spawn<A, T, F>(function: &'static Function, arguments: A, body: fn(Same<A>) -> F) -> Task<T>
where
    A: Arguments + Itself<Itself = A> + 'static,
    T: 'static,
    F: Answer<Output = T> + Send + 'static,
{
    spawn_on(ambient(), function, arguments, body)
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
        let result = panic::catch(function.name(), || {
            let _context = enter();
            crate::wait::block_on(body(arguments))
        });
        return sequential::done(function.name(), result);
    }
    let call = Arc::new(AsyncCall {
        job: JobCell::new(function, (arguments, body)),
        runtime,
        abort: OnceLock::new(),
    });
    match function.limiter() {
        None => call.start(),
        Some(limiter) => limiter.enter(call.clone()),
    }
    Task::new(call)
}

/// The same for a function with `retries`; `failed` says which values count as failures.
pub fn spawn_retrying<A, T, F>(
    function: &'static Function,
    arguments: A,
    body: fn(Same<A>) -> F,
    failed: fn(&T) -> bool,
) -> Task<T>
where
    A: Arguments + RepeatableArguments + Itself<Itself = A> + 'static,
    T: 'static,
    F: Answer<Output = T> + Send + 'static,
{
    let runtime = ambient();
    let start = move |arguments| spawn_on(runtime.clone(), function, arguments, body);
    retry::spawn(function, arguments, start, failed)
}

/// The same for a function with `scoped`, whose arguments and value may borrow.
///
/// Under a current-thread runtime it runs on trine's own, since the scope's end blocks the thread
/// that the ambient one needs.
pub fn spawn_scoped<'scope, A, T, F>(
    scope: &'scope Scope<'scope, '_>,
    function: &'static Function,
    arguments: A,
    body: fn(Same<A>) -> F,
) -> ScopedTask<'scope, T>
where
    A: Arguments + Itself<Itself = A> + 'scope,
    T: 'scope,
    F: Answer<Output = T> + Send + 'scope,
{
    let start = |job: FutureJob| spawn_on(multi_thread(), function, job, |job| job);
    scope::launch_future(scope, function, move || body(arguments), start)
}

/// The same for a function with both `scoped` and `retries`.
pub fn spawn_scoped_retrying<'scope, A, T, F>(
    scope: &'scope Scope<'scope, '_>,
    function: &'static Function,
    arguments: A,
    body: fn(Same<A>) -> F,
    failed: fn(&T) -> bool,
) -> ScopedTask<'scope, T>
where
    A: Arguments + RepeatableArguments + Itself<Itself = A> + 'scope,
    T: 'scope,
    F: Answer<Output = T> + Send + 'scope,
{
    let runtime = multi_thread();
    let start = move |job: FutureJob| spawn_on(runtime.clone(), function, job, |job| job);
    scope::launch_retrying_future(scope, function, arguments, body, failed, start)
}

fn ambient() -> Handle {
    Handle::try_current().unwrap_or_else(|_| fallback().clone())
}

/// A runtime that goes on while this thread blocks.
fn multi_thread() -> Handle {
    match Handle::try_current() {
        Ok(runtime) if runtime.runtime_flavor() == RuntimeFlavor::MultiThread => runtime,
        _ => fallback().clone(),
    }
}

/// Makes a multi-thread runtime ambient for timers and sockets of futures that are driven by a
/// plain thread: the one that is, else trine's own. A current-thread runtime would need the very
/// thread that blocks.
pub(crate) fn enter() -> Option<EnterGuard<'static>> {
    let ambient = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    (!matches!(ambient, Ok(RuntimeFlavor::MultiThread))).then(|| fallback().enter())
}

/// The runtime of programs that have none.
fn fallback() -> &'static Handle {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME
        .get_or_init(|| {
            Builder::new_multi_thread()
                .worker_threads(config::threads())
                .thread_name("trine-async")
                .enable_all()
                .build()
                .expect("trine could not start a tokio runtime for its async tasks")
        })
        .handle()
}

/// The arguments, and what makes a future of them.
type Job<A, F> = (A, fn(A) -> F);

struct AsyncCall<A, T, F> {
    job: JobCell<Job<A, F>, T>,
    runtime: Handle,
    /// Set once tokio has the task.
    abort: OnceLock<AbortHandle>,
}

impl<A, T, F> AsyncCall<A, T, F>
where
    A: Send + 'static,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    fn start(self: &Arc<Self>) {
        let abort = self.runtime.spawn(drive(Arc::clone(self))).abort_handle();
        let _ = self.abort.set(abort);
        // A cancel in between found no handle and left the abort to us.
        if self.job.cell().is_cancel_requested() {
            self.abort();
        }
    }

    fn abort(&self) {
        if let Some(abort) = self.abort.get() {
            abort.abort();
        }
    }
}

impl<A, T, F> Admit for AsyncCall<A, T, F>
where
    A: Send + 'static,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    fn admit(self: Arc<Self>) -> bool {
        let admitted = self.job.admit();
        if admitted {
            self.start();
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
        if let Err(why) = self.job.revoke(why) {
            self.cell().request_cancel();
            if why.is_timeout() {
                let _ = self.cell().finish(Err(why));
            }
        }
        // tokio drops the future at its next await, and the driver with it says `Cancelled`.
        self.abort();
    }

    fn needs_this_thread(&self) -> bool {
        self.runtime.runtime_flavor() == RuntimeFlavor::CurrentThread
            && Handle::try_current().is_ok_and(|here| here.id() == self.runtime.id())
    }
}

/// What tokio runs: the body, and the cell's end.
async fn drive<A, T, F>(call: Arc<AsyncCall<A, T, F>>)
where
    A: Send + 'static,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let Some(Claim { job: (arguments, body), place: _place }) = call.job.claim() else {
        return;
    };
    let function = call.job.function();
    // Locals are dropped from the last to the first: when tokio drops this future at an await, the
    // body's values go before the task ends as cancelled, and its place is freed after.
    let _end = EndsCancelled(&*call);
    let _alarm = function.time_allowed().map(|allowed| deadline(&call, allowed));
    let state = call.cell().state();
    let result = match panic::catch(function.name(), || body(arguments)) {
        Err(error) => Err(error),
        Ok(future) => {
            let mut future = pin!(future);
            poll_fn(|context| {
                let poll = || current::run(state, || future.as_mut().poll(context));
                match panic::catch(function.name(), poll) {
                    Ok(poll) => poll.map(Ok),
                    Err(error) => Poll::Ready(Err(error)),
                }
            })
            .await
        }
    };
    if let Err(late) = call.cell().finish(result) {
        panic::drop_quietly(late);
    }
}

fn deadline<A, T, F>(call: &Arc<AsyncCall<A, T, F>>, allowed: Duration) -> Alarm
where
    A: Send + 'static,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let call = Arc::downgrade(call);
    Alarm::after(allowed, move || {
        if let Some(call) = call.upgrade() {
            let why = Error::timed_out(call.name(), allowed);
            call.cancel(why);
        }
    })
}

/// Ends the task when its future is dropped unfinished: aborted, or its runtime shut down.
struct EndsCancelled<'a, T>(&'a dyn Call<T>);

impl<T> Drop for EndsCancelled<'_, T> {
    fn drop(&mut self) {
        if !self.0.cell().is_finished() {
            let _ = self.0.cell().finish(Err(Error::cancelled(self.0.name())));
        }
    }
}
