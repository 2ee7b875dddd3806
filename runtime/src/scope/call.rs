//! [`ScopedTask`], and how a scoped call gets from its job to its handle.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::job::{Jobs, Left, ScopedFuture, ScopedJob, erase_observer};
use super::{Scope, Token};
use crate::cell::{Cell, Waiter};
use crate::error::Error;
use crate::function::Function;
use crate::relay::{Asked, Observer};
use crate::retry::{self, Retry};
use crate::sync::{Guard, Lock};
use crate::task::{self, Call, Task};
use crate::{panic, tokio};

/// A running or queued call inside a [`scope`](super::scope()), which may borrow.
///
/// Like [`Task`](crate::Task), but bound to its scope. Dropping it cancels the call; the scope
/// waits for its end. To gather several, join them one by one: all have started, and a join runs
/// those that nobody has claimed.
///
/// ```
/// use trine::concurrent;
///
/// #[concurrent(threads, scoped)]
/// fn total(numbers: &[u64]) -> u64 {
///     numbers.iter().sum()
/// }
///
/// let numbers: Vec<u64> = (0..100).collect();
/// let sum = trine::scope(|s| {
///     let parts: Vec<_> = numbers.chunks(25).map(|part| total(s, part)).collect();
///     parts.into_iter().map(|part| part.join()).sum::<Result<u64, _>>()
/// })?;
/// assert_eq!(sum, 4950);
/// # Ok::<(), trine::Error>(())
/// ```
#[must_use = "dropping a task cancels it: join or await it"]
pub struct ScopedTask<'scope, T> {
    call: Arc<dyn Call<T> + 'scope>,
    /// Whether it was polled.
    awaited: bool,
    scope: PhantomData<&'scope mut &'scope ()>,
}

impl<T> ScopedTask<'_, T> {
    /// Waits for the task; as [`Task::join`].
    ///
    /// # Errors
    /// As [`Task::join`].
    ///
    /// # Panics
    /// As [`Task::join`].
    pub fn join(self) -> Result<T, Error> {
        if !self.is_finished() {
            Arc::clone(&self.call).help();
        }
        match task::wait_for(&self.call, None, Asked::by_thread()) {
            Some(result) => result,
            None => unreachable!("without a deadline it waits for the end"),
        }
    }

    /// Waits with a timeout and returns the task if it has not finished; like
    /// [`Task::join_timeout`].
    ///
    /// # Errors
    /// The task itself if it has not finished.
    ///
    /// # Panics
    /// As [`Task::join`].
    pub fn join_timeout(self, timeout: Duration) -> Result<Result<T, Error>, Self> {
        let deadline = Instant::now().checked_add(timeout);
        task::wait_for(&self.call, deadline, Asked::by_thread()).ok_or(self)
    }

    /// Whether the task has ended, with a value or an error.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        task::has_ended_by_now(&*self.call)
    }

    /// Cancels the task as far as its mode can; like [`Task::cancel`].
    pub fn cancel(&self) {
        if !self.is_finished() {
            task::cancel(&self.call);
        }
    }
}

impl<T> Future for ScopedTask<'_, T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if !std::mem::replace(&mut self.awaited, true) && !self.is_finished() {
            task::ask(&self.call, Asked::by_executor());
        }
        task::poll(&*self.call, context)
    }
}

impl<T> Drop for ScopedTask<'_, T> {
    fn drop(&mut self) {
        if self.call.cell().abandon() {
            task::cancel(&self.call);
        }
    }
}

impl<T> fmt::Debug for ScopedTask<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedTask")
            .field("function", &self.call.name())
            .field("finished", &self.is_finished())
            .finish()
    }
}

/// The value on its way from a job to its handle.
struct Landing<T> {
    name: &'static str,
    cell: Cell<T>,
    /// The value that the last attempt returned; closed once the task has ended.
    value: Lock<Value<T>>,
    /// The task that runs the job, without a lifetime.
    inner: OnceLock<Task<bool>>,
}

enum Value<T> {
    Awaited,
    Returned(T),
    /// It is not known yet whether there will be another try.
    Failed(Error),
    Closed,
}

impl<T: Send> Landing<T> {
    fn new(function: &'static Function) -> Arc<Self> {
        Arc::new(Self {
            name: function.name(),
            cell: Cell::running(),
            value: Lock::new(Value::Awaited),
            inner: OnceLock::new(),
        })
    }

    fn value(&self) -> Guard<'_, Value<T>> {
        self.value.lock()
    }

    /// Called by the job, which holds a token: a value that comes too late is dropped here.
    fn put(&self, value: Value<T>) {
        let late = {
            let mut slot = self.value();
            match &*slot {
                Value::Closed => value,
                _ => std::mem::replace(&mut *slot, value),
            }
        };
        panic::drop_quietly(late);
    }

    /// Puts a value, and says whether the call is to be tried again, which `None` never is.
    fn judge(&self, value: T, again: Option<Retry<T>>) -> bool {
        let wants = |again: Retry<T>| panic::catch(self.name, || again.wants(Ok(&value)));
        match again.map_or(Ok(false), wants) {
            Ok(wants) => {
                self.put(Value::Returned(value));
                wants
            }
            Err(error) => {
                panic::drop_quietly(value);
                self.put(Value::Failed(error));
                false
            }
        }
    }

    /// Joins the inner task with the handle's cell.
    fn connect<'scope>(
        self: Arc<Self>,
        scope: &'scope Scope<'scope, '_>,
        inner: Task<bool>,
    ) -> ScopedTask<'scope, T>
    where
        T: 'scope,
    {
        let inner = self.inner.get_or_init(|| inner);
        let observer = Arc::new(Lands { landing: Arc::clone(&self), _token: scope.token() });
        let observer = erase_observer(observer);
        if let Err(waiter) = inner.call().cell().register(Waiter::Observer(observer, 0)) {
            waiter.tell();
        }
        ScopedTask { call: self, awaited: false, scope: PhantomData }
    }
}

/// Told when the inner task has ended. It alone moves a value into the handle's cell, where it is
/// dropped if the handle is gone, and it holds a token until that is done.
struct Lands<T> {
    // Dropped in this order: the token last.
    landing: Arc<Landing<T>>,
    _token: Token,
}

impl<T: Send> Observer for Lands<T> {
    fn finished(self: Arc<Self>, _: usize) {
        let value = std::mem::replace(&mut *self.landing.value(), Value::Closed);
        let ended = self.landing.inner.get().and_then(Task::try_take);
        let result = match (ended, value) {
            (Some(Err(error)), value) => {
                panic::drop_quietly(value);
                Err(error)
            }
            (Some(Ok(_)), Value::Returned(value)) => Ok(value),
            (Some(Ok(_)), Value::Failed(error)) => Err(error),
            _ => Err(Error::cancelled(self.landing.name)),
        };
        self.landing.cell.finish(result);
    }
}

impl<T: Send> Call<T> for Landing<T> {
    fn cell(&self) -> &Cell<T> {
        &self.cell
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn help(self: Arc<Self>) {
        if let Some(inner) = self.inner.get() {
            inner.help();
        }
    }

    fn cancel(self: Arc<Self>, why: Error) {
        if let Some(inner) = self.inner.get() {
            Arc::clone(inner.call()).cancel(why);
        }
    }

    fn needs_this_thread(self: Arc<Self>, asked: &mut Asked) -> bool {
        let inner = self.inner.get().map(|inner| Arc::clone(inner.call()));
        inner.is_some_and(|inner| inner.needs_this_thread(asked))
    }
}

/// Starts a body that may borrow; the engine's `start` runs the job.
pub(crate) fn launch<'scope, T>(
    scope: &'scope Scope<'scope, '_>,
    function: &'static Function,
    body: impl FnOnce() -> T + Send + 'scope,
    start: impl FnOnce(ScopedJob) -> Task<bool>,
) -> ScopedTask<'scope, T>
where
    T: Send + 'scope,
{
    let landing = Landing::new(function);
    let place = Arc::clone(&landing);
    let run = move || place.judge(body(), None);
    let inner = start(ScopedJob::new(run, scope.token()));
    landing.connect(scope, inner)
}

/// The same for an async body.
pub(crate) fn launch_future<'scope, T, F>(
    scope: &'scope Scope<'scope, '_>,
    function: &'static Function,
    body: impl FnOnce() -> F + Send + 'scope,
    start: impl FnOnce(ScopedFuture) -> Task<bool>,
) -> ScopedTask<'scope, T>
where
    T: Send + 'scope,
    F: Future<Output = T> + Send + 'scope,
{
    let landing = Landing::new(function);
    let inner = start(future_job(&landing, scope.token(), body, None));
    landing.connect(scope, inner)
}

fn future_job<'scope, T, F>(
    landing: &Arc<Landing<T>>,
    token: Token,
    body: impl FnOnce() -> F + Send + 'scope,
    again: Option<Retry<T>>,
) -> ScopedFuture
where
    T: Send + 'scope,
    F: Future<Output = T> + Send + 'scope,
{
    let place = Arc::clone(landing);
    let future = async move { place.judge(body().await, again) };
    ScopedFuture::new(future, token)
}

/// Starts a body that may borrow, and again as long as it fails and retries are left.
pub(crate) fn launch_retrying<'scope, A, T>(
    scope: &'scope Scope<'scope, '_>,
    function: &'static Function,
    arguments: A,
    body: fn(A) -> T,
    again: Retry<T>,
    start: impl Fn(ScopedJob) -> Task<bool> + Send + Sync + 'static,
) -> ScopedTask<'scope, T>
where
    A: Clone + Send + 'scope,
    T: Send + 'scope,
{
    let landing = Landing::new(function);
    let place = Arc::clone(&landing);
    let token = scope.token();
    let left = Left::new(function.options().retries);
    let make = move || {
        let (arguments, place) = (arguments.clone(), Arc::clone(&place));
        let again = left.next().then_some(again);
        let run = move || place.judge(body(arguments), again);
        ScopedJob::new(run, token.clone())
    };
    let jobs = Jobs::new(make, move |error| again.wants(Err(error)), scope.token());
    let wants = jobs.wants();
    let start = move |jobs: Jobs<ScopedJob>| start(jobs.make());
    let inner = retry::spawn(function, tokio::hold_clock(), jobs, start, wants);
    landing.connect(scope, inner)
}

/// The same for an async body.
pub(crate) fn launch_retrying_future<'scope, A, T, F>(
    scope: &'scope Scope<'scope, '_>,
    function: &'static Function,
    arguments: A,
    body: fn(A) -> F,
    again: Retry<T>,
    start: impl Fn(ScopedFuture) -> Task<bool> + Send + Sync + 'static,
) -> ScopedTask<'scope, T>
where
    A: Clone + Send + 'scope,
    T: Send + 'scope,
    F: Future<Output = T> + Send + 'scope,
{
    let landing = Landing::new(function);
    let place = Arc::clone(&landing);
    let token = scope.token();
    let left = Left::new(function.options().retries);
    let make = move || {
        let arguments = arguments.clone();
        let again = left.next().then_some(again);
        future_job(&place, token.clone(), move || body(arguments), again)
    };
    let jobs = Jobs::new(make, move |error| again.wants(Err(error)), scope.token());
    let wants = jobs.wants();
    let start = move |jobs: Jobs<ScopedFuture>| start(jobs.make());
    let inner = retry::spawn(function, tokio::hold_clock(), jobs, start, wants);
    landing.connect(scope, inner)
}

/// Takes a task that borrows nothing into the scope.
pub(crate) fn adopt<'scope, T: Send + 'static>(
    scope: &'scope Scope<'scope, '_>,
    task: Task<T>,
) -> ScopedTask<'scope, T> {
    let token = scope.token();
    let task = task.map_result(move |result| {
        drop(token);
        result
    });
    ScopedTask { call: Arc::new(Adopted(task)), awaited: false, scope: PhantomData }
}

/// A task behind a scoped handle.
struct Adopted<T>(Task<T>);

impl<T: Send> Call<T> for Adopted<T> {
    fn cell(&self) -> &Cell<T> {
        self.0.call().cell()
    }

    fn name(&self) -> &'static str {
        self.0.call().name()
    }

    fn help(self: Arc<Self>) {
        self.0.help();
    }

    fn cancel(self: Arc<Self>, why: Error) {
        Arc::clone(self.0.call()).cancel(why);
    }

    fn needs_this_thread(self: Arc<Self>, asked: &mut Asked) -> bool {
        Arc::clone(self.0.call()).needs_this_thread(asked)
    }
}
