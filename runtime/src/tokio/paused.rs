//! A clock of tokio that is paused, as programs have it in their tests: it jumps to the next timer
//! whenever its runtime has nothing to do.
//!
//! What runs outside of the runtime takes real time, so the clock stands still meanwhile, from the
//! call to the moment when whoever waits was told. The end of a call may be told on any thread, and
//! may start another call there: that thread is told which clock it was.

use std::cell::Cell;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use ::tokio::runtime::{Handle, Id, RuntimeFlavor, worker_index};
use ::tokio::task::AbortHandle;

use crate::sync::Lock;

thread_local! {
    /// The runtime whose clock stands still for what this thread does now.
    static STANDS: Cell<Option<Id>> = const { Cell::new(None) };
}

/// The current runtime, if its clock is paused and this thread polls its tasks.
///
/// tokio has no query for this, but a paused clock differs from the real one.
fn paused() -> Option<Handle> {
    if worker_index() != Some(0) {
        return None;
    }
    let runtime = Handle::try_current().ok()?;
    if runtime.runtime_flavor() != RuntimeFlavor::CurrentThread {
        return None;
    }
    let before = Instant::now();
    let shown = ::tokio::time::Instant::now().into_std();
    (shown < before || shown > Instant::now()).then_some(runtime)
}

/// Rings at a time of a paused clock, unless it is dropped before.
pub(crate) struct PausedAlarm(AbortHandle);

impl Drop for PausedAlarm {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Calls `ring` after that time if the clock of this thread's runtime is paused. Otherwise
/// returns `ring`.
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
/// tokio's clock does not advance during `spawn_blocking`, so one such thread represents all
/// unfinished calls of a runtime.
pub(crate) struct HeldClock(Id);

static HELD: Lock<Vec<Holder>> = Lock::new(Vec::new());

struct Holder {
    runtime: Handle,
    calls: usize,
    /// Dropping it releases the blocking thread.
    _until: Sender<()>,
}

/// Holds the clock of this thread's runtime if it is paused, or the one that stands still for
/// what this thread does.
#[inline]
pub(crate) fn hold_clock() -> Option<HeldClock> {
    paused_clock().map(|clock| clock.hold())
}

/// The same for a call that runs on this runtime, whose own clock goes on meanwhile.
pub(crate) fn hold_clock_beside(runtime: &Handle) -> Option<HeldClock> {
    let is_current = || Handle::try_current().is_ok_and(|here| here.id() == runtime.id());
    if worker_index() == Some(0) && is_current() {
        return None;
    }
    paused_clock().filter(|clock| clock.0.id() != runtime.id()).map(|clock| clock.hold())
}

/// The same for a call that runs on the current runtime, if there is one.
#[inline]
pub(crate) fn keep_clock_beside(runtime: &Handle) -> Option<HeldClock> {
    let id = STANDS.try_with(Cell::get).ok().flatten()?;
    if id == runtime.id() { None } else { hold_standing() }
}

#[cold]
fn hold_standing() -> Option<HeldClock> {
    standing().map(|clock| clock.hold())
}

/// A clock that is paused.
pub(crate) struct PausedClock(Handle);

/// The clock that [`hold_clock`] would hold.
#[inline]
pub(crate) fn paused_clock() -> Option<PausedClock> {
    let here = if worker_index() == Some(0) { paused() } else { None };
    here.map(PausedClock).or_else(standing)
}

/// The clock that stands still for what this thread does.
#[inline]
pub(crate) fn standing() -> Option<PausedClock> {
    let id = STANDS.try_with(Cell::get).ok().flatten()?;
    let held = HELD.lock();
    let holder = held.iter().find(|holder| holder.runtime.id() == id)?;
    Some(PausedClock(holder.runtime.clone()))
}

impl PausedClock {
    pub(crate) fn hold(&self) -> HeldClock {
        let runtime = &self.0;
        let id = runtime.id();
        let mut held = HELD.lock();
        match held.iter_mut().find(|holder| holder.runtime.id() == id) {
            Some(holder) => holder.calls += 1,
            None => {
                let (until, ended) = channel::<()>();
                runtime.spawn_blocking(move || ended.recv());
                held.push(Holder { runtime: runtime.clone(), calls: 1, _until: until });
            }
        }
        HeldClock(id)
    }
}

impl HeldClock {
    /// Runs what follows the end of a call. The clock also stands still for the calls that are
    /// made there, and for the steps that are left to others.
    pub(crate) fn within<R>(&self, follow: impl FnOnce() -> R) -> R {
        struct Leave(Option<Id>);
        impl Drop for Leave {
            fn drop(&mut self) {
                let _ = STANDS.try_with(|stands| stands.set(self.0));
            }
        }
        let outer = STANDS.try_with(|stands| stands.replace(Some(self.0))).ok().flatten();
        let _leave = Leave(outer);
        follow()
    }
}

impl Drop for HeldClock {
    fn drop(&mut self) {
        let mut held = HELD.lock();
        if let Some(at) = held.iter().position(|holder| holder.runtime.id() == self.0) {
            held[at].calls -= 1;
            if held[at].calls == 0 {
                let last = held.swap_remove(at);
                drop(held);
                drop(last);
            }
        }
    }
}
