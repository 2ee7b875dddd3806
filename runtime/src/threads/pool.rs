//! The one pool of the program: its crew, its queues' front door, and what a worker does around a
//! wait.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use super::crew::{Crew, Duty, Member};
use super::monitor::Monitor;
use super::seat::{self, Item, Seat};
use super::worker;
use crate::config;

/// More threads than this are never made: blocked tasks beyond it wait in the queue.
const MAX_THREADS: usize = 512;

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
}

static POOL: LazyLock<Pool> = LazyLock::new(|| {
    let permits = config::threads().min(seat::SEATS_OF_A_KIND);
    Pool {
        crew: Crew::new(permits, max_threads(permits)),
        permits,
        monitor: Monitor::new(),
        spin: SpinBudget::new(),
    }
});

fn max_threads(permits: usize) -> usize {
    MAX_THREADS.max(permits).min(seat::SEATS_OF_A_KIND)
}

/// The pool, made when first needed; its threads are made when there is work for them.
#[inline]
pub(super) fn pool() -> &'static Pool {
    &POOL
}

/// Queues a task.
#[inline]
pub(super) fn push(item: Item) {
    if item.function().habit().blocks() {
        pool().dispatch(item);
    } else {
        seat::push(item);
        pool().published();
    }
}

impl Pool {
    /// To be called after work was made visible, and a sequentially consistent fence.
    #[inline]
    pub(super) fn published(&'static self) {
        match self.crew.published() {
            Duty::Nothing => {}
            Duty::Summon => self.summon(),
            Duty::Watch => {
                self.monitor.start(self);
            }
        }
    }

    /// The same for work that lies there already.
    pub(super) fn look_again(&'static self) {
        if self.has_work() {
            self.published();
        }
    }

    /// Has a worker run a call that will mostly wait: at once, as it needs no permit, and beside
    /// all that computes.
    #[cold]
    pub(super) fn dispatch(&'static self, item: Item) {
        seat::push_blocking(item);
        let tell = |seat: &'static Seat| seat.post.send_on_errand();
        if !self.crew.dispatch(tell, || start_worker(worker::run_errand)) {
            self.published();
        }
    }

    #[cold]
    fn summon(&'static self) {
        // If there is nobody, at the limit or since the system makes no more threads, those there
        // are go on with the queue when they are done, and joiners run what they join.
        let _ = self.crew.summon(false, || start_worker(worker::run));
    }

    /// Whether anything waits for a worker.
    pub(super) fn has_work(&self) -> bool {
        seat::any_laden()
    }

    /// Gives up a permit.
    pub(super) fn release(&'static self) {
        if self.crew.release() {
            self.look_again();
        }
    }

    /// Gives up a permit for something that waits, and is likely one of many: the next worker need
    /// not wait until this one's successor has found its task.
    pub(super) fn pass_on(&'static self) {
        if self.crew.release() && self.has_work() {
            let _ = self.crew.summon(true, || start_worker(worker::run));
        }
    }

    /// Makes a permit beyond P for whoever has work.
    pub(super) fn lend(&'static self) {
        self.crew.lend();
        self.look_again();
    }

    /// Takes a permit, waiting for it if need be, before any new task gets one.
    pub(super) fn regain(&'static self, seat: &'static Seat) {
        if self.crew.take_or_queue(seat) {
            return;
        }
        // The permits' holders may wait themselves, for this very thread even. The monitor finds
        // those that sleep; those that compute until this thread has done something it cannot.
        let watched = self.monitor.start(self);
        let at_most = if watched { MAX_RETURN_WAIT } else { super::monitor::PRESUMED_BLOCKED };
        if !seat.parker.park_timeout(at_most) {
            // Go on without, rather than never; the next permit that is given up makes it good.
            if self.crew.leave_queue(seat) {
                self.crew.borrow();
            } else {
                seat.parker.park();
            }
        }
    }
}

/// How long a thread that comes back from a wait stands in line for a permit.
const MAX_RETURN_WAIT: Duration = Duration::from_millis(20);

fn start_worker(run: fn()) -> bool {
    thread::Builder::new().name("trine-worker".to_owned()).spawn(run).is_ok()
}

/// How long a worker that finds nothing keeps looking before it sleeps.
///
/// To be woken costs the caller a system call and the task a good part of 50 µs, so looking on
/// pays when tasks follow each other closely, and is waste when they do not. Which it is, the
/// recent past tells: a look that found something, or a sleep that was short, lengthens the next
/// look; a vain one halves it.
pub(super) struct SpinBudget {
    microseconds: AtomicU32,
    /// One worker at a time looks on; the next to find nothing sleeps at once.
    taken: AtomicBool,
}

/// Longer than a wake-up takes, so that a steady stream of tasks meets a worker that is awake.
const MAX_SPIN: u32 = 64;

impl SpinBudget {
    fn new() -> Self {
        Self { microseconds: AtomicU32::new(0), taken: AtomicBool::new(false) }
    }

    /// For how long to look on; `None` if another worker does.
    pub(super) fn take(&self) -> Option<u32> {
        let microseconds = self.microseconds.load(Ordering::Relaxed);
        let free = microseconds > 0 && !self.taken.swap(true, Ordering::Relaxed);
        free.then_some(microseconds)
    }

    pub(super) fn give_back(&self, rewarded: bool) {
        if rewarded {
            self.lengthen()
        } else {
            self.shorten()
        }
        self.taken.store(false, Ordering::Relaxed);
    }

    /// A sleep has ended after that many microseconds.
    pub(super) fn slept(&self, microseconds: u128) {
        if microseconds < u128::from(2 * MAX_SPIN) {
            self.lengthen();
        }
    }

    fn lengthen(&self) {
        let now = self.microseconds.load(Ordering::Relaxed);
        self.microseconds.store((now * 2).clamp(4, MAX_SPIN), Ordering::Relaxed);
    }

    fn shorten(&self) {
        let now = self.microseconds.load(Ordering::Relaxed);
        self.microseconds.store(now / 2, Ordering::Relaxed);
    }
}
