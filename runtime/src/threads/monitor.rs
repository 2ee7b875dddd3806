//! The monitor detects workers that wait in a system call or on a lock, and passes their permits
//! on.
//!
//! It is awake only while work waits and no permit, or no thread, is free. Each tick it reads the
//! state of the threads that hold permits. A thread is blocked if it sleeps now, slept a tick ago
//! inside the same task, and has hardly computed in between: its permit is revoked and passed on. A
//! thread that the kernel has preempted is ready to run, which is another state, so a busy machine
//! causes no extra threads.
//!
//! If all of them are blocked, further permits are lent, twice as many from tick to tick, so that a
//! queue full of unknown waits is started within milliseconds. While too many permits are taken,
//! each worker that ends a task gives one back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::pool::{Pool, pool};
use super::probe::{Probe, Reading};
use super::seat::{self, Seat};
use super::shortage::Cause;
use super::standstill::Standstill;
use crate::parker::Parker;
use crate::relay::{self, aside};
use crate::sync::Lock;

/// The first tick, and those while something changes.
const MIN_TICK: Duration = Duration::from_micros(250);
/// The tick while all permit holders compute.
const MAX_TICK: Duration = Duration::from_millis(4);
/// The maximum number of permits to lend at once.
const MAX_LENT_AT_ONCE: usize = 64;
/// How long a task may hold up others if there is no way to tell whether it computes.
const PRESUMED_BLOCKED: Duration = Duration::from_millis(20);

/// The monitor needs little stack: it runs no code of users.
const STACK: usize = 1 << 20;

pub(super) struct Monitor {
    starting: Lock<()>,
    lives: AtomicBool,
    parker: Parker,
}

/// What the monitor remembers about a worker between ticks.
struct Sight {
    seat: &'static Seat,
    task: u64,
    /// `None` if the kernel does not say.
    reading: Option<Reading>,
    /// When it was first seen inside this task.
    began: Instant,
    seen: Instant,
    fresh: bool,
}

impl Monitor {
    pub(super) fn new() -> Self {
        Self { starting: Lock::new(()), lives: AtomicBool::new(false), parker: Parker::new() }
    }

    /// Wakes the monitor, or starts it: threads outside the pool may have all permits before there
    /// is any worker.
    #[cold]
    pub(super) fn start(&self, pool: &'static Pool) {
        if !pool.is_here() {
            return;
        }
        if let Err(refused) = self.ensure() {
            pool.shortage.begin(Cause::System(refused));
        } else if pool.crew.watch() {
            self.parker.unpark();
        }
    }

    /// Starts its thread if it does not exist. Retried each time, since the system may provide a
    /// thread later.
    pub(super) fn ensure(&self) -> io::Result<()> {
        if self.lives.load(Ordering::Acquire) {
            return Ok(());
        }
        let _one_at_a_time = self.starting.lock();
        if !self.lives.load(Ordering::Acquire) {
            // While the system still gives threads.
            aside::prepare();
            thread::Builder::new()
                .name("trine-monitor".to_owned())
                .stack_size(STACK)
                .spawn(|| Watch::new().run())?;
            self.lives.store(true, Ordering::Release);
        }
        Ok(())
    }
}

struct Watch {
    pool: &'static Pool,
    probe: Probe,
    sights: Vec<Sight>,
    /// How many permits were lent at the last tick.
    lent: usize,
    standstill: Standstill,
    /// Whether no worker had a permit at the last tick, and none was free.
    were_elsewhere: bool,
}

impl Watch {
    fn new() -> Self {
        let (probe, standstill) = (Probe::choose(), Standstill::new());
        let sights = Vec::new();
        Self { pool: pool(), probe, sights, lent: 0, standstill, were_elsewhere: false }
    }

    fn run(&mut self) {
        loop {
            self.pool.monitor.parker.park();
            if aside::serve(|| self.watch()).is_none() {
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
                // Others that came meanwhile found the monitor awake and did nothing.
                if !(self.is_needed() && self.pool.crew.watch()) {
                    return;
                }
            }
            tick = if self.tick() { MIN_TICK } else { (tick * 2).min(MAX_TICK) };
        }
    }

    fn is_needed(&self) -> bool {
        let Pool { crew, shortage, .. } = self.pool;
        let somebody_waits = || crew.has_returning() || seat::any_queued();
        if !somebody_waits() {
            // Anybody who comes now and finds no monitor starts another.
            shortage.end();
        }
        somebody_waits() && (!crew.has_idle() || shortage.goes_on())
    }

    /// Examines all permit holders. Returns whether to do so again soon.
    fn tick(&mut self) -> bool {
        let revoked = seat::workers().filter(|seat| seat.post.is_revoked()).count();
        let (mut holders, mut asleep, mut blocked) = (0, 0, 0);
        for seat in seat::workers() {
            let Some(task) = seat.post.running() else { continue };
            let reading = self.probe.read(seat.post.thread());
            let sleeps = reading.is_some_and(|reading| reading.sleeps);
            holders += 1;
            asleep += usize::from(sleeps);
            if let (Some(_), Some(function)) = (reading, seat.post.function()) {
                match sleeps {
                    true => function.habit().note_waiting(),
                    false => function.habit().note_computing(),
                }
            }
            if self.is_blocked(seat, task, reading, revoked + blocked) && seat.post.revoke(task) {
                blocked += 1;
            }
        }
        self.sights.retain_mut(|sight| std::mem::take(&mut sight.fresh));
        self.standstill.look(self.pool, &mut self.probe);
        // What follows from refusing calls, such as the destructors of their arguments.
        aside::take(relay::drain());
        self.probe.close_unread();
        for _ in 0..blocked {
            self.pool.release();
        }
        self.lend(asleep > 0 && asleep == holders && blocked > 0);
        // Threads outside the pool that are in a join have all permits, and may wait in there for
        // what is queued here.
        let has_all = self.pool.has_leased() && holders == 0 && !self.pool.crew.has_idle();
        let are_elsewhere = has_all && seat::any_queued();
        if std::mem::replace(&mut self.were_elsewhere, are_elsewhere) && are_elsewhere {
            self.pool.lend();
        }
        asleep > 0
    }

    fn lend(&mut self, all_blocked: bool) {
        self.lent = if all_blocked { (self.lent * 2).clamp(1, MAX_LENT_AT_ONCE) } else { 0 };
        for _ in 0..self.lent {
            self.pool.lend();
        }
    }

    /// Records the state of a worker and decides whether it is blocked. `revoked`: how many are
    /// considered blocked so far.
    fn is_blocked(
        &mut self,
        seat: &'static Seat,
        task: u64,
        reading: Option<Reading>,
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
        if let (Some(reading), Some(earlier_reading)) = (reading, earlier.reading) {
            let computed = reading.computed.saturating_sub(earlier_reading.computed);
            return reading.sleeps
                && earlier_reading.sleeps
                && computed * 4 < now.duration_since(earlier.seen);
        }
        // The more are considered blocked, the longer it takes for the next: so long computations
        // add few threads, and real waits still never stall the queue.
        let shares = u32::try_from(1 + revoked / self.pool.permits).unwrap_or(u32::MAX);
        now.duration_since(began) >= PRESUMED_BLOCKED.saturating_mul(shares)
    }
}
