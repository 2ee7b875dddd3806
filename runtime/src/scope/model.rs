//! The end of a scope under loom: nothing that its calls may touch is touched after it.
//!
//! CONTRIBUTING.md has the command.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Waker};

use loom::model::Builder;
use loom::sync::atomic::AtomicUsize as Place;
use loom::thread;

use super::{Running, launch, scope};
use crate::cell::{Cell, JobCell};
use crate::error::Error;
use crate::function::Function;
use crate::scope::{ScopedJob, ScopedTask};
use crate::sync::UnsafeCell;
use crate::task::{Call, Task};
use crate::wait::block_on;

/// Tries all interleavings with a few preemptions: faults need no more, and the rest would take
/// hours.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(run);
}

static FUNCTION: Function = Function::new("modelled");

#[test]
fn a_scope_ends_after_the_last_token() {
    model(|| {
        let running = Running::new();
        // loom fails the model if two accesses are not ordered.
        let borrowed = Arc::new([(); 2].map(|()| UnsafeCell::new(())));
        let threads = [0, 1].map(|index| {
            let (token, borrowed) = (running.token(), Arc::clone(&borrowed));
            thread::spawn(move || {
                // As a retry has one of its own.
                let another = token.clone();
                drop(token);
                borrowed[index].with_mut(|_| ());
                drop(another);
            })
        });
        running.wait();
        borrowed.iter().for_each(|place| place.with_mut(|_| ()));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// A value, or an argument, that counts how many of its kind are alive.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(alive: &'a AtomicUsize) -> Self {
        alive.fetch_add(1, SeqCst);
        Self(alive)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// An engine's call of a scoped job.
struct Inner(JobCell<ScopedJob, bool>);

impl Inner {
    fn run(&self) {
        if let Some(claim) = self.0.claim() {
            let failed = claim.job.run();
            self.0.cell().finish(Ok(failed));
        }
    }
}

impl Call<bool> for Inner {
    fn cell(&self) -> &Cell<bool> {
        self.0.cell()
    }

    fn name(&self) -> &'static str {
        FUNCTION.name()
    }

    fn cancel(self: Arc<Self>, why: Error) {
        // As a deadline does, which leaves the body running.
        if let Err(why) = self.0.revoke(why) {
            self.0.cell().finish(Err(why));
        }
    }
}

/// Runs a scoped call on another thread, while this one does something with its handle.
fn beside(end: fn(ScopedTask<'_, Counted<'_>>)) {
    beside_a_body(false, end);
}

/// The same; the body may be in its middle then, which makes many more interleavings.
fn beside_a_body(is_halfway: bool, end: fn(ScopedTask<'_, Counted<'_>>)) {
    model(move || {
        let alive = AtomicUsize::new(0);
        // loom interrupts a thread only where another comes too.
        let middle = Place::new(0);
        let mut other = None;
        scope(|s| {
            let argument = Counted::new(&alive);
            let body = || {
                let value = Counted::new(&alive);
                middle.load(SeqCst);
                drop(argument);
                value
            };
            let start = |job| {
                let call = Arc::new(Inner(JobCell::new(&FUNCTION, "threads", job)));
                let inner = Arc::clone(&call);
                other = Some(thread::spawn(move || inner.run()));
                Task::new(call)
            };
            let task = launch(s, &FUNCTION, body, start);
            if is_halfway {
                middle.store(1, SeqCst);
            }
            end(task);
        });
        assert_eq!(alive.load(SeqCst), 0, "there is a value that borrows after the scope's end");
        other.unwrap().join().unwrap();
    });
}

#[test]
fn a_scope_ends_after_the_value_of_a_dropped_call() {
    beside(|task| drop(task));
}

#[test]
fn a_scope_ends_after_the_value_of_a_call_that_was_polled_and_dropped() {
    beside(|task| {
        let mut task = pin!(task);
        let _ = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    });
}

#[test]
fn a_scope_ends_after_the_value_of_a_cancelled_call() {
    beside(|task| {
        task.cancel();
        drop(task);
    });
}

#[test]
fn a_call_is_joined_however_early_it_ends() {
    beside(|task| assert!(task.join().is_ok()));
}

#[test]
fn a_call_that_ends_before_its_body_is_joined() {
    beside(|task| {
        task.cancel();
        drop(task.join());
    });
}

#[test]
fn a_value_that_comes_too_late_is_dropped_though_the_handle_is_kept() {
    beside_a_body(true, |mut task| {
        task.cancel();
        drop(block_on(&mut task));
        std::mem::forget(task);
    });
}
