//! The hand-over of steps to the room for foreign code under loom: each step runs once, also behind
//! one that does not return.
//!
//! The room is the real one, with its threads. Time is what loom makes of it: a thread that watches
//! another loses patience at any moment. CONTRIBUTING.md has the command.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use loom::model::Builder;
use loom::thread;

use super::{STATE, STEPS, take};
use crate::config::MAX_THREADS;
use crate::parker::Parker;
use crate::relay::Step;

/// Counts the steps that have run. The last one ends the room.
struct Steps {
    remaining: AtomicUsize,
}

impl Steps {
    fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { remaining: AtomicUsize::new(count) })
    }

    fn ran(&self) {
        if self.remaining.fetch_sub(1, SeqCst) == 1 {
            let threads = {
                let mut state = STATE.lock();
                state.is_over = true;
                state.threads
            };
            (0..threads).for_each(|_| STEPS.notify_one());
        }
    }

    fn one(self: &Arc<Self>) -> Step {
        let steps = Arc::clone(self);
        Step::Run(Box::new(move || steps.ran()))
    }

    /// One that returns once another has run.
    fn behind(self: &Arc<Self>, other: &Arc<Parker>) -> Step {
        let (steps, other) = (Arc::clone(self), Arc::clone(other));
        Step::Run(Box::new(move || {
            other.park();
            steps.ran();
        }))
    }

    fn before(self: &Arc<Self>, other: &Arc<Parker>) -> Step {
        let (steps, other) = (Arc::clone(self), Arc::clone(other));
        Step::Run(Box::new(move || {
            other.unpark();
            steps.ran();
        }))
    }
}

/// Every interleaving with at most this many preemptions, in a room of so many threads. A step that
/// is lost leaves a thread asleep, which loom reports as a deadlock.
fn check(preemptions: usize, threads: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(move || {
        STATE.lock().max_threads = threads;
        run();
        // Statics of a model end with its first thread.
        while STATE.lock().threads > 0 {
            thread::yield_now();
        }
    });
}

#[test]
fn steps_of_two_threads_run() {
    check(3, MAX_THREADS, || {
        let steps = Steps::new(2);
        let step = steps.one();
        let other = thread::spawn(move || take(vec![step]));
        take(vec![steps.one()]);
        other.join().unwrap();
    });
}

#[test]
fn a_step_runs_beside_one_that_waits_for_it() {
    check(3, MAX_THREADS, || {
        let (steps, parker) = (Steps::new(2), Arc::new(Parker::new()));
        take(vec![steps.behind(&parker), steps.before(&parker)]);
    });
}

#[test]
fn a_step_that_comes_later_runs_beside_one_that_waits_for_it() {
    check(3, MAX_THREADS, || {
        let (steps, parker) = (Steps::new(2), Arc::new(Parker::new()));
        take(vec![steps.behind(&parker)]);
        take(vec![steps.before(&parker)]);
    });
}

#[test]
fn without_a_thread_whoever_brings_steps_runs_them() {
    check(3, 0, || {
        let steps = Steps::new(2);
        // Nobody comes later who would run a destructor.
        take(vec![steps.one(), Step::Drop(Box::new(Counted(Arc::clone(&steps))))]);
        assert_eq!(steps.remaining.load(SeqCst), 0);
    });
}

struct Counted(Arc<Steps>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.ran();
    }
}

/// Waits in its destructor until another step has run.
struct Behind(Arc<Steps>, Arc<Parker>);

impl Drop for Behind {
    fn drop(&mut self) {
        self.1.park();
        self.0.ran();
    }
}

#[test]
fn a_destructor_that_waits_holds_up_no_other_step_though_there_is_one_thread() {
    check(3, 1, || {
        let (steps, parker) = (Steps::new(2), Arc::new(Parker::new()));
        take(vec![Step::Drop(Box::new(Behind(Arc::clone(&steps), Arc::clone(&parker))))]);
        take(vec![steps.before(&parker)]);
    });
}
