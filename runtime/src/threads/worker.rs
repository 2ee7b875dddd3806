//! A worker's life: find a task, run it, spin for a moment, sleep.

use std::cell::Cell;
use std::hint;
use std::thread;
use std::time::{Duration, Instant};

use super::pool::{Pool, pool};
use super::seat::{self, Item, Seat};
use super::{clock, join, strays};
use crate::function::Function;
use crate::panic::{drop_quietly, quietly};
use crate::wait;

/// A worker beyond the number of permits ends after sleeping this long.
const KEEP_SPARE: Duration = Duration::from_secs(10);

/// After this many tasks a worker takes the oldest it can find, so that nothing waits forever
/// behind tasks that keep spawning more.
const FAIR_EVERY: u32 = 61;

thread_local! {
    static WAITS: Waits = const { Waits { depth: Cell::new(0), owed: Cell::new(false) } };
}

/// A worker's waits that the pool knows about.
struct Waits {
    depth: Cell<u32>,
    /// Whether the worker had a permit before the outermost one, and must regain it.
    owed: Cell<bool>,
}

// Destructors of an ending thread's locals may still wait; by then the seat may be another's.
impl wait::Hook for Seat {
    fn before_block(&self) {
        if seat::mine_if_any().is_none() {
            return;
        }
        WAITS.with(|waits| {
            waits.depth.set(waits.depth.get() + 1);
            if waits.depth.get() == 1 {
                waits.owed.set(self.post.end());
                if waits.owed.get() {
                    pool().release();
                }
            }
        });
    }

    fn after_block(&self) {
        let Some(seat) = seat::mine_if_any() else { return };
        WAITS.with(|waits| {
            waits.depth.set(waits.depth.get() - 1);
            if waits.depth.get() == 0 && waits.owed.get() {
                pool().regain(seat);
                self.post.begin();
            }
        });
    }
}

/// Runs a closure as a call of this function, visible to the monitor; on any thread.
#[inline]
pub(super) fn attributed<R>(function: &'static Function, run: impl FnOnce() -> R) -> R {
    let Some(seat) = seat::mine_if_any().filter(|seat| seat.post.is_worker()) else {
        return run();
    };
    let outer = seat.post.enter(function);
    let result = run();
    seat.post.enter(outer);
    result
}

struct Worker {
    pool: &'static Pool,
    seat: &'static Seat,
    has_permit: bool,
    searching: bool,
    tasks: u32,
}

/// The main function of a thread that starts as a searcher with a permit.
pub(super) fn run() {
    Worker::start(true).live();
}

/// The main function of a thread that starts for calls that need no permit.
pub(super) fn run_errand() {
    let mut worker = Worker::start(false);
    worker.errand();
    worker.live();
}

impl Worker {
    fn start(has_permit: bool) -> Self {
        #[cfg(target_os = "linux")]
        super::overflow::watch();
        let seat = seat::take_workers().expect("there are more seats than workers");
        seat.post.set_worker(Some(clock::thread_id()));
        wait::set_hook(seat);
        Self { pool: pool(), seat, has_permit, searching: has_permit, tasks: 0 }
    }

    fn live(mut self) {
        // A child that a body has forked must not run queued tasks.
        while self.pool.is_here() {
            let goes_on = self.has_permit && (self.work_once() || self.linger());
            if !goes_on && !self.sleep() {
                break;
            }
        }
        self.seat.post.set_worker(None);
    }

    /// Runs calls that mostly wait, until there are no more.
    fn errand(&mut self) {
        while self.pool.is_here()
            && let Some(item) = strays::take_blocking()
        {
            if item.is_queued() {
                self.seat.post.enter(item.function());
                wait_for(item);
                self.seat.post.end_task();
            } else {
                drop_quietly(item);
            }
        }
    }

    /// Does one piece of work.
    fn work_once(&mut self) -> bool {
        while let Some(item) = self.find() {
            if item.is_queued() {
                self.execute(item);
                return true;
            }
            // A shell. Foreign destructors may panic, which must not end the worker.
            drop_quietly(item);
        }
        join::take_offer(|branch| {
            self.found();
            self.seat.post.enter(std::ptr::null());
            self.inside(branch);
        })
    }

    fn find(&mut self) -> Option<Item> {
        self.tasks = self.tasks.wrapping_add(1);
        if let Some(urgent) = strays::take_urgent() {
            return Some(urgent);
        }
        if self.tasks.is_multiple_of(FAIR_EVERY) {
            return self.seat.take_from_others().or_else(|| self.seat.pop_oldest());
        }
        self.seat.pop().or_else(|| self.seat.take_from_others())
    }

    fn execute(&mut self, item: Item) {
        let function = item.function();
        self.seat.post.enter(function);
        self.found();
        if function.habit().blocks() {
            self.has_permit = false;
            self.pool.pass_on();
            wait_for(item);
            self.seat.post.end_task();
            self.want_permit();
        } else {
            self.inside(|| item.run());
        }
    }

    /// Runs code that may block without the pool's knowledge.
    fn inside(&mut self, run: impl FnOnce()) {
        self.seat.post.begin();
        quietly(run);
        self.seat.post.end_task();
        self.has_permit = self.seat.post.end();
        if self.has_permit && self.pool.crew.is_overdrawn() {
            self.has_permit = false;
            self.pool.release();
        }
        self.want_permit();
    }

    fn want_permit(&mut self) {
        self.has_permit = self.has_permit || self.pool.crew.try_take();
    }

    fn found(&mut self) {
        if self.searching {
            self.searching = false;
            if self.pool.crew.found() {
                self.pool.look_again();
            }
        }
    }

    /// Spins for a moment. Returns whether there may be something.
    fn linger(&mut self) -> bool {
        if !self.searching {
            self.searching = true;
            self.pool.crew.start_search();
            return true;
        }
        let Some(microseconds) = self.pool.spin.take() else { return false };
        let (start, at_most) = (Instant::now(), Duration::from_micros(microseconds.into()));
        let rewarded = loop {
            for _ in 0..16 {
                hint::spin_loop();
            }
            if self.pool.has_work() {
                break true;
            }
            if start.elapsed() >= at_most {
                break false;
            }
            thread::yield_now();
        };
        self.pool.spin.give_back(rewarded);
        rewarded
    }

    /// Sleeps until there is something to do. Returns false if the thread should end.
    fn sleep(&mut self) -> bool {
        let crew = &self.pool.crew;
        let threads = crew.lie_down(self.seat, self.has_permit);
        (self.has_permit, self.searching) = (false, false);
        self.pool.look_again();
        let lay_down = Instant::now();
        if threads > self.pool.permits {
            if !self.seat.parker.park_timeout(KEEP_SPARE) {
                if crew.discharge(self.seat, self.pool.permits) {
                    return false;
                }
                self.seat.parker.park();
            }
        } else {
            self.seat.parker.park();
        }
        if self.seat.post.take_errand() {
            self.errand();
            return true;
        }
        self.pool.spin.slept(lay_down.elapsed().as_micros());
        (self.has_permit, self.searching) = (true, true);
        true
    }
}

/// Runs a call of a function that mostly waits, without a permit, and learns whether it still does.
fn wait_for(item: Item) {
    let habit = item.function().habit();
    let started = clock::Span::start();
    quietly(|| item.run());
    match started.mostly_waited() {
        true => habit.note_waiting(),
        false => habit.note_computing(),
    }
}
