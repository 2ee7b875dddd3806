//! What this crate knows of tokio outside the `async` engine: the relation of a thread to its
//! runtimes.
//!
//! The current handle alone says little. `Handle::enter` and `spawn_blocking` make a runtime
//! current on threads that it does not depend on, and such a thread may block freely. A thread is
//! *inside* a runtime while it polls that runtime's tasks, which tokio reports through
//! [`worker_index`](::tokio::runtime::worker_index). Trying and seeing whether tokio panics is not
//! an option: the panic is printed, and ends programs that are built to abort.

#[cfg(not(feature = "async"))]
pub(crate) use absent::*;
#[cfg(feature = "async")]
pub(crate) use paused::{
    HeldClock, PausedAlarm, PausedClock, hold_clock, hold_clock_beside, keep_clock_beside,
    paused_alarm, paused_clock, standing,
};
#[cfg(feature = "async")]
pub(crate) use present::*;

#[cfg(feature = "async")]
mod paused;

#[cfg(feature = "async")]
mod present {
    use std::cell::Cell;
    use std::future::Future;
    use std::io;
    use std::sync::OnceLock;
    use std::task::{Context, Poll};
    use std::thread;
    use std::time::{Duration, Instant};

    use ::tokio::runtime::{
        Builder, EnterGuard, Handle, Id, Runtime, RuntimeFlavor, RuntimeMetrics, worker_index,
    };
    #[cfg(not(target_family = "wasm"))]
    use ::tokio::task::block_in_place;
    use ::tokio::task::{coop, unconstrained};

    use crate::sync::Lock;
    use crate::{config, forks};

    /// How long to look for a sign that another thread drives a current-thread runtime.
    const LOOK_FOR: Duration = Duration::from_millis(20);

    thread_local! {
        /// Set while [`enter`] hides the thread's relation to the user's runtimes.
        static OUTER: Cell<Option<Outer>> = const { Cell::new(None) };
        /// The runtime that was found to be driven here, and when, so that not every task has to
        /// check.
        static SEEN: Cell<Option<(Id, Instant)>> = const { Cell::new(None) };
    }

    /// The current-thread runtime that was current before [`enter`], if any.
    #[derive(Clone, Copy)]
    struct Outer(Option<Id>);

    /// A runtime that the user has made current.
    enum Ambient {
        MultiThread,
        CurrentThread(Id),
    }

    /// The runtime for new tasks: the current one, or else trine's own.
    pub(crate) fn ambient() -> io::Result<Handle> {
        Handle::try_current().or_else(|_| fallback().cloned())
    }

    /// A runtime that makes progress while this thread blocks.
    pub(crate) fn multi_thread() -> io::Result<Handle> {
        match Handle::try_current() {
            Ok(runtime) if is_multi_thread(&runtime) => Ok(runtime),
            _ => fallback().cloned(),
        }
    }

    #[inline]
    pub(crate) fn is_multi_thread(runtime: &Handle) -> bool {
        runtime.runtime_flavor() == RuntimeFlavor::MultiThread
    }

    /// The runtime of programs that have none.
    fn fallback() -> io::Result<&'static Handle> {
        static RUNTIME: OnceLock<Runtime> = OnceLock::new();
        static START: Lock<()> = Lock::new(());
        if let Some(runtime) = RUNTIME.get() {
            return Ok(runtime.handle());
        }
        let _one_at_a_time = START.lock();
        if RUNTIME.get().is_none() {
            forks::watch();
            let build = || {
                new_multi_thread()
                    .worker_threads(config::threads())
                    // Bodies that block, as by `join`, keep one each.
                    .max_blocking_threads(config::MAX_THREADS)
                    .thread_name("trine-async")
                    .enable_all()
                    .build()
            };
            // tokio panics if the system refuses it a thread, so try to start one first. There it
            // also finds its thread-locals, which may be gone here.
            let building = thread::Builder::new().spawn(build)?;
            let runtime = building.join().map_err(|_| {
                io::Error::other("the system gave too few threads for a tokio runtime")
            })??;
            let _ = RUNTIME.set(runtime);
        }
        Ok(RUNTIME.get().expect("it was just set").handle())
    }

    #[cfg(not(target_family = "wasm"))]
    fn new_multi_thread() -> Builder {
        Builder::new_multi_thread()
    }

    // This and the next are never run: they let the error in `lib.rs` be the only one.
    #[cfg(target_family = "wasm")]
    fn new_multi_thread() -> Builder {
        Builder::new_current_thread()
    }

    #[cfg(target_family = "wasm")]
    fn block_in_place<R>(wait: impl FnOnce() -> R) -> R {
        wait()
    }

    /// Keeps a runtime current until dropped.
    pub(crate) struct Entered {
        _guard: EnterGuard<'static>,
        outer: Option<Outer>,
    }

    impl Drop for Entered {
        fn drop(&mut self) {
            let _ = OUTER.try_with(|outer| outer.set(self.outer));
        }
    }

    /// Makes a multi-thread runtime current, for timers and sockets of futures that a plain thread
    /// drives: the existing one, or else trine's own. A current-thread runtime would need the very
    /// thread that blocks. Nothing can be entered where the thread's locals are being destroyed.
    pub(crate) fn enter() -> Option<Entered> {
        let ambient = match Handle::try_current() {
            Err(error) if error.is_thread_local_destroyed() => return None,
            ambient => ambient.ok(),
        };
        if ambient.as_ref().is_some_and(is_multi_thread) {
            return None;
        }
        let fallback = fallback().ok()?;
        let hidden = Outer(ambient.map(|runtime| runtime.id()));
        let outer = OUTER.try_with(|outer| outer.replace(Some(hidden))).ok()?;
        Some(Entered { _guard: fallback.enter(), outer })
    }

    #[inline]
    fn users() -> Option<Ambient> {
        let ambient = Handle::try_current().ok()?;
        if let Ok(Some(Outer(hidden))) = OUTER.try_with(Cell::get)
            // Another one may have been entered on top of trine's.
            && fallback().is_ok_and(|fallback| fallback.id() == ambient.id())
        {
            return hidden.map(Ambient::CurrentThread);
        }
        Some(match is_multi_thread(&ambient) {
            true => Ambient::MultiThread,
            false => Ambient::CurrentThread(ambient.id()),
        })
    }

    /// Whether the body of another task may run on this thread as on one of the pool: outside of
    /// any runtime, so that it may start its own, and holding up no other task.
    #[inline]
    pub(crate) fn may_run_bodies() -> bool {
        users().is_none()
    }

    /// Runs a blocking closure. A thread that polls tasks of a multi-thread runtime hands them to
    /// another meanwhile.
    pub(crate) fn lent<R>(wait: impl FnOnce() -> R) -> R {
        if is_worker() { block_in_place(wait) } else { wait() }
    }

    /// Whether this thread polls a task of a multi-thread runtime. Elsewhere there is nothing to
    /// hand over, and tokio would refuse, for example in a `LocalSet`.
    fn is_worker() -> bool {
        let Some(index) = worker_index() else { return false };
        if !matches!(users(), Some(Ambient::MultiThread)) {
            return false;
        }
        // The only thread of a current-thread runtime also has number 0, and may have entered the
        // current one. It polls more than tasks, and it is awake.
        index > 0
            || ::tokio::task::try_id().is_some()
                && Handle::try_current()
                    .is_ok_and(|runtime| parks(&runtime.metrics()).is_multiple_of(2))
    }

    /// Whether this very thread has to run the tasks of a current-thread runtime, which would stall
    /// while it blocks.
    pub(crate) fn is_driven_here(runtime: &Handle) -> bool {
        let is_ambient = || match users() {
            Some(Ambient::CurrentThread(id)) => id == runtime.id(),
            _ => false,
        };
        if worker_index() != Some(0) || !is_ambient() {
            return false;
        }
        let seen = SEEN.try_with(Cell::get).ok().flatten();
        if seen.is_some_and(|(id, at)| id == runtime.id() && at.elapsed() < LOOK_FOR) {
            return true;
        }
        // It is inside one. Usually that is the current one, but another thread's runtime may have
        // been entered on top, and a runtime that sleeps or falls asleep now is not this thread's.
        let metrics = runtime.metrics();
        let began = Instant::now();
        let parks = parks(&metrics);
        while parks.is_multiple_of(2) && self::parks(&metrics) == parks {
            if began.elapsed() > LOOK_FOR {
                let _ = SEEN.try_with(|seen| seen.set(Some((runtime.id(), Instant::now()))));
                return true;
            }
            thread::yield_now();
        }
        false
    }

    /// How often the first thread of a runtime fell asleep and woke up: odd while it sleeps.
    fn parks(runtime: &RuntimeMetrics) -> u64 {
        #[cfg(target_has_atomic = "64")]
        return runtime.worker_park_unpark_count(0);
        #[cfg(not(target_has_atomic = "64"))]
        return 0;
    }

    /// Consumes a unit of the tokio task's budget, or makes the task yield: otherwise a loop over
    /// ready futures would starve all others.
    pub(crate) fn poll_budget(context: &mut Context<'_>) -> Poll<coop::RestoreOnPending> {
        coop::poll_proceed(context)
    }

    /// For futures that a blocking thread drives: nobody would renew their budget.
    pub(crate) fn without_budget<F: Future>(future: F) -> impl Future<Output = F::Output> {
        unconstrained(future)
    }
}

/// The same if the feature is off: no thread is in a runtime.
#[cfg(not(feature = "async"))]
mod absent {
    use std::future::Future;
    use std::task::{Context, Poll};

    pub(crate) fn enter() -> Option<()> {
        None
    }

    pub(crate) fn may_run_bodies() -> bool {
        true
    }

    pub(crate) fn lent<R>(wait: impl FnOnce() -> R) -> R {
        wait()
    }

    pub(crate) struct Step;

    impl Step {
        pub(crate) fn made_progress(&self) {}
    }

    pub(crate) fn poll_budget(_: &mut Context<'_>) -> Poll<Step> {
        Poll::Ready(Step)
    }

    pub(crate) fn without_budget<F: Future>(future: F) -> F {
        future
    }

    pub(crate) struct HeldClock;

    pub(crate) struct PausedClock;

    pub(crate) fn hold_clock() -> Option<HeldClock> {
        None
    }

    pub(crate) fn paused_clock() -> Option<PausedClock> {
        None
    }

    pub(crate) fn standing() -> Option<PausedClock> {
        None
    }

    impl PausedClock {
        pub(crate) fn hold(&self) -> HeldClock {
            HeldClock
        }
    }

    impl HeldClock {
        pub(crate) fn within<R>(&self, follow: impl FnOnce() -> R) -> R {
            follow()
        }
    }
}
