//! Deadlines: one thread keeps the time for all of them, from the first on, and sleeps until the
//! next.
//!
//! What an alarm does may run code of users: a task that ends drops its arguments, wakes an
//! executor, starts another try. That may block for as long as it likes, or wait for another
//! deadline. So while one thread rings, a second one looks after it: if the first has not come back
//! within a moment, the second takes the time over, and a third looks after that one. Whichever
//! comes back then waits to be needed again, so a slow destructor delays nobody but its own task.
//!
//! Where the system has no thread to give, the threads that wait for a task keep the time
//! themselves ([`stand_in`]), and each asks for a thread again.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::forks;
use crate::panic::{drop_quietly, quietly};
use crate::sync::{Guard, Lock, Signal};

type Ring = Box<dyn FnOnce() + Send>;

/// An alarm that rings for so long does not keep the time any more.
const PATIENCE: Duration = Duration::from_millis(1);
/// More threads are never made. Each but two stands for an alarm that has not come back.
const MAX_THREADS: usize = 512;
/// A thread that is not needed for so long leaves.
const KEEP_SPARE: Duration = Duration::from_secs(10);
/// How often a thread looks at the time that waits and has to keep it as well.
pub(crate) const STAND_IN_TICK: Duration = Duration::from_millis(2);

/// Something that will be done at a moment, unless this is dropped before.
pub(crate) struct Alarm {
    /// `None`: so far away that it never comes.
    key: Option<(Instant, u64)>,
    also: Option<Box<Alarm>>,
}

impl Alarm {
    /// Runs `ring` after that time, on a thread of the timer.
    pub(crate) fn after(delay: Duration, ring: impl FnOnce() + Send + 'static) -> Self {
        let at = Instant::now().checked_add(delay).filter(|_| !forks::is_child());
        let key = at.map(|at| timer().insert(at, Box::new(ring)));
        prepare();
        Self { key, also: None }
    }

    /// Keeps both.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.also = Some(Box::new(match self.also.take() {
            None => other,
            Some(also) => also.and(other),
        }));
        self
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(key) = self.key
            && !forks::is_child()
        {
            let ring = timer().lock().alarms.remove(&key);
            // Dropped without the lock: it may own anything.
            drop_quietly(ring);
        }
    }
}

/// Who keeps the time.
static KEPT: AtomicU8 = AtomicU8::new(UNASKED);
const UNASKED: u8 = 0;
const BY_THREAD: u8 = 1;
/// The system had no thread to give when it was last asked.
const BY_NOBODY: u8 = 2;

/// Sees to it that somebody keeps the time, before a deadline is set that others will wait for.
pub(crate) fn prepare() {
    if KEPT.load(Ordering::Acquire) != BY_THREAD && !forks::is_child() {
        timer().begin();
    }
}

/// Whether threads that wait have to keep the time as well.
pub(crate) fn needs_stand_in() -> bool {
    KEPT.load(Ordering::Relaxed) == BY_NOBODY
}

/// Does what is due, where no thread does it. Whether to come again: what is waited for may set its
/// deadline later.
pub(crate) fn stand_in() -> bool {
    if timer().begin() {
        return false;
    }
    while let Some(ring) = timer().take_due() {
        quietly(ring);
    }
    true
}

struct Timer {
    state: Lock<State>,
    /// The ringer waits here for the next alarm.
    alarms: Signal,
    /// The watcher waits here for the ringer to ring.
    rings: Signal,
    /// Threads without a role wait here for one.
    roles: Signal,
}

#[derive(Default)]
struct State {
    alarms: BTreeMap<(Instant, u64), Ring>,
    /// Tells alarms of one moment apart, and threads.
    next: u64,
    threads: usize,
    /// The thread that keeps the time and rings.
    ringer: Option<u64>,
    /// The thread that looks after the ringer, and whether it sleeps until that rings.
    watcher: Option<u64>,
    watcher_sleeps: bool,
    /// Threads without a role.
    spares: Vec<u64>,
    /// How often was rung, and whether the ringer is at it.
    rung: u64,
    rings: bool,
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Takes the first alarm if its moment has come.
    fn due(&mut self) -> Option<Ring> {
        let first = self.alarms.first_entry()?;
        (first.key().0 <= Instant::now()).then(|| first.remove())
    }
}

fn timer() -> &'static Timer {
    static TIMER: OnceLock<Timer> = OnceLock::new();
    TIMER.get_or_init(|| Timer {
        state: Lock::default(),
        alarms: Signal::new(),
        rings: Signal::new(),
        roles: Signal::new(),
    })
}

impl Timer {
    fn lock(&self) -> Guard<'_, State> {
        self.state.lock()
    }

    /// What is to be rung now, without the lock: it may set alarms, and drop some.
    fn take_due(&self) -> Option<Ring> {
        self.lock().due()
    }

    fn insert(&self, at: Instant, ring: Ring) -> (Instant, u64) {
        let mut state = self.lock();
        let key = (at, state.number());
        state.alarms.insert(key, ring);
        if state.alarms.first_key_value().is_some_and(|(first, _)| *first == key) {
            self.alarms.notify_one();
        }
        key
    }

    /// Makes the first thread. Whether there is one.
    fn begin(&'static self) -> bool {
        let mut state = self.lock();
        if state.ringer.is_none() {
            forks::watch();
            state.ringer = self.start_thread(&mut state);
        }
        let kept = if state.ringer.is_some() { BY_THREAD } else { BY_NOBODY };
        KEPT.store(kept, Ordering::Release);
        kept == BY_THREAD
    }

    fn start_thread(&'static self, state: &mut State) -> Option<u64> {
        if state.threads == MAX_THREADS {
            return None;
        }
        let me = state.number();
        let thread = thread::Builder::new().name("trine-timer".to_owned());
        thread.spawn(move || self.live(me)).ok()?;
        state.threads += 1;
        Some(me)
    }

    fn live(&'static self, me: u64) {
        let mut state = self.lock();
        loop {
            state = if *state.ringer.get_or_insert(me) == me {
                self.ring(me, state)
            } else if *state.watcher.get_or_insert(me) == me {
                self.look_after(me, state)
            } else {
                match self.wait_for_role(me, state) {
                    Some(state) => state,
                    None => return,
                }
            };
        }
    }

    /// Rings what is due, or waits for it.
    fn ring(&'static self, me: u64, mut state: Guard<'static, State>) -> Guard<'static, State> {
        if let Some(ring) = state.due() {
            state.rung += 1;
            state.rings = true;
            self.have_looked_after(&mut state);
            drop(state);
            quietly(ring);
            state = self.lock();
            if state.ringer == Some(me) {
                state.rings = false;
            }
            return state;
        }
        match state.alarms.first_key_value() {
            Some(((at, _), _)) => {
                let left = at.saturating_duration_since(Instant::now());
                self.alarms.wait_timeout(state, left)
            }
            None => self.alarms.wait(state),
        }
    }

    /// Has somebody look after the ringer. If nobody can be found, it rings all the same.
    fn have_looked_after(&'static self, state: &mut State) {
        if state.watcher.is_none() {
            state.watcher = state.spares.pop().or_else(|| self.start_thread(state));
            self.roles.notify_all();
        } else if std::mem::take(&mut state.watcher_sleeps) {
            self.rings.notify_one();
        }
    }

    /// Takes the time over if the ringer does not come back.
    fn look_after(&self, me: u64, mut state: Guard<'static, State>) -> Guard<'static, State> {
        if !state.rings {
            state.watcher_sleeps = true;
            state = self.rings.wait(state);
            state.watcher_sleeps = false;
            return state;
        }
        let (rung, began) = (state.rung, Instant::now());
        state = self.rings.wait_timeout(state, PATIENCE);
        if state.rings && state.rung == rung && began.elapsed() >= PATIENCE {
            (state.ringer, state.watcher, state.rings) = (Some(me), None, false);
        }
        state
    }

    /// Nothing if the thread was not needed for long, and is to end.
    fn wait_for_role(
        &self,
        me: u64,
        mut state: Guard<'static, State>,
    ) -> Option<Guard<'static, State>> {
        state.spares.push(me);
        let until = Instant::now() + KEEP_SPARE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            state = self.roles.wait_timeout(state, left);
            let Some(place) = state.spares.iter().position(|&spare| spare == me) else {
                return Some(state);
            };
            if left.is_zero() {
                state.spares.swap_remove(place);
                state.threads -= 1;
                return None;
            }
        }
    }
}
