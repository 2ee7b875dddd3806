//! The end of an async call under loom: a runtime, a cancel and the drop of the handle.
//!
//! The runtime is a thread that polls a body which ends by itself or never, as a host would, and
//! drops it once it is to stop. CONTRIBUTING.md has the command.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use loom::model::Builder;
use loom::thread;

use super::Stoppable;
use crate::cell::JobCell;
use crate::error::{Error, ErrorKind};
use crate::function::Function;
use crate::parker::Parker;

static FUNCTION: Function = Function::new("modelled");

fn check(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

/// Counts itself as alive until it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, SeqCst);
        Self(Arc::clone(alive))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// The waker of the body is the parker of its thread.
type Call = Arc<Stoppable<Counted, Counted, Arc<Parker>>>;

fn call(alive: &Arc<AtomicUsize>) -> Call {
    Arc::new(Stoppable::new(JobCell::new(&FUNCTION, "async", Counted::new(alive))))
}

/// What a host runs, which drops the body once it is to stop; see `Running`.
fn run(call: &Call, ends: bool) {
    let claim = call.job.claim();
    let has_claimed = claim.is_some();
    if let Some(claim) = claim {
        if ends {
            call.job.cell().finish(Ok(claim.job));
        } else {
            let woken = Arc::new(Parker::new());
            if call.keep(Arc::clone(&woken)) {
                woken.park();
                assert!(call.is_stopped());
            }
        }
    }
    call.let_go(has_claimed);
}

fn start(call: &Call, ends: bool) -> thread::JoinHandle<()> {
    let call = Arc::clone(call);
    thread::spawn(move || run(&call, ends))
}

fn cancel(call: &Call, why: Error) {
    if let Some(woken) = call.cancel(why) {
        woken.unpark();
    }
}

/// A body that never ends by itself is always stopped, and the call has one end.
fn is_stopped(why: fn() -> Error, is_expected: fn(&Error) -> bool) {
    check(move || {
        let alive = Arc::new(AtomicUsize::new(0));
        let call = call(&alive);
        let canceller = {
            let call = Arc::clone(&call);
            thread::spawn(move || cancel(&call, why()))
        };
        let runtime = start(&call, false);
        canceller.join().unwrap();
        runtime.join().unwrap();
        let result = call.job.cell().take().unwrap();
        assert!(result.is_err_and(|error| is_expected(&error)));
        assert_eq!(alive.load(SeqCst), 0);
    });
}

#[test]
fn a_cancel_stops_a_body_however_it_comes() {
    is_stopped(|| Error::cancelled("modelled"), Error::is_cancelled);
}

#[test]
fn a_deadline_stops_a_body_however_it_comes() {
    let late = || Error::new("modelled", ErrorKind::TimedOut { after: Default::default() });
    is_stopped(late, Error::is_timeout);
}

#[test]
fn a_body_that_ends_meanwhile_has_one_end() {
    check(|| {
        let alive = Arc::new(AtomicUsize::new(0));
        let call = call(&alive);
        let runtime = start(&call, true);
        cancel(&call, Error::cancelled("modelled"));
        runtime.join().unwrap();
        let result = call.job.cell().take().unwrap();
        assert!(result.as_ref().map_or_else(Error::is_cancelled, |_| true));
        drop(result);
        assert!(call.job.cell().take().is_none());
        assert_eq!(alive.load(SeqCst), 0);
    });
}

#[test]
fn what_an_abandoned_body_returns_is_dropped_once() {
    check(|| {
        let alive = Arc::new(AtomicUsize::new(0));
        let call = call(&alive);
        let runtime = start(&call, true);
        // As the drop of a task does.
        if call.job.cell().abandon() {
            cancel(&call, Error::cancelled("modelled"));
        }
        runtime.join().unwrap();
        assert_eq!(alive.load(SeqCst), 0);
    });
}
