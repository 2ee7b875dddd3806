//! `retries = N`: a task over the attempts of a call, in every mode; `retry/which.rs` says which
//! outcomes are tried again.
//!
//! An engine runs one attempt; this module starts the next. Attempts are ordinary tasks, so each
//! has its own `timeout` and its own place under `limit`, and between them no thread or place is
//! held.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::carry::{self, Carried};
use crate::cell::{Cell, Waiter};
use crate::drain::Following;
use crate::error::Error;
use crate::function::Function;
use crate::relay::{self, Asked, Observer};
use crate::sync::{Guard, Lock};
use crate::task::{Call, Task};
use crate::timer::Alarm;
use crate::tokio::{self, HeldClock};
use crate::{forks, observe, panic, random, sequential, timer, wait};

mod which;

pub use self::which::{Retry, Returned};

/// The longest wait between two attempts.
const MAX_BACKOFF: Duration = Duration::from_secs(60 * 60);

/// Starts `start` with a clone of the arguments, again while `wants` says so of its outcome and
/// retries are left. The `clock` stands still for all of it if the attempts run outside of the
/// runtime whose clock it is; otherwise it stands still in pauses, which take real time.
pub(crate) fn spawn<A, T, S, W>(
    function: &'static Function,
    clock: Option<HeldClock>,
    arguments: A,
    start: S,
    wants: W,
) -> Task<T>
where
    A: Clone + Send + 'static,
    T: Send + 'static,
    S: Fn(A) -> Task<T> + Send + Sync + 'static,
    W: Fn(Result<&T, &Error>) -> bool + Send + Sync + 'static,
{
    let progress = Progress {
        arguments: Some(arguments),
        carried: carry::capture(),
        following: Some(Following::new()),
        left: function.options().retries,
        backoff: function.options().backoff,
        attempt: None,
        pause: None,
        clock,
    };
    if progress.backoff > Duration::ZERO {
        timer::prepare();
    }
    let retrying = Arc::new(Retrying {
        function,
        cell: Cell::running(),
        start,
        wants,
        began: Instant::now(),
        is_inline: sequential::is_on(),
        progress: Lock::new(progress),
    });
    retrying.attempt();
    Task::new(retrying)
}

struct Retrying<A, T, S, W> {
    function: &'static Function,
    cell: Cell<T>,
    start: S,
    wants: W,
    began: Instant,
    /// Each attempt ends in the call that starts it.
    is_inline: bool,
    progress: Lock<Progress<A, T>>,
}

struct Progress<A, T> {
    /// What is current at the call, and so in each attempt, whoever starts it. Gone at the end.
    carried: Option<Carried>,
    /// Until it has ended.
    following: Option<Following>,
    /// `None` once the last attempt has taken them.
    arguments: Option<A>,
    left: u32,
    backoff: Duration,
    attempt: Option<Arc<Task<T>>>,
    /// The pause before the next attempt; dropping it calls the attempt off.
    pause: Option<Alarm>,
    /// Until it has ended.
    clock: Option<HeldClock>,
}

impl<A, T, S, W> Retrying<A, T, S, W>
where
    A: Clone + Send + 'static,
    T: Send + 'static,
    S: Fn(A) -> Task<T> + Send + Sync + 'static,
    W: Fn(Result<&T, &Error>) -> bool + Send + Sync + 'static,
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
            let carried = self.progress().carried.clone();
            let started = panic::catch(self.function.name(), || {
                carry::within(carried.as_ref(), || (self.start)(arguments))
            });
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
        let (arguments, carried, following, clock) = {
            let mut progress = self.progress();
            let Progress { arguments, carried, following, clock, .. } = &mut *progress;
            (arguments.take(), carried.take(), following.take(), clock.take())
        };
        relay::discard((arguments, carried));
        drop(following);
        panic::drop_quietly(clock);
    }

    fn end(&self, result: Result<T, Error>) {
        let tries = self.function.options().retries - self.progress().left + 1;
        let result = result.map_err(|error| error.after_tries(tries, self.began.elapsed()));
        let clock = self.progress().clock.take();
        match &clock {
            None => _ = self.cell.finish(result),
            Some(clock) => _ = clock.within(|| self.cell.finish(result)),
        }
        self.drop_arguments();
    }

    /// Examines the attempt that has ended; returns whether the next one may start at once.
    fn conclude(self: &Arc<Self>) -> bool {
        let Some(result) = self.current().and_then(|attempt| attempt.try_take()) else {
            return false;
        };
        // In a forked child nobody keeps the time of a pause.
        let is_possible = self.is_inline || !forks::is_child();
        let may_retry = is_possible && self.progress().left > 0 && !self.cell.is_finished();
        // This runs user code, so it is not asked after the last try, where nothing depends on it.
        let carried = self.progress().carried.clone();
        let asked = || carry::within(carried.as_ref(), || (self.wants)(result.as_ref()));
        let wants = || panic::catch(self.function.name(), asked);
        match if may_retry { wants() } else { Ok(false) } {
            Ok(true) if !self.cell.is_finished() => {}
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
        progress.backoff = progress.backoff.saturating_mul(2).min(MAX_BACKOFF);
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
        // Nobody else may hold it: its handle is gone when it is detached.
        let next = Arc::clone(self);
        // On tokio this is the thread of the attempt.
        let clock = tokio::hold_clock();
        let earlier = {
            // Locked, so that the next attempt, which may be over at once, sets its pause after
            // this one, and does not lose it.
            let mut progress = self.progress();
            let alarm = Alarm::after(pause, move || {
                // It copies the arguments.
                relay::run(move || {
                    next.attempt();
                    // The waiter has asked before.
                    next.needs_this_thread(&mut Asked::by_executor());
                    panic::drop_quietly(clock);
                });
            });
            progress.pause.replace(alarm)
        };
        drop(earlier);
        if self.cell.is_finished() {
            // A concurrent cancel did not find it.
            let alarm = self.progress().pause.take();
            drop(alarm);
        }
    }
}

/// Between half of the pause and all of it, so that calls that failed together are not retried
/// together.
fn jittered(wait: Duration) -> Duration {
    let random = random::number() as u32;
    wait / 2 + (wait / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
}

impl<A, T, S, W> Observer for Retrying<A, T, S, W>
where
    A: Clone + Send + 'static,
    T: Send + 'static,
    S: Fn(A) -> Task<T> + Send + Sync + 'static,
    W: Fn(Result<&T, &Error>) -> bool + Send + Sync + 'static,
{
    fn finished(self: Arc<Self>, _: usize) {
        if self.conclude() {
            self.attempt();
        }
    }
}

impl<A, T, S, W> Call<T> for Retrying<A, T, S, W>
where
    A: Clone + Send + 'static,
    T: Send + 'static,
    S: Fn(A) -> Task<T> + Send + Sync + 'static,
    W: Fn(Result<&T, &Error>) -> bool + Send + Sync + 'static,
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
        let (attempt, pause) = {
            let mut progress = self.progress();
            (progress.attempt.clone(), progress.pause.take())
        };
        drop(pause);
        self.drop_arguments();
        if let Some(attempt) = attempt {
            attempt.cancel();
        }
    }

    fn needs_this_thread(self: Arc<Self>, asked: &mut Asked) -> bool {
        let mut needs = false;
        let mut was_asked: Option<Arc<Task<T>>> = None;
        // Also the next attempt, if the previous one could not run.
        while let Some(attempt) = self.current().filter(|attempt| !attempt.has_ended())
            && was_asked.as_ref().is_none_or(|asked| !Arc::ptr_eq(asked, &attempt))
        {
            needs = Arc::clone(attempt.call()).needs_this_thread(asked);
            was_asked = Some(attempt);
        }
        needs
    }
}
