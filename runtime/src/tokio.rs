//! What this crate knows of tokio outside of the engine of `async`: where a thread stands towards
//! its runtimes.
//!
//! The ambient handle alone says little. `Handle::enter` and `spawn_blocking` make a runtime
//! ambient on threads that it can do without, and such a thread may block as it likes. A thread is
//! *inside* a runtime while it polls that runtime's tasks, and this tokio tells by
//! [`worker_index`](::tokio::runtime::worker_index). To try and to see whether tokio panics is no
//! way to ask: the panic is printed, and ends programs that are built to abort.

#[cfg(not(feature = "async"))]
pub(crate) use absent::*;
#[cfg(feature = "async")]
pub(crate) use present::*;

#[cfg(feature = "async")]
mod present {
    use std::cell::Cell;
    use std::future::Future;
    use std::io;
    use std::panic::catch_unwind;
    use std::sync::OnceLock;
    use std::sync::mpsc::{Sender, channel};
    use std::task::{Context, Poll};
    use std::thread;
    use std::time::{Duration, Instant};

    use ::tokio::runtime::{
        Builder, EnterGuard, Handle, Id, Runtime, RuntimeFlavor, RuntimeMetrics, worker_index,
    };
    use ::tokio::task::{AbortHandle, block_in_place, coop, unconstrained};

    use crate::sync::Lock;
    use crate::{config, forks};

    /// How long to look for a sign that a current-thread runtime is driven by another thread.
    const LOOK_FOR: Duration = Duration::from_millis(20);

    thread_local! {
        /// Set while [`enter`] hides how the thread stands towards the user's runtimes.
        static OUTER: Cell<Option<Outer>> = const { Cell::new(None) };
        /// The runtime that was found to be driven here, and when: of many tasks one is enough.
        static SEEN: Cell<Option<(Id, Instant)>> = const { Cell::new(None) };
    }

    /// The current-thread runtime that was ambient when [`enter`] came, if any.
    #[derive(Clone, Copy)]
    struct Outer(Option<Id>);

    /// A runtime that is ambient by the user's doing.
    enum Ambient {
        MultiThread,
        CurrentThread(Id),
    }

    /// The runtime for new tasks: the ambient one, else trine's own.
    pub(crate) fn ambient() -> io::Result<Handle> {
        Handle::try_current().or_else(|_| fallback().cloned())
    }

    /// A runtime that goes on while this thread blocks.
    pub(crate) fn multi_thread() -> io::Result<Handle> {
        match Handle::try_current() {
            Ok(runtime) if is_multi_thread(&runtime) => Ok(runtime),
            _ => fallback().cloned(),
        }
    }

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
            // tokio panics where the system gives it no thread, so another is asked for first.
            thread::Builder::new().spawn(|| ())?.join().ok();
            let build = || {
                Builder::new_multi_thread()
                    .worker_threads(config::threads())
                    .thread_name("trine-async")
                    .enable_all()
                    .build()
            };
            let runtime = catch_unwind(build).map_err(|_| {
                io::Error::other("the system gave too few threads for a tokio runtime")
            })??;
            let _ = RUNTIME.set(runtime);
        }
        Ok(RUNTIME.get().expect("it was just set").handle())
    }

    /// A runtime that is ambient until this is dropped.
    pub(crate) struct Entered {
        _guard: EnterGuard<'static>,
        outer: Option<Outer>,
    }

    impl Drop for Entered {
        fn drop(&mut self) {
            let _ = OUTER.try_with(|outer| outer.set(self.outer));
        }
    }

    /// Makes a multi-thread runtime ambient for timers and sockets of futures that are driven by a
    /// plain thread: the one that is, else trine's own. A current-thread runtime would need the
    /// very thread that blocks.
    pub(crate) fn enter() -> Option<Entered> {
        let ambient = Handle::try_current().ok();
        if ambient.as_ref().is_some_and(is_multi_thread) {
            return None;
        }
        let fallback = fallback().ok()?;
        let hidden = Outer(ambient.map(|runtime| runtime.id()));
        let outer = OUTER.try_with(|outer| outer.replace(Some(hidden))).ok()?;
        Some(Entered { _guard: fallback.enter(), outer })
    }

    fn users() -> Option<Ambient> {
        let ambient = Handle::try_current().ok()?;
        if let Ok(Some(Outer(hidden))) = OUTER.try_with(Cell::get)
            // On top of trine's another may have been entered.
            && fallback().is_ok_and(|fallback| fallback.id() == ambient.id())
        {
            return hidden.map(Ambient::CurrentThread);
        }
        Some(match is_multi_thread(&ambient) {
            true => Ambient::MultiThread,
            false => Ambient::CurrentThread(ambient.id()),
        })
    }

    /// Whether a body of another task may run on this thread and find it as it would find one of
    /// the pool: in no runtime, so that it may start one of its own, and nobody's turn but its
    /// own.
    pub(crate) fn may_run_bodies() -> bool {
        users().is_none()
    }

    /// Blocks: a thread that polls tasks of a multi-thread runtime lends it to another meanwhile.
    pub(crate) fn lent<R>(wait: impl FnOnce() -> R) -> R {
        if is_worker() { block_in_place(wait) } else { wait() }
    }

    /// Whether this thread polls a task of a multi-thread runtime. Elsewhere there is nothing to
    /// lend, and tokio would refuse: in a `LocalSet`, say.
    fn is_worker() -> bool {
        let Some(index) = worker_index() else { return false };
        if !matches!(users(), Some(Ambient::MultiThread)) {
            return false;
        }
        // The one thread of a current-thread runtime is number 0 too, and may have entered the
        // ambient one. It polls more than tasks, and it is awake.
        index > 0
            || ::tokio::task::try_id().is_some()
                && Handle::try_current()
                    .is_ok_and(|runtime| parks(&runtime.metrics()).is_multiple_of(2))
    }

    /// Whether this very thread has to run the tasks of a current-thread runtime, so that they
    /// stand still while it blocks.
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
        // It is inside of one. Mostly that is the ambient one; but another thread's may have been
        // entered on top, and a runtime that sleeps or goes to sleep now is not of this thread.
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

    /// Takes a step from the tokio task's budget, or has the task come back later: a loop over
    /// futures that are ready would keep all others from their turn.
    pub(crate) fn poll_budget(context: &mut Context<'_>) -> Poll<coop::RestoreOnPending> {
        coop::poll_proceed(context)
    }

    /// For futures that are driven by a thread that blocks: nobody would give them a new budget.
    pub(crate) fn without_budget<F: Future>(future: F) -> impl Future<Output = F::Output> {
        unconstrained(future)
    }

    /// The ambient runtime, if its clock is paused and this thread polls its tasks.
    ///
    /// tokio does not tell, but a paused clock shows a moment that is not now.
    fn paused() -> Option<Handle> {
        if worker_index() != Some(0) {
            return None;
        }
        let runtime = Handle::try_current().ok().filter(|runtime| !is_multi_thread(runtime))?;
        let before = Instant::now();
        let shown = ::tokio::time::Instant::now().into_std();
        (shown < before || shown > Instant::now()).then_some(runtime)
    }

    /// Rings at a moment of a paused clock, unless it is dropped before.
    pub(crate) struct PausedAlarm(AbortHandle);

    impl Drop for PausedAlarm {
        fn drop(&mut self) {
            self.0.abort();
        }
    }

    /// Has `ring` called after that time if the clock of this thread's runtime is paused, so that
    /// no time passes on it by itself. Else gives `ring` back.
    pub(crate) fn paused_alarm<R>(delay: Duration, ring: R) -> Result<PausedAlarm, R>
    where
        R: FnOnce() + Send + 'static,
    {
        let Some(runtime) = paused() else { return Err(ring) };
        let ringing = runtime.spawn(async move {
            ::tokio::time::sleep(delay).await;
            ring();
        });
        Ok(PausedAlarm(ringing.abort_handle()))
    }

    /// Keeps a paused clock from jumping ahead while a call runs outside of its runtime.
    ///
    /// tokio's clock stands still for `spawn_blocking`. So one such thread stands for all calls of
    /// a runtime that have not ended.
    pub(crate) struct HeldClock(Id);

    static HELD: Lock<Vec<Holder>> = Lock::new(Vec::new());

    struct Holder {
        runtime: Id,
        calls: usize,
        /// Its end lets the blocking thread go.
        _until: Sender<()>,
    }

    /// Holds the clock of this thread's runtime if it is paused.
    #[inline]
    pub(crate) fn hold_clock() -> Option<HeldClock> {
        if worker_index() == Some(0) { hold(paused()?) } else { None }
    }

    fn hold(runtime: Handle) -> Option<HeldClock> {
        let id = runtime.id();
        let mut held = HELD.lock();
        match held.iter_mut().find(|holder| holder.runtime == id) {
            Some(holder) => holder.calls += 1,
            None => {
                let (until, ended) = channel::<()>();
                runtime.spawn_blocking(move || ended.recv());
                held.push(Holder { runtime: id, calls: 1, _until: until });
            }
        }
        Some(HeldClock(id))
    }

    impl Drop for HeldClock {
        fn drop(&mut self) {
            let mut held = HELD.lock();
            if let Some(at) = held.iter().position(|holder| holder.runtime == self.0) {
                held[at].calls -= 1;
                if held[at].calls == 0 {
                    held.swap_remove(at);
                }
            }
        }
    }
}

/// The same where the feature is off, and no thread is in a runtime.
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

    pub(crate) fn hold_clock() -> Option<HeldClock> {
        None
    }
}
