//! `retries = N`: a task over the attempts of a call, in every mode.
//!
//! An engine runs one attempt; this module starts the next. Attempts are ordinary tasks, so each
//! has its own `timeout` and its own place under `limit`, and between them no thread or place is
//! held.

use std::ops::Deref;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::cell::{Cell, Waiter};
use crate::error::{Error, ErrorKind};
use crate::function::Function;
use crate::relay::{Asked, Observer};
use crate::sync::{Guard, Lock};
use crate::task::{Call, Task};
use crate::timer::Alarm;
use crate::{observe, panic, random, sequential, timer, wait};

/// The longest wait between two attempts.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60 * 60);

/// Calls `start` with a clone of the arguments, and again as long as it fails and retries are left.
pub(crate) fn spawn<A, T, S>(
    function: &'static Function,
    arguments: A,
    start: S,
    failed: fn(&T) -> bool,
) -> Task<T>
where
    A: Clone + Send + 'static,
    T: Send + 'static,
    S: Fn(A) -> Task<T> + Send + Sync + 'static,
{
    let progress = Progress {
        arguments: Some(arguments),
        left: function.options().retries,
        backoff: function.options().backoff,
        attempt: None,
        pause: None,
    };
    if progress.backoff > Duration::ZERO {
        timer::prepare();
    }
    let retrying = Arc::new(Retrying {
        function,
        cell: Cell::running(),
        start,
        failed,
        began: Instant::now(),
        is_inline: sequential::is_on(),
        progress: Lock::new(progress),
    });
    retrying.attempt();
    Task::new(retrying)
}

struct Retrying<A, T, S> {
    function: &'static Function,
    cell: Cell<T>,
    start: S,
    failed: fn(&T) -> bool,
    began: Instant,
    /// Each attempt ends in the call that starts it.
    is_inline: bool,
    progress: Lock<Progress<A, T>>,
}

struct Progress<A, T> {
    /// `None` once the last attempt has taken them.
    arguments: Option<A>,
    left: u32,
    backoff: Duration,
    attempt: Option<Arc<Task<T>>>,
    /// The pause before the next attempt; dropping it calls the attempt off.
    pause: Option<Alarm>,
}

impl<A, T, S> Retrying<A, T, S>
where
    A: Clone + Send + 'static,
    T: Send + 'static,
    S: Fn(A) -> Task<T> + Send + Sync + 'static,
{
    fn progress(&self) -> Guard<'_, Progress<A, T>> {
        self.progress.lock()
    }

    fn current(&self) -> Option<Arc<Task<T>>> {
        self.progress().attempt.clone()
    }

    /// Starts an attempt, and the following ones in this loop as long as each ends at once and
    /// needs no pause.
    fn attempt(self: &Arc<Self>) {
        while let Some(arguments) = self.next_arguments() {
            // This copies the arguments of scoped calls.
            let started = panic::catch(self.function.name(), || (self.start)(arguments));
            let attempt = match started {
                Ok(attempt) => Arc::new(attempt),
                Err(error) => return self.end(Err(error)),
            };
            self.progress().attempt = Some(Arc::clone(&attempt));
            // A concurrent cancel saw the previous attempt and left this one to us.
            if self.cell.is_finished() {
                attempt.cancel();
                return;
            }
            let observer: Arc<dyn Observer> = self.clone();
            let waiter = Waiter::Observer(observer, 0);
            if attempt.call().cell().register(waiter).is_ok() || !self.conclude() {
                return;
            }
        }
    }

    /// The arguments for the next attempt, copied if another one may follow. Copying runs user
    /// code, so the lock is not held, and a panic becomes the task's error.
    fn next_arguments(&self) -> Option<A> {
        let (arguments, is_last) = {
            let mut progress = self.progress();
            (progress.arguments.take()?, progress.left == 0)
        };
        if is_last && !self.cell.is_finished() {
            return Some(arguments);
        }
        let copy = panic::catch(self.function.name(), || arguments.clone());
        self.progress().arguments = Some(arguments);
        match copy {
            // Otherwise a concurrent cancel found no arguments to drop.
            Ok(copy) if !self.cell.is_finished() => return Some(copy),
            Ok(copy) => panic::drop_quietly(copy),
            Err(error) => self.end(Err(error)),
        }
        self.drop_arguments();
        None
    }

    fn drop_arguments(&self) {
        // Not when the handle is dropped, which may be later: they may hold a scope open.
        let arguments = self.progress().arguments.take();
        panic::drop_quietly(arguments);
    }

    fn end(&self, result: Result<T, Error>) {
        let tries = self.function.options().retries - self.progress().left + 1;
        self.cell.finish(result.map_err(|error| error.after_tries(tries, self.began.elapsed())));
        self.drop_arguments();
    }

    /// Examines the attempt that has ended; returns whether the next one may start at once.
    fn conclude(self: &Arc<Self>) -> bool {
        let Some(result) = self.current().and_then(|attempt| attempt.try_take()) else {
            return false;
        };
        match self.has_failed(&result) {
            Ok(true) if self.progress().left > 0 && !self.cell.is_finished() => {}
            Ok(_) => {
                self.end(result);
                return false;
            }
            Err(error) => {
                panic::drop_quietly(result);
                self.end(Err(error));
                return false;
            }
        }
        panic::drop_quietly(result);
        observe::retried(self.function);
        let mut progress = self.progress();
        progress.left -= 1;
        let ended = progress.attempt.take();
        let pause = jittered(progress.backoff);
        progress.backoff = progress.backoff.saturating_mul(2).min(LONGEST_BACKOFF);
        drop(progress);
        drop(ended);
        if self.is_inline {
            wait::blocking(|| thread::sleep(pause));
        } else if !pause.is_zero() {
            self.pause(pause);
            return false;
        }
        true
    }

    /// Schedules the next attempt after a pause.
    fn pause(self: &Arc<Self>, pause: Duration) {
        let next = Arc::downgrade(self);
        let alarm = Alarm::after(pause, move || {
            if let Some(next) = next.upgrade() {
                next.attempt();
                // The waiter has asked before.
                next.needs_this_thread(&mut Asked::by_executor());
            }
        });
        let earlier = self.progress().pause.replace(alarm);
        drop(earlier);
        if self.cell.is_finished() {
            // A concurrent cancel did not find it.
            let alarm = self.progress().pause.take();
            drop(alarm);
        }
    }

    /// Whether the attempt should be repeated, or the error if that check panics.
    fn has_failed(&self, result: &Result<T, Error>) -> Result<bool, Error> {
        match result {
            Ok(value) => panic::catch(self.function.name(), || (self.failed)(value)),
            // Nobody wants it any more, or it would fail in the same way.
            Err(error) => {
                Ok(!matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Codec { .. }))
            }
        }
    }
}

/// Between half of the pause and all of it, so that calls that failed together are not retried
/// together.
fn jittered(wait: Duration) -> Duration {
    let random = random::number() as u32;
    wait / 2 + (wait / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
}

impl<A, T, S> Observer for Retrying<A, T, S>
where
    A: Clone + Send + 'static,
    T: Send + 'static,
    S: Fn(A) -> Task<T> + Send + Sync + 'static,
{
    fn finished(self: Arc<Self>, _: usize) {
        if self.conclude() {
            self.attempt();
        }
    }
}

impl<A, T, S> Call<T> for Retrying<A, T, S>
where
    A: Clone + Send + 'static,
    T: Send + 'static,
    S: Fn(A) -> Task<T> + Send + Sync + 'static,
{
    fn cell(&self) -> &Cell<T> {
        &self.cell
    }

    fn name(&self) -> &'static str {
        self.function.name()
    }

    fn help(self: Arc<Self>) {
        let mut helped: Option<Arc<Task<T>>> = None;
        // The next attempt, if the previous one ended here and needed no pause.
        while let Some(attempt) = self.current()
            && helped.as_ref().is_none_or(|helped| !Arc::ptr_eq(helped, &attempt))
        {
            attempt.help();
            helped = Some(attempt);
        }
    }

    fn cancel(self: Arc<Self>, why: Error) {
        self.cell.finish(Err(why));
        let (attempt, pause, arguments) = {
            let mut progress = self.progress();
            (progress.attempt.clone(), progress.pause.take(), progress.arguments.take())
        };
        drop(pause);
        panic::drop_quietly(arguments);
        if let Some(attempt) = attempt {
            attempt.cancel();
        }
    }

    fn needs_this_thread(self: Arc<Self>, asked: &mut Asked) -> bool {
        let mut needs = false;
        let mut was_asked: Option<Arc<Task<T>>> = None;
        // Also the next attempt, if the previous one could not run.
        while let Some(attempt) = self.current().filter(|attempt| !attempt.is_finished())
            && was_asked.as_ref().is_none_or(|asked| !Arc::ptr_eq(asked, &attempt))
        {
            needs = Arc::clone(attempt.call()).needs_this_thread(asked);
            was_asked = Some(attempt);
        }
        needs
    }
}

/// Wraps a returned value to check whether it is a failure.
///
/// Functions with `retries` use it, whatever the name of their return type: a `Result` can be
/// `Err`, every other value is a success. In a function that is generic over its whole return type,
/// every value counts as a success.
///
/// ```
/// use trine::Returned;
/// assert!(Returned(&Err::<(), _>("no")).is_err());
/// assert!(!Returned(&Ok::<_, ()>(1)).is_err());
/// assert!(!Returned(&1).is_err());
/// ```
#[derive(Debug)]
pub struct Returned<'a, T>(pub &'a T);

impl<T, E> Returned<'_, Result<T, E>> {
    /// Whether the `Result` is `Err`.
    #[must_use]
    pub fn is_err(&self) -> bool {
        self.0.is_err()
    }
}

/// Gives every other type an `is_err`, through autoderef: a method not found on a type is looked up
/// on its target.
impl<T> Deref for Returned<'_, T> {
    type Target = Success;

    fn deref(&self) -> &Success {
        &Success(())
    }
}

/// A value of a type that is not a `Result`.
#[doc(hidden)]
#[derive(Debug)]
pub struct Success(());

impl Success {
    /// It is not a failure.
    #[must_use]
    #[expect(clippy::unused_self, reason = "called as the method of the same name of a `Result`")]
    pub fn is_err(&self) -> bool {
        false
    }
}
