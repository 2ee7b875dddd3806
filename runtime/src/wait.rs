//! Where a thread blocks: every blocking wait of the crate is here.
//!
//! A pool's thread gives its permit back for as long as it waits; it hangs a [`Hook`] on itself for
//! that. A thread of a multi-thread tokio runtime says so by `block_in_place`, so that its other
//! tasks go on.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use crossbeam_utils::Backoff;
use crossbeam_utils::sync::{Parker, Unparker};

use crate::{relay, tokio};

/// What a thread of an engine does around a blocking wait.
pub(crate) trait Hook: Sync {
    fn before_block(&self);
    fn after_block(&self);
}

thread_local! {
    static HOOK: Cell<Option<&'static dyn Hook>> = const { Cell::new(None) };
    static SEAT: Seat = Seat::new();
}

/// Hangs the hook on the current thread, for good.
pub(crate) fn set_hook(hook: &'static dyn Hook) {
    HOOK.set(Some(hook));
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

/// A thread's means to sleep and be woken. Not `std::thread::park`, whose token the user's code
/// may be waiting for.
struct Seat {
    parker: Parker,
    waker: Waker,
}

struct Wakes(Unparker);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

impl Seat {
    fn new() -> Self {
        let parker = Parker::new();
        let waker = Waker::from(Arc::new(Wakes(parker.unparker().clone())));
        Self { parker, waker }
    }
}

fn with_seat<R>(sit: impl FnOnce(&Seat) -> R) -> R {
    let mut sit = Some(sit);
    SEAT.try_with(|seat| sit.take().map(|sit| sit(seat)))
        .ok()
        .flatten()
        // The thread is ending and its seat is gone: another for this once.
        .unwrap_or_else(|| sit.take().map(|sit| sit(&Seat::new())).expect("it was not run yet"))
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
    mut poll: impl FnMut(&Waker) -> Poll<R>,
) -> Option<R> {
    // What this thread would wait for may be its own to do.
    relay::catch_up();
    with_seat(|seat| {
        if let Poll::Ready(value) = poll(&seat.waker) {
            return Some(value);
        }
        blocking(|| {
            loop {
                match deadline {
                    None => seat.parker.park(),
                    Some(deadline) => seat.parker.park_deadline(deadline),
                }
                if let Poll::Ready(value) = poll(&seat.waker) {
                    return Some(value);
                }
                if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                    return None;
                }
            }
        })
    })
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
