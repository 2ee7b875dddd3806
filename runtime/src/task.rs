//! [`Task`]: the one handle of every mode. It knows no engine: a [`Call`] is all it sees of one.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::cell::Cell;
use crate::error::Error;
use crate::relay::{self, Asked};
use crate::timer::Alarm;
use crate::{forks, tokio};

mod waiting;

pub(crate) use waiting::{ask, cancel, has_ended_by_now, poll, wait_for};

/// How long a joiner waits before it checks whether it can help after all: at first, and then again
/// each time.
pub(crate) const FIRST_PATIENCE: Duration = Duration::from_millis(20);
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// What an engine or a combinator implements.
pub(crate) trait Call<T>: Send + Sync {
    fn cell(&self) -> &Cell<T>;

    /// Takes the result if the task has finished; once. A result that has to be decoded is decoded
    /// here.
    fn take(&self) -> Option<Result<T, Error>> {
        self.cell().take()
    }

    /// Nobody wants the result any more, as [`Cell::abandon`] has it. One that is made of the
    /// values of several tasks is taken apart.
    fn abandon(&self) -> bool {
        self.cell().abandon()
    }

    /// The function's name, for errors.
    fn name(&self) -> &'static str;

    /// The joiner offers its thread: claims the job if it is still queued and runs it here. Does
    /// nothing if that is not possible.
    fn help(self: Arc<Self>) {}

    /// Whoever has helped does not come back by itself: others see to the call.
    fn rest(&self) {}

    /// Called at the first poll: spins for a few microseconds if the task is likely to end in them.
    fn glance(&self) {}

    /// Whether the task's body has a deadline. A joiner that ran it could not leave at that time,
    /// so none does.
    fn has_deadline(&self) -> bool {
        false
    }

    /// The joiner would rather not run it, but it has been queued for long: has an extra thread run
    /// it now. Does nothing if that is not possible.
    fn hasten(self: Arc<Self>) {}

    /// Ends the task as far as the mode can, without blocking. A task that has not started ends
    /// with `why`; so does a running one if it can be stopped, and always if `why` is a deadline.
    fn cancel(self: Arc<Self>, why: Error);

    /// Called before a wait: whether a thread that blocks here could never be woken, because it is
    /// the thread that has to run the task. A task that nobody can ever run ends with an error
    /// here. One that has parts adds itself to `asked`, so that those are asked too.
    fn needs_this_thread(self: Arc<Self>, _asked: &mut Asked) -> bool {
        false
    }
}

/// Ends a call as timed out, if it still exists. Does not keep the call alive.
pub(crate) fn time_out<T, C>(call: &Arc<C>, after: Duration) -> impl FnOnce() + Send + use<T, C>
where
    T: 'static,
    C: Call<T> + ?Sized + 'static,
{
    let call = Arc::downgrade(call);
    let clock = tokio::paused_clock();
    move || {
        if let Some(call) = call.upgrade() {
            let why = Error::timed_out(call.name(), after);
            let end = || Arc::clone(&call).cancel(why);
            // What follows the end is on this thread.
            match clock.map(|clock| clock.hold()) {
                None => end(),
                Some(clock) => clock.within(end),
            }
            relay::discard(call);
        }
    }
}

/// Ends a call as timed out after that time, unless the alarm is dropped before.
pub(crate) fn deadline<T, C>(call: &Arc<C>, after: Duration) -> Alarm
where
    T: 'static,
    C: Call<T> + ?Sized + 'static,
{
    Alarm::after(after, time_out(call, after))
}

/// A running or queued call of a concurrent function: the same handle in every mode.
///
/// Dropping it cancels the call, since nobody can take the result any more. Use
/// [`detach`](Self::detach) to let it run on. What cancelling does depends on the mode, see
/// [`cancel`](Self::cancel).
///
/// Join a task from plain code ([`join`](Self::join)), or await it in any executor; it is a
/// [`Future`]. Both return `Result<T, Error>`, where `T` is the function's return type, which may
/// be a `Result` itself.
///
/// ```
/// use trine::concurrent;
///
/// #[concurrent(threads)]
/// fn square(number: u64) -> u64 {
///     number * number
/// }
///
/// let a = square(3); // starts now
/// let b = square(4); // starts now
/// assert_eq!(a.join()? + b.join()?, 25);
/// # Ok::<(), trine::Error>(())
/// ```
#[must_use = "dropping a task cancels it: join or await it, or `detach` it"]
pub struct Task<T> {
    call: Arc<dyn Call<T>>,
    /// Whether it was polled.
    awaited: bool,
}

impl<T> Task<T> {
    pub(crate) fn new(call: Arc<dyn Call<T>>) -> Self {
        Self { call, awaited: false }
    }

    /// Waits for the task, blocking the thread.
    ///
    /// A task that has not started is claimed and run right here if possible (not in `async`, and
    /// not with a deadline), so a join never waits for a queue, and nested joins cannot deadlock a
    /// pool. While it waits, a pool thread lends its permit to another, and a thread of a
    /// multi-thread tokio runtime hands over its other tasks.
    ///
    /// A body that runs here sees this thread's thread-local values, and one that runs in the pool
    /// those that earlier bodies left there: do not rely on either. On a tokio runtime's thread a
    /// body never runs here, so it may always block, and start its own runtime.
    ///
    /// # Errors
    /// The task's [`Error`] if it panicked, crashed, timed out or was cancelled.
    ///
    /// # Panics
    /// If it could only hang: the task needs the current-thread tokio runtime that this very thread
    /// is driving. Await it there, or join it in `spawn_blocking`.
    ///
    /// # Aborts
    /// If it runs the body here, in a stackful coroutine that is suspended inside of it and goes on
    /// on another thread.
    ///
    /// ```
    /// # use trine::concurrent;
    /// #[concurrent(threads)]
    /// fn greet(name: String) -> String {
    ///     format!("hello {name}")
    /// }
    /// assert_eq!(greet("trine".into()).join()?, "hello trine");
    /// # Ok::<(), trine::Error>(())
    /// ```
    pub fn join(self) -> Result<T, Error> {
        let mut patience = FIRST_PATIENCE;
        loop {
            self.help();
            // Usually this ends it, and reading the clock would cost as much again.
            if let Some(result) = self.try_take() {
                return result;
            }
            let until = Instant::now().checked_add(patience);
            if let Some(result) = wait_for(&self.call, until, Asked::by_joiner()) {
                return result;
            }
            patience = PATIENCE;
        }
    }

    /// Waits with a timeout, and returns the task itself if it is still running.
    ///
    /// Never runs the task on this thread, which has to be free to leave.
    ///
    /// # Errors
    /// The task itself if it has not finished. The inner result is that of [`join`](Self::join).
    ///
    /// # Panics
    /// As [`join`](Self::join).
    ///
    /// ```
    /// # use trine::concurrent;
    /// use std::{sync::mpsc, time::Duration};
    ///
    /// #[concurrent(threads)]
    /// fn first(numbers: mpsc::Receiver<u32>) -> Option<u32> {
    ///     numbers.recv().ok()
    /// }
    ///
    /// let (sender, receiver) = mpsc::channel();
    /// let task = first(receiver);
    /// let task = task.join_timeout(Duration::from_millis(1)).unwrap_err(); // it still waits
    /// sender.send(7).unwrap();
    /// assert_eq!(task.join()?, Some(7));
    /// # Ok::<(), trine::Error>(())
    /// ```
    pub fn join_timeout(self, timeout: Duration) -> Result<Result<T, Error>, Self> {
        let deadline = Instant::now().checked_add(timeout);
        wait_for(&self.call, deadline, Asked::by_thread()).ok_or(self)
    }

    /// Sets a deadline from now: then the task is cancelled, and joins as
    /// [`TimedOut`](crate::ErrorKind::TimedOut).
    ///
    /// Unlike the attribute's option `timeout`, which counts from the start of the body, this
    /// includes the time in the queue. A body on a thread cannot be stopped: it runs on until it
    /// checks [`trine::cancelled`](crate::cancelled), and its value is dropped.
    ///
    /// ```
    /// # use trine::concurrent;
    /// use std::time::Duration;
    ///
    /// #[concurrent(async)]
    /// async fn never() {
    ///     std::future::pending().await
    /// }
    /// let error = never().timeout(Duration::from_millis(5)).join().unwrap_err();
    /// assert!(error.is_timeout());
    /// ```
    pub fn timeout(self, timeout: Duration) -> Self
    where
        T: 'static,
    {
        if !self.has_ended() && !forks::is_child() {
            // The earlier of two deadlines counts, so keep both.
            self.call.cell().keep(deadline(&self.call, timeout));
        }
        self
    }

    /// Whether the task has ended, with a value or an error. In a forked child it always has.
    ///
    /// ```
    /// # use trine::concurrent;
    /// #[concurrent(threads)]
    /// fn quick() {}
    ///
    /// let task = quick();
    /// while !task.is_finished() {
    ///     std::thread::yield_now();
    /// }
    /// task.join()?; // does not wait
    /// # Ok::<(), trine::Error>(())
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        has_ended_by_now(&*self.call)
    }

    /// Cancels the task as far as its mode can. Does not wait.
    ///
    /// A task that has not started never will, and joins as
    /// [`Cancelled`](crate::ErrorKind::Cancelled). A running one:
    /// * `threads`: [`trine::cancelled`](crate::cancelled) becomes true inside. The body decides
    ///   what to do, and the task joins with what it returns.
    /// * `process`: its worker process is killed and replaced; joins as `Cancelled`.
    /// * `async`: stops at its next await; joins as `Cancelled`.
    ///
    /// A combined task cancels its parts. A task that has finished stays as it is.
    ///
    /// ```
    /// # use trine::concurrent;
    /// #[concurrent(threads)]
    /// fn count_until_cancelled() -> u64 {
    ///     let mut count = 0;
    ///     while !trine::cancelled() {
    ///         count += 1;
    ///         std::thread::yield_now();
    ///     }
    ///     count
    /// }
    ///
    /// let task = count_until_cancelled();
    /// task.cancel();
    /// match task.join() {
    ///     Ok(count) => println!("counted to {count}"),
    ///     Err(error) => assert!(error.is_cancelled()), // it had not started
    /// }
    /// ```
    pub fn cancel(&self) {
        if !self.has_ended() {
            waiting::cancel(&self.call);
        }
    }

    /// Lets the task run on without its handle. Its result is dropped; a deadline set by
    /// [`timeout`](Self::timeout) stays.
    ///
    /// ```
    /// # use trine::concurrent;
    /// use std::sync::mpsc;
    ///
    /// #[concurrent(threads)]
    /// fn report(to: mpsc::Sender<&'static str>) {
    ///     to.send("done").unwrap();
    /// }
    ///
    /// let (sender, receiver) = mpsc::channel();
    /// report(sender).detach();
    /// assert_eq!(receiver.recv().unwrap(), "done");
    /// ```
    pub fn detach(self) {
        self.call.abandon();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.call.cell().is_finished()
    }

    /// Runs the task here if possible; otherwise does nothing.
    pub(crate) fn help(&self) {
        if let Some(call) = self.to_help() {
            call.help();
        }
    }

    /// The call, if its joiner may run it.
    pub(crate) fn to_help(&self) -> Option<Arc<dyn Call<T>>> {
        // A joiner of a task with a deadline has to be free to leave.
        let has_deadline = self.call.cell().has_alarm() || self.call.has_deadline();
        let may_be = !has_deadline && !self.has_ended() && !forks::is_child();
        may_be.then(|| Arc::clone(&self.call))
    }

    pub(crate) fn call(&self) -> &Arc<dyn Call<T>> {
        &self.call
    }

    /// The result, if the task has finished; once.
    pub(crate) fn try_take(&self) -> Option<Result<T, Error>> {
        self.call.take()
    }
}

/// Waits in any executor. The future is the task, so dropping it cancels the task; poll it by
/// reference (`&mut task`, for example in a `select!`) to keep it.
///
/// ```
/// # use trine::concurrent;
/// #[concurrent(threads)]
/// fn answer() -> u32 {
///     42
/// }
/// # trine::block_on(async {
/// assert_eq!(answer().await?, 42);
/// # Ok::<(), trine::Error>(()) })?;
/// # Ok::<(), trine::Error>(())
/// ```
impl<T> Future for Task<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let is_first = !std::mem::replace(&mut self.awaited, true);
        if is_first && !self.has_ended() && !forks::is_child() {
            ask(&self.call, Asked::by_executor());
            self.call.glance();
        }
        poll(&*self.call, context)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if self.call.abandon() {
            waiting::cancel(&self.call);
        }
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("function", &self.call.name())
            .field("finished", &self.has_ended())
            .finish()
    }
}
