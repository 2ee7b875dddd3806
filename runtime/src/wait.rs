//! Where a thread blocks: every blocking wait of the crate is here.
//!
//! A pool thread gives its permit back while it waits, through a [`Hook`] that it installs on
//! itself. A thread of a multi-thread tokio runtime uses `block_in_place`, so that its other tasks
//! continue.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::parker::Parker;
use crate::sync::thread_local;
use crate::{relay, timer, tokio};

mod brief;
#[cfg(all(test, trine_loom))]
mod model;

pub(crate) use self::brief::{Patience, attempt, core, cores, linger, spin};

/// What a thread of an engine does around a blocking wait.
pub(crate) trait Hook: Sync {
    fn before_block(&self);
    fn after_block(&self);
}

thread_local! {
    static HOOK: Cell<Option<&'static dyn Hook>> = const { Cell::new(None) };
    static KEPT: Kept = const { Kept(Cell::new(None)) };
}

/// Installs the hook on the current thread, for good.
pub(crate) fn set_hook(hook: &'static dyn Hook) {
    HOOK.with(|slot| slot.set(Some(hook)));
}

/// Whether this is a pool thread, which others may wait for.
pub(crate) fn is_in_pool() -> bool {
    HOOK.try_with(Cell::get).is_ok_and(|hook| hook.is_some())
}

/// Runs a closure that may block, and lets other tasks use the thread's core meanwhile.
///
/// On a pool thread, another task may run in the meantime. In a task of a multi-thread tokio
/// runtime, the other tasks of that thread continue elsewhere. On any other thread this is a plain
/// call. It is not needed around `join`, which does this by itself, and never needed for
/// correctness: the pool also detects blocked threads, a little later.
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
/// If the closure does; the permit is regained first.
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

/// What a thread needs to sleep in one wait and to be woken from it.
struct Sleeper {
    parker: Arc<Parker>,
    waker: Waker,
}

impl Sleeper {
    fn new() -> Self {
        let parker = Arc::new(Parker::new());
        Self { waker: Waker::from(Arc::clone(&parker)), parker }
    }

    /// Sleeps until it is woken, until the deadline, or until this thread has to keep the time for
    /// everybody.
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

/// The sleeper for a thread's next wait; a new one is made if it is in use.
///
/// Waits may nest: for example, a future that this thread drives joins a task. If both slept on one
/// parker, the inner wait would take the token that was left for the outer one, which would then
/// sleep forever. A late wake-up, after a wait is over, reaches the next wait of its thread, which
/// merely checks once more and sleeps on.
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
        // The thread is ending and its thread-locals are gone.
        .unwrap_or_else(|| wait.take().map(|wait| wait(&Sleeper::new())).expect("it has not run"))
}

/// Blocks until `poll` returns ready or the deadline passes. `poll` gets the waker to register; it
/// is called again after each wake-up, even spurious ones.
pub(crate) fn until<R>(
    deadline: Option<Instant>,
    poll: impl FnMut(&Waker) -> Poll<R>,
) -> Option<R> {
    // This thread may have to do the thing itself that it would wait for.
    relay::catch_up();
    with_sleeper(|sleeper| sleeper.wait(deadline, poll))
}

/// Runs a future to completion on this thread.
///
/// This is how the body of an `async fn` runs under `threads` and `process`. The future uses the
/// current tokio runtime, or the one trine starts, for its timers and sockets. While it waits,
/// other tasks may use the core, as in [`blocking`].
///
/// ```
/// assert_eq!(trine::block_on(async { 6 * 7 }), 42);
/// ```
///
/// # Panics
/// If the future does.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let _context = tokio::enter();
    let mut future = pin!(tokio::without_budget(future));
    let output = until(None, |waker| future.as_mut().poll(&mut Context::from_waker(waker)));
    output.expect("without a deadline it waits for the end")
}
