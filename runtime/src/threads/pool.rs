//! The program's only pool: its crew, how tasks enter its queues, and what a worker does around a
//! wait.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{io, thread};

use super::crew::{Crew, Duty, Member};
use super::monitor::Monitor;
use super::seat::{self, Item, Seat};
use super::shortage::{Cause, Shortage};
use super::spin::SpinBudget;
use super::{ranked, strays, worker};
use crate::{config, forks};

#[cfg(test)]
mod tests;

/// The default maximum number of threads as long as calls keep ending.
const USUAL_MAX_THREADS: usize = 512;
/// The default stack size of a thread, usually the same as that of the main thread.
#[cfg(target_pointer_width = "64")]
const STACK: Option<usize> = Some(8 << 20);
#[cfg(not(target_pointer_width = "64"))]
const STACK: Option<usize> = None;

impl Member for &'static Seat {
    fn wake(self) {
        self.parker.unpark();
    }
}

pub(super) struct Pool {
    pub(super) crew: Crew<&'static Seat>,
    pub(super) permits: usize,
    pub(super) monitor: Monitor,
    pub(super) spin: SpinBudget,
    pub(super) shortage: Shortage,
    /// How many permits threads outside of the pool have.
    leased: AtomicUsize,
    /// The size of each thread's stack, if not the standard library's.
    stack: Option<usize>,
    /// The generation of the process that the threads are in, which is not a forked child's.
    generation: u32,
}

static POOL: LazyLock<Pool> = LazyLock::new(|| {
    let permits = config::threads().min(config::MAX_THREADS);
    let usual = config::thread().max.unwrap_or(USUAL_MAX_THREADS);
    Pool {
        crew: Crew::new(permits, usual.max(permits).min(config::MAX_THREADS)),
        permits,
        monitor: Monitor::new(),
        spin: SpinBudget::new(),
        shortage: Shortage::new(),
        leased: AtomicUsize::new(0),
        stack: config::thread().stack.or_else(usual_stack),
        generation: forks::watch(),
    }
});

fn usual_stack() -> Option<usize> {
    STACK.filter(|_| std::env::var_os("RUST_MIN_STACK").is_none())
}

/// The pool, created on first use; its threads are started when there is work for them.
#[inline]
pub(super) fn pool() -> &'static Pool {
    &POOL
}

/// Queues a task.
#[inline]
pub(super) fn push(item: Item) {
    if item.function().habit().blocks() {
        pool().dispatch(item);
        return;
    }
    match ranked::of(&item) {
        None => seat::push(item),
        Some(rank) => rank.push(item),
    }
    pool().published();
}

impl Pool {
    /// Call this after making work visible, followed by a sequentially consistent fence.
    #[inline]
    pub(super) fn published(&'static self) {
        match self.crew.published() {
            Duty::Nothing => {}
            Duty::Summon => {
                self.summon(false);
            }
            Duty::Watch => self.monitor.start(self),
        }
    }

    /// The same for work that is already there.
    pub(super) fn look_again(&'static self) {
        if self.has_work() {
            self.published();
        }
    }

    /// Lets a worker run a call that will mostly wait: at once, since it needs no permit, and
    /// beside everything that computes.
    #[cold]
    pub(super) fn dispatch(&'static self, item: Item) {
        strays::push_blocking(item);
        let tell = |seat: &'static Seat| seat.post.send_on_errand();
        let start = || self.start_worker(worker::run_errand).is_ok();
        if !self.is_here() || !self.crew.dispatch(tell, start) {
            self.published();
        }
    }

    /// Wakes or starts a worker if nobody is looking for work, or in any case if `eager`. Returns
    /// false if there is none.
    #[cold]
    fn summon(&'static self, eager: bool) -> bool {
        if !self.is_here() {
            return false;
        }
        let mut cause = Cause::MaxThreads;
        let start = || match self.start_worker(worker::run) {
            Ok(()) => true,
            Err(refused) => {
                cause = Cause::System(refused);
                false
            }
        };
        // If there is none, existing workers continue with the queue once they are done, and
        // joiners run what they join. The monitor takes care of the rest.
        let summoned = self.crew.summon(eager, start);
        if !summoned {
            self.shortage.begin(cause);
            self.monitor.start(self);
        }
        summoned
    }

    /// Starts a pool thread, and before the first one the monitor: wherever there are workers there
    /// is a monitor, so no wait goes undetected.
    fn start_worker(&'static self, run: fn()) -> io::Result<()> {
        self.monitor.ensure()?;
        let mut thread = thread::Builder::new().name(config::thread().name.clone());
        if let Some(bytes) = self.stack {
            thread = thread.stack_size(bytes);
        }
        thread.spawn(run)?;
        self.shortage.has_worker();
        Ok(())
    }

    /// Whether somebody will run queued work, or why not.
    pub(super) fn serves(&'static self) -> Result<(), String> {
        if !self.is_here() {
            return Err("this process was forked and has none of its parent's threads".into());
        }
        while self.shortage.is_total() {
            let is_watched = match self.monitor.ensure() {
                Ok(()) => true,
                Err(refused) => {
                    self.shortage.begin(Cause::System(refused));
                    false
                }
            };
            if !is_watched || !self.summon(false) {
                return Err(self.shortage.to_string());
            }
            // Another thread is about to start one, or the monitor, if there is no permit.
            thread::yield_now();
        }
        Ok(())
    }

    /// Whether the pool's threads are in this process.
    pub(super) fn is_here(&self) -> bool {
        self.generation == forks::generation()
    }

    /// Whether anything waits for a worker.
    pub(super) fn has_work(&self) -> bool {
        seat::any_laden()
    }

    /// Gives up a permit.
    pub(super) fn release(&'static self) {
        if self.is_here() && self.crew.release() {
            self.look_again();
        }
    }

    /// Takes a permit for a thread outside of the pool, if one is free.
    pub(super) fn lease(&self) -> bool {
        let is_taken = self.crew.try_take();
        self.leased.fetch_add(usize::from(is_taken), Ordering::SeqCst);
        is_taken
    }

    /// Gives that one up.
    #[cfg(not(all(test, trine_loom)))]
    pub(super) fn end_lease(&'static self) {
        self.leased.fetch_sub(1, Ordering::SeqCst);
        self.release();
    }

    /// Whether any such thread has one.
    pub(super) fn has_leased(&self) -> bool {
        self.leased.load(Ordering::SeqCst) > 0
    }

    /// Gives up a permit for a call that waits and is likely one of many, so the next worker need
    /// not wait until this one's successor has found its task.
    pub(super) fn pass_on(&'static self) {
        if self.crew.release() && self.has_work() {
            self.summon(true);
        }
    }

    /// Makes a permit beyond P for anybody who has work.
    pub(super) fn lend(&'static self) {
        self.crew.lend();
        self.look_again();
    }

    /// Takes a permit, waiting for it if need be, before any new task gets one.
    pub(super) fn regain(&'static self, seat: &'static Seat) {
        if !self.is_here() || self.crew.take_or_queue(seat) {
            return;
        }
        // The permit holders may be waiting themselves, even for this very thread. The monitor
        // detects those that sleep, but not those that spin until this thread has done something.
        self.monitor.start(self);
        if !seat.parker.park_timeout(MAX_RETURN_WAIT) {
            // Continue without a permit rather than never; the next one that is given up makes up
            // for it.
            if self.crew.leave_queue(seat) {
                self.crew.borrow();
            } else {
                seat.parker.park();
            }
        }
    }
}

/// How long a thread that returns from a wait queues for a permit.
const MAX_RETURN_WAIT: Duration = Duration::from_millis(20);
