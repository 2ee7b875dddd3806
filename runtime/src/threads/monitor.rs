//! The monitor finds workers that wait where the pool cannot see it, in a system call or on a
//! lock, and passes their permits on.
//!
//! It is awake only while something waits for a permit and none is free. Each tick it reads the
//! state of the threads that hold permits. One that sleeps now, slept a tick ago, inside the same
//! task, and has hardly computed in between, is blocked: its permit is revoked and goes to the
//! next. A thread that the kernel has taken off a core is ready to run, which is another state: a
//! busy machine adds no thread.
//!
//! When all that was looked at is blocked, permits beyond the revoked ones are lent out, twice as
//! many from tick to tick, so that a queue full of unknown waits is started in milliseconds. Who
//! ends a task while more permits are out than there are gives one back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::pool::{Pool, pool};
use super::probe::{Probe, Reading};
use super::seat::{self, Seat};
use crate::panic::quietly;
use crate::parker::Parker;
use crate::sync::Lock;

/// The first tick, and those while something changes.
const MIN_TICK: Duration = Duration::from_micros(250);
/// The tick while all permits are computed with.
const MAX_TICK: Duration = Duration::from_millis(4);
/// Permits lent at once at most.
const MAX_LENT: usize = 64;
/// How long a task may hold up others where nobody can see whether it computes.
pub(super) const PRESUMED_BLOCKED: Duration = Duration::from_millis(20);

pub(super) struct Monitor {
    starting: Lock<()>,
    lives: AtomicBool,
    parker: Parker,
}

/// What is remembered of one worker from tick to tick.
struct Sight {
    seat: &'static Seat,
    task: u64,
    reading: Reading,
    /// When it was first seen inside this task.
    began: Instant,
    seen: Instant,
    fresh: bool,
}

impl Monitor {
    pub(super) fn new() -> Self {
        Self { starting: Lock::new(()), lives: AtomicBool::new(false), parker: Parker::new() }
    }

    /// Wakes the monitor. False if there is none: its thread could not be made.
    #[cold]
    pub(super) fn start(&self, pool: &'static Pool) -> bool {
        let lives = self.lives.load(Ordering::Acquire) || self.come_to_life();
        if lives && pool.crew.watch() {
            self.parker.unpark();
        }
        lives
    }
}

impl Monitor {
    /// Makes the thread. Tried again each time, since a system that has no thread to give may have
    /// one later.
    fn come_to_life(&self) -> bool {
        let _one_at_a_time = self.starting.lock();
        if self.lives.load(Ordering::Acquire) {
            return true;
        }
        let name = "trine-monitor".to_owned();
        let lives = thread::Builder::new().name(name).spawn(|| Watch::new().run()).is_ok();
        self.lives.store(lives, Ordering::Release);
        lives
    }
}

struct Watch {
    pool: &'static Pool,
    probe: Probe,
    sights: Vec<Sight>,
    /// How many permits were lent at the last tick.
    lent: usize,
}

impl Watch {
    fn new() -> Self {
        Self { pool: pool(), probe: Probe::choose(), sights: Vec::new(), lent: 0 }
    }

    fn run(&mut self) {
        loop {
            self.pool.monitor.parker.park();
            if quietly(|| self.watch()).is_none() {
                self.pool.crew.unwatch();
            }
            self.sights.clear();
            self.lent = 0;
        }
    }

    fn watch(&mut self) {
        let mut tick = MIN_TICK;
        loop {
            thread::sleep(tick);
            if !self.is_needed() {
                self.pool.crew.unwatch();
                // Whoever came meanwhile found the monitor awake and left it at that.
                if !(self.is_needed() && self.pool.crew.watch()) {
                    return;
                }
            }
            tick = if self.tick() { MIN_TICK } else { (tick * 2).min(MAX_TICK) };
        }
    }

    fn is_needed(&self) -> bool {
        let crew = &self.pool.crew;
        !crew.has_idle() && (crew.has_returning() || seat::any_queued())
    }

    /// Looks at all holders of permits. Whether to look again soon.
    fn tick(&mut self) -> bool {
        let revoked = seat::workers().filter(|seat| seat.post.is_revoked()).count();
        let (mut holders, mut asleep, mut blocked) = (0, 0, 0);
        for seat in seat::workers() {
            let Some(task) = seat.post.running() else { continue };
            let look = match &mut self.probe {
                Probe::Kernel(files) => files.read(seat.post.thread()),
                Probe::Time => Some(Reading { sleeps: false, computed: Duration::ZERO }),
            };
            let Some(reading) = look else { continue };
            holders += 1;
            asleep += usize::from(reading.sleeps);
            if let (Probe::Kernel(_), Some(function)) = (&self.probe, seat.post.function()) {
                match reading.sleeps {
                    true => function.habit().note_waiting(),
                    false => function.habit().note_computing(),
                }
            }
            if self.is_blocked(seat, task, reading, revoked + blocked) && seat.post.revoke(task) {
                blocked += 1;
            }
        }
        self.sights.retain_mut(|sight| std::mem::take(&mut sight.fresh));
        if let Probe::Kernel(files) = &mut self.probe {
            files.close_unread();
        }
        for _ in 0..blocked {
            self.pool.release();
        }
        self.lend(asleep > 0 && asleep == holders && blocked > 0);
        asleep > 0
    }

    fn lend(&mut self, all_blocked: bool) {
        self.lent = if all_blocked { (self.lent * 2).clamp(1, MAX_LENT) } else { 0 };
        for _ in 0..self.lent {
            self.pool.lend();
        }
    }

    /// Notes what a worker looks like now, and decides whether it is blocked. `revoked`: how many
    /// are held to be, so far.
    fn is_blocked(
        &mut self,
        seat: &'static Seat,
        task: u64,
        reading: Reading,
        revoked: usize,
    ) -> bool {
        let now = Instant::now();
        let mut sight = Sight { seat, task, reading, began: now, seen: now, fresh: true };
        let Some(known) = self.sights.iter_mut().find(|sight| sight.seat == seat) else {
            self.sights.push(sight);
            return false;
        };
        if known.task != task {
            *known = sight;
            return false;
        }
        let began = known.began;
        sight.began = began;
        let earlier = std::mem::replace(known, sight);
        match self.probe {
            Probe::Kernel(_) => {
                let computed = reading.computed.saturating_sub(earlier.reading.computed);
                reading.sleeps
                    && earlier.reading.sleeps
                    && computed * 4 < now.duration_since(earlier.seen)
            }
            // The more are held to be blocked, the longer it takes the next: long computations
            // then add few threads, and real waits still never stop the queue.
            Probe::Time => {
                let shares = 1 + revoked / self.pool.permits;
                let allowance = PRESUMED_BLOCKED * u32::try_from(shares).unwrap_or(u32::MAX);
                now.duration_since(began) >= allowance
            }
        }
    }
}
