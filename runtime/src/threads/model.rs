//! The engine's protocols under loom, which runs every interleaving.
//!
//! CONTRIBUTING.md has the command.

use std::ptr;
use std::sync::Arc;

use loom::model::Builder;

use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use loom::sync::{Condvar, Mutex};
use loom::thread;

use super::crew::{Crew, Duty, Member};
use super::flags::Flags;
use super::latch::Latch;
use super::post::Post;
use crate::parker::Parker;

mod permits;

/// Every interleaving with at most this many preemptions, enough to show such errors.
fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

#[derive(Clone, Copy)]
struct Sleeper(&'static Parker);

impl Sleeper {
    fn new() -> Self {
        // Leaked, as seats are.
        Self(Box::leak(Box::new(Parker::new())))
    }
}

impl PartialEq for Sleeper {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self.0, other.0)
    }
}

impl Member for Sleeper {
    fn wake(self) {
        self.0.unpark();
    }
}

/// A pool whose queue is a counter.
struct Pool {
    crew: Crew<Sleeper>,
    queued: AtomicUsize,
    /// How many tasks have not been run. The worker that runs the last one ends the model.
    remaining: AtomicUsize,
    running: AtomicUsize,
    permits: usize,
    workers: [Sleeper; 2],
    started: AtomicUsize,
    /// How many threads the system provides.
    startable: usize,
    /// How many of the tasks that wait for each other have not come yet.
    missing: Mutex<usize>,
    met: Condvar,
}

impl Pool {
    fn new(permits: usize, limit: usize, startable: usize, tasks: usize) -> Arc<Self> {
        Arc::new(Self {
            crew: Crew::new(permits, limit),
            queued: AtomicUsize::new(0),
            remaining: AtomicUsize::new(tasks),
            running: AtomicUsize::new(0),
            permits,
            workers: [Sleeper::new(), Sleeper::new()],
            started: AtomicUsize::new(0),
            startable,
            missing: Mutex::new(0),
            met: Condvar::new(),
        })
    }

    /// All tasks wait for each other.
    fn of_tasks_that_meet(tasks: usize) -> Arc<Self> {
        let pool = Self::new(tasks, tasks, tasks, tasks);
        *pool.missing.lock().unwrap() = tasks;
        pool
    }

    fn push(self: &Arc<Self>) {
        self.queued.fetch_add(1, Ordering::Release);
        fence(Ordering::SeqCst);
        self.published();
    }

    fn published(self: &Arc<Self>) {
        if self.crew.published() == Duty::Summon {
            self.crew.summon(false, || {
                let pool = Arc::clone(self);
                let number = self.started.load(Ordering::Relaxed);
                if number == self.startable {
                    return false;
                }
                self.started.store(number + 1, Ordering::Relaxed);
                thread::spawn(move || pool.work(pool.workers[number]));
                true
            });
        }
    }

    fn look_again(self: &Arc<Self>) {
        if self.queued.load(Ordering::Acquire) > 0 {
            self.published();
        }
    }

    fn take(&self) -> bool {
        let mut queued = self.queued.load(Ordering::Acquire);
        while queued > 0 {
            let taken = self.queued.compare_exchange(
                queued,
                queued - 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            match taken {
                Ok(_) => return true,
                Err(now) => queued = now,
            }
        }
        false
    }

    /// A worker's life, without the spinning that only saves time.
    fn work(self: &Arc<Self>, me: Sleeper) {
        let mut searching = true;
        loop {
            if self.take() {
                if searching && self.crew.found() {
                    self.look_again();
                }
                searching = false;
                if self.run() {
                    return;
                }
            } else if !searching {
                self.crew.start_search();
                searching = true;
            } else {
                self.crew.lie_down(me, true);
                self.look_again();
                me.0.park();
                if self.remaining.load(Ordering::Acquire) == 0 {
                    return;
                }
            }
        }
    }

    /// Runs a task. Returns whether it was the last; then all threads end.
    fn run(&self) -> bool {
        assert!(self.running.fetch_add(1, Ordering::AcqRel) < self.permits, "oversubscribed");
        let mut missing = self.missing.lock().unwrap();
        *missing = missing.saturating_sub(1);
        self.met.notify_all();
        while *missing > 0 {
            missing = self.met.wait(missing).unwrap();
        }
        drop(missing);
        self.running.fetch_sub(1, Ordering::AcqRel);
        let last = self.remaining.fetch_sub(1, Ordering::AcqRel) == 1;
        if last {
            self.workers.iter().for_each(|worker| worker.wake());
        }
        last
    }
}

// In all of these, a lost wake-up leaves a thread asleep, which loom reports as a deadlock.

#[test]
fn no_wake_up_is_lost_to_a_worker_that_falls_asleep() {
    check(5, || {
        let pool = Pool::new(1, 1, 1, 2);
        pool.push();
        pool.push();
    });
}

#[test]
fn no_wake_up_is_lost_between_two_publishers() {
    check(4, || {
        let pool = Pool::new(1, 1, 1, 2);
        let other = Arc::clone(&pool);
        let publisher = thread::spawn(move || other.push());
        pool.push();
        publisher.join().unwrap();
    });
}

#[test]
fn no_wake_up_is_lost_between_two_workers() {
    check(4, || {
        let pool = Pool::new(2, 2, 2, 2);
        pool.push();
        pool.push();
    });
}

#[test]
fn whoever_found_something_passes_the_search_on() {
    check(2, || {
        let pool = Pool::of_tasks_that_meet(2);
        pool.push();
        pool.push();
    });
}

#[test]
fn no_wake_up_is_lost_where_threads_are_short() {
    check(4, || {
        // Two permits, but only one thread is available.
        let pool = Pool::new(2, 1, 1, 2);
        pool.push();
        pool.push();
    });
}

#[test]
fn no_wake_up_is_lost_where_the_system_makes_no_more_threads() {
    check(4, || {
        let pool = Pool::new(2, 2, 1, 2);
        pool.push();
        pool.push();
    });
}

#[test]
fn a_permit_is_revoked_or_kept_never_both() {
    check(5, || {
        let (post, crew) = (Arc::new(Post::new()), Arc::new(Crew::<Sleeper>::new(1, 2)));
        let sleeps = Arc::new(AtomicBool::new(true));
        assert!(crew.try_take());
        post.begin();
        let (its_post, its_crew, it_sleeps) =
            (Arc::clone(&post), Arc::clone(&crew), Arc::clone(&sleeps));
        let monitor = thread::spawn(move || {
            if let Some(task) = its_post.running()
                && it_sleeps.load(Ordering::Relaxed)
                && its_post.revoke(task)
            {
                its_crew.release();
            }
        });
        sleeps.store(false, Ordering::Relaxed);
        if post.end() {
            post.begin();
            assert!(post.end(), "the second task never slept");
            crew.release();
        }
        monitor.join().unwrap();
        assert!(crew.try_take(), "the permit is gone");
        assert!(!crew.try_take(), "there are two permits");
    });
}

#[test]
fn the_owner_of_a_job_always_wakes() {
    check(5, || {
        let (latch, owner) = (Arc::new(Latch::new()), Sleeper::new());
        let its_latch = Arc::clone(&latch);
        let thief = thread::spawn(move || {
            if its_latch.set() {
                owner.0.unpark();
            }
        });
        if latch.wait() {
            owner.0.park();
        }
        assert!(latch.is_set());
        thief.join().unwrap();
    });
}

#[test]
fn a_flag_is_never_down_while_there_is_something() {
    check(5, || {
        let flags = Arc::new(Flags::<1>::new());
        let queued = Arc::new(AtomicUsize::new(0));
        flags.raise(7);
        let (its_flags, its_queue) = (Arc::clone(&flags), Arc::clone(&queued));
        let owner = thread::spawn(move || {
            its_queue.store(1, Ordering::Release);
            its_flags.raise(7);
        });
        let is_empty = |queued: &AtomicUsize| queued.load(Ordering::Acquire) == 0;
        if is_empty(&queued) {
            flags.lower(7, || !is_empty(&queued));
        }
        owner.join().unwrap();
        assert!(flags.raised_below(64).eq([7]), "the owner's work is hidden");
    });
}
