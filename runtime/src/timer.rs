//! Deadlines: one thread keeps the time for all of them. It exists from the first deadline on, and
//! sleeps until the next.
//!
//! An alarm may run user code: a task that ends drops its arguments, wakes an executor, starts
//! another attempt. That may block for any time, or wait for another deadline. So while one thread
//! rings, a second one watches it: if the first does not return soon, the second takes over the
//! time, and a third watches that one. A thread that returns late waits until it is needed again,
//! so a slow destructor delays only its own task.
//!
//! If the system provides no thread, the threads that wait for a task keep the time themselves
//! ([`stand_in`]), and each tries again to start one.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::forks;
use crate::panic::{drop_quietly, quietly};
use crate::sync::{Guard, Lock, Signal};

type Ring = Box<dyn FnOnce() + Send>;

/// After ringing for this long, a thread no longer keeps the time.
const PATIENCE: Duration = Duration::from_millis(1);
/// The maximum number of threads. All but two of them are in alarms that have not returned.
const MAX_THREADS: usize = 512;
/// A thread that is not needed for this long ends.
const KEEP_SPARE: Duration = Duration::from_secs(10);
/// How often a waiting thread checks the time if it has to keep it as well.
pub(crate) const STAND_IN_TICK: Duration = Duration::from_millis(2);

/// Something to do at a certain time, unless this is dropped before.
pub(crate) struct Alarm {
    /// `None`: so far in the future that it never comes.
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
            // Dropped without the lock, since its destructor may run any code.
            drop_quietly(ring);
        }
    }
}

/// The threads that keep the time.
static KEPT: AtomicU8 = AtomicU8::new(UNASKED);
const UNASKED: u8 = 0;
const BY_THREAD: u8 = 1;
/// The system refused a thread at the last attempt.
const BY_NOBODY: u8 = 2;

/// Makes sure that somebody keeps the time, before a deadline is set.
pub(crate) fn prepare() {
    if KEPT.load(Ordering::Acquire) != BY_THREAD && !forks::is_child() {
        timer().begin();
    }
}

/// Whether waiting threads have to keep the time as well.
pub(crate) fn needs_stand_in() -> bool {
    KEPT.load(Ordering::Relaxed) == BY_NOBODY
}

/// Rings what is due, if no thread does that. Returns whether to check again: the awaited task may
/// set its deadline later.
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
    /// Distinguishes alarms at the same time, and threads.
    next: u64,
    threads: usize,
    /// The thread that keeps the time and rings.
    ringer: Option<u64>,
    /// The thread that watches the ringer, and whether it sleeps until that rings.
    watcher: Option<u64>,
    watcher_sleeps: bool,
    /// Threads without a role.
    spares: Vec<u64>,
    /// How often alarms rang, and whether the ringer is ringing.
    rung: u64,
    rings: bool,
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Takes the first alarm if it is due.
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

    /// The alarm to ring now, without the lock, since it may set and drop alarms.
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

    /// Starts the first thread. Returns whether there is one.
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

    /// Gets a thread to watch the ringer. If there is none, it rings all the same.
    fn have_looked_after(&'static self, state: &mut State) {
        if state.watcher.is_none() {
            state.watcher = state.spares.pop().or_else(|| self.start_thread(state));
            self.roles.notify_all();
        } else if std::mem::take(&mut state.watcher_sleeps) {
            self.rings.notify_one();
        }
    }

    /// Takes over the time if the ringer does not return.
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

    /// `None` if the thread was not needed for long, and should end.
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
