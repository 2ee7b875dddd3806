//! The cell under loom: every interleaving of its steps.
//!
//! CONTRIBUTING.md has the command.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Wake, Waker};

use loom::model;
use loom::thread;

use super::{JobCell, Waiter};
use crate::error::Error;
use crate::function::Function;

static FUNCTION: Function = Function::new("modelled");

/// A value that counts how many of its kind are alive.
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

struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn waker() -> (Arc<Counter>, Waiter) {
    let counter = Arc::new(Counter(AtomicUsize::new(0)));
    (Arc::clone(&counter), Waiter::Waker(Waker::from(counter)))
}

fn call() -> Arc<JobCell<u32, u32>> {
    Arc::new(JobCell::new(&FUNCTION, "threads", 7))
}

fn run(call: &JobCell<u32, u32>) -> bool {
    let Some(claim) = call.claim() else { return false };
    call.cell().finish(Ok(claim.job + 1));
    true
}

#[test]
fn one_of_two_claims_wins_the_job() {
    model(|| {
        let call = call();
        let other = Arc::clone(&call);
        let worker = thread::spawn(move || run(&other));
        let here = run(&call);
        let there = worker.join().unwrap();
        assert!(here ^ there);
        assert_eq!(call.cell().take().unwrap().unwrap(), 8);
        assert!(call.cell().take().is_none());
    });
}

#[test]
fn a_revocation_and_a_claim_exclude_each_other() {
    model(|| {
        let call = call();
        let other = Arc::clone(&call);
        let worker = thread::spawn(move || run(&other));
        let revoked = call.revoke(Error::cancelled("modelled")).is_ok();
        let ran = worker.join().unwrap();
        assert!(revoked ^ ran);
        assert_eq!(call.cell().take().unwrap().is_err(), revoked);
    });
}

#[test]
fn a_body_and_a_deadline_give_one_result() {
    model(|| {
        let call = call();
        let claim = call.claim().unwrap();
        let other = Arc::clone(&call);
        let worker = thread::spawn(move || other.cell().finish(Ok(claim.job)));
        let late = call.cell().finish(Err(Error::cancelled("modelled")));
        let in_time = worker.join().unwrap();
        assert!(late ^ in_time);
        assert_eq!(call.cell().take().unwrap().is_ok(), in_time);
    });
}

#[test]
fn no_wake_up_is_lost() {
    model(|| {
        let call = call();
        let other = Arc::clone(&call);
        let worker = thread::spawn(move || run(&other));
        let (told, waiter) = waker();
        let refused = call.cell().register(waiter).is_err();
        assert!(worker.join().unwrap());
        // Either refused because the task had finished, or told: exactly one of the two.
        assert_eq!(told.0.load(SeqCst), usize::from(!refused));
        assert!(call.cell().take().is_some());
    });
}

#[test]
fn a_replaced_waker_is_dropped_and_the_new_one_told() {
    model(|| {
        let call = call();
        let (first_told, first) = waker();
        assert!(call.cell().register(first).is_ok());
        let other = Arc::clone(&call);
        let worker = thread::spawn(move || run(&other));
        let (second_told, second) = waker();
        let refused = call.cell().register(second).is_err();
        assert!(worker.join().unwrap());
        let told = first_told.0.load(SeqCst) + second_told.0.load(SeqCst);
        if refused {
            assert_eq!(second_told.0.load(SeqCst), 0);
        } else {
            assert_eq!((told, second_told.0.load(SeqCst)), (1, 1));
        }
        drop(call);
        assert_eq!(Arc::strong_count(&first_told), 1);
        assert_eq!(Arc::strong_count(&second_told), 1);
    });
}

#[test]
fn an_abandoned_output_is_dropped_once_and_at_once() {
    model(|| {
        let alive = Arc::new(AtomicUsize::new(0));
        let job = Counted::new(&alive);
        let call = Arc::new(JobCell::<Counted, Counted>::new(&FUNCTION, "threads", job));
        let other = Arc::clone(&call);
        let worker = thread::spawn(move || {
            let claim = other.claim().unwrap();
            other.cell().finish(Ok(claim.job));
        });
        call.cell().abandon();
        worker.join().unwrap();
        // Even though the call itself is still held: scoped borrows rely on this.
        assert_eq!(alive.load(SeqCst), 0);
    });
}

#[test]
fn a_cancelled_job_is_dropped_once() {
    model(|| {
        let alive = Arc::new(AtomicUsize::new(0));
        let job = Counted::new(&alive);
        let call = Arc::new(JobCell::<Counted, ()>::new(&FUNCTION, "threads", job));
        let other = Arc::clone(&call);
        let worker = thread::spawn(move || {
            let _ = other.revoke(Error::cancelled("modelled"));
        });
        let claimed = call.claim().is_some();
        worker.join().unwrap();
        assert_eq!(alive.load(SeqCst), 0);
        assert_eq!(call.cell().is_finished(), !claimed);
    });
}

/// What a value is made from moves as the value does: to whoever ends the call, then to its taker.
#[cfg(feature = "process")]
#[test]
fn what_a_value_is_made_from_is_taken_or_dropped_once() {
    model(|| {
        let alive = Arc::new(AtomicUsize::new(0));
        let call = Arc::new(JobCell::<(), usize, Counted>::new(&FUNCTION, "threads", ()));
        assert!(call.claim().is_some());
        let (ending, from) = (Arc::clone(&call), Counted::new(&alive));
        let worker = thread::spawn(move || ending.finish_unmade(from));
        let late = call.cell().finish(Err(Error::cancelled("modelled")));
        let make = |from: Counted| Ok(from.0.load(SeqCst));
        let early = call.take_or_make(make);
        worker.join().unwrap();
        let taken = early.or_else(|| call.take_or_make(make)).unwrap();
        assert_eq!(taken.is_err(), late);
        assert_eq!(taken.unwrap_or(1), 1);
        assert!(call.take_or_make(make).is_none());
        assert_eq!(alive.load(SeqCst), 0);
    });
}
