//! Where a thread blocks: every blocking wait of the crate is here.
//!
//! A pool's thread gives its permit back for as long as it waits; it hangs a [`Hook`] on itself for
//! that. A thread of a multi-thread tokio runtime says so by `block_in_place`, so that its other
//! tasks go on.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crossbeam_utils::Backoff;

use crate::parker::Parker;
use crate::sync::thread_local;
use crate::{relay, timer, tokio};

#[cfg(all(test, trine_loom))]
mod model;

/// What a thread of an engine does around a blocking wait.
pub(crate) trait Hook: Sync {
    fn before_block(&self);
    fn after_block(&self);
}

thread_local! {
    static HOOK: Cell<Option<&'static dyn Hook>> = const { Cell::new(None) };
    static KEPT: Kept = const { Kept(Cell::new(None)) };
}

/// Hangs the hook on the current thread, for good.
pub(crate) fn set_hook(hook: &'static dyn Hook) {
    HOOK.with(|slot| slot.set(Some(hook)));
}

/// Whether this thread is one of the pool's, which others may wait for.
pub(crate) fn is_in_pool() -> bool {
    HOOK.try_with(Cell::get).is_ok_and(|hook| hook.is_some())
}

/// Runs a closure that may block: the thread's permit, or tokio's worker, is lent meanwhile.
///
/// On a thread of the pool another task gets the permit to run. In a task of a multi-thread tokio
/// runtime the others of that thread go on elsewhere. On any other thread it is a plain call. Not
/// needed around `join`, which does it by itself, and never a matter of correctness: the pool also
/// finds blocked threads by itself, a little later.
///
/// ```
/// use std::{thread, time::Duration};
/// use trine::concurrent;
///
/// #[concurrent(threads)]
/// fn slow_device() -> u8 {
///     trine::blocking(|| {
///         thread::sleep(Duration::from_millis(1));
///         7
///     })
/// }
/// assert_eq!(slow_device().join()?, 7);
/// # Ok::<(), trine::Error>(())
/// ```
///
/// # Panics
/// When the closure does; the permit is regained first.
pub fn blocking<R>(wait: impl FnOnce() -> R) -> R {
    struct After(&'static dyn Hook);
    impl Drop for After {
        fn drop(&mut self) {
            self.0.after_block();
        }
    }
    match HOOK.try_with(Cell::get) {
        Ok(Some(hook)) => {
            hook.before_block();
            let _after = After(hook);
            wait()
        }
        _ => tokio::lent(wait),
    }
}

/// The means to sleep in one wait and be woken from it.
struct Sleeper {
    parker: Arc<Parker>,
    waker: Waker,
}

impl Sleeper {
    fn new() -> Self {
        let parker = Arc::new(Parker::new());
        Self { waker: Waker::from(Arc::clone(&parker)), parker }
    }

    /// Sleeps until it is woken, or until the deadline, or a moment where this thread has to look
    /// at the time for all.
    fn park(&self, deadline: Option<Instant>) {
        if timer::needs_stand_in() {
            let tick = Instant::now() + timer::STAND_IN_TICK;
            self.parker.park_until(deadline.map_or(tick, |deadline| deadline.min(tick)));
            timer::stand_in();
        } else if let Some(deadline) = deadline {
            self.parker.park_until(deadline);
        } else {
            self.parker.park();
        }
    }

    /// See [`until`].
    fn wait<R>(
        &self,
        deadline: Option<Instant>,
        mut poll: impl FnMut(&Waker) -> Poll<R>,
    ) -> Option<R> {
        if let Poll::Ready(value) = poll(&self.waker) {
            return Some(value);
        }
        blocking(|| {
            loop {
                self.park(deadline);
                if let Poll::Ready(value) = poll(&self.waker) {
                    return Some(value);
                }
                if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                    return None;
                }
            }
        })
    }
}

/// What a thread sleeps with in its next wait, made anew where it is in use.
///
/// A wait may be inside of another one: a future that is driven by this thread joins a task, say.
/// If both slept on one parker, the inner wait would take the token that was left for the outer
/// one, and that would sleep for ever. What is woken late, when a wait is over, finds the next one
/// of its thread: which looks again without need, and sleeps on.
#[derive(Default)]
struct Kept(Cell<Option<Sleeper>>);

impl Kept {
    fn lend<R>(&self, wait: impl FnOnce(&Sleeper) -> R) -> R {
        let sleeper = self.0.take().unwrap_or_else(Sleeper::new);
        let result = wait(&sleeper);
        self.0.set(Some(sleeper));
        result
    }
}

fn with_sleeper<R>(wait: impl FnOnce(&Sleeper) -> R) -> R {
    let mut wait = Some(wait);
    KEPT.try_with(|kept| wait.take().map(|wait| kept.lend(wait)))
        .ok()
        .flatten()
        // The thread is ending and has nothing kept any more.
        .unwrap_or_else(|| wait.take().map(|wait| wait(&Sleeper::new())).expect("it has not run"))
}

/// Looks for a moment whether it is done: most waits for a task that already runs are shorter than
/// going to sleep would take.
pub(crate) fn spin(done: impl Fn() -> bool) -> bool {
    let backoff = Backoff::new();
    while !done() {
        if backoff.is_completed() {
            return false;
        }
        backoff.snooze();
    }
    true
}

/// Blocks until `poll` says ready or the deadline passes. `poll` gets the waker to leave where the
/// event will be told; it is called again after each wake-up, also needless ones.
pub(crate) fn until<R>(
    deadline: Option<Instant>,
    poll: impl FnMut(&Waker) -> Poll<R>,
) -> Option<R> {
    // What this thread would wait for may be its own to do.
    relay::catch_up();
    with_sleeper(|sleeper| sleeper.wait(deadline, poll))
}

/// Drives a future to its end on this thread.
///
/// This is how the body of an `async fn` runs under `threads` and `process`. The future finds the
/// ambient tokio runtime, or the one trine starts, for its timers and sockets; while it waits the
/// thread's permit is lent, as in [`blocking`].
///
/// ```
/// assert_eq!(trine::block_on(async { 6 * 7 }), 42);
/// ```
///
/// # Panics
/// When the future does.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let _context = tokio::enter();
    let mut future = pin!(tokio::without_budget(future));
    let output = until(None, |waker| future.as_mut().poll(&mut Context::from_waker(waker)));
    output.expect("without a deadline it waits for the end")
}
