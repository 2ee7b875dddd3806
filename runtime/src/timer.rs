//! Deadlines: one thread keeps the time for all of them. It exists from the first deadline on, and
//! sleeps until the next.
//!
//! It runs no user code: what follows an alarm, such as the destructors of a call's arguments,
//! an executor's waker or another attempt, runs on other threads ([`aside`]). So no deadline is
//! late for what another one set off.
//!
//! If the system provides no thread, the threads that wait for a task keep the time themselves
//! ([`stand_in`]), and each tries again to start one.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use crate::forks;
use crate::panic::drop_quietly;
use crate::relay::aside;
use crate::sync::{Guard, Lock, Signal};

type Ring = Box<dyn FnOnce() + Send>;

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
        aside::serve(ring);
    }
    true
}

/// Passes on what an executor's thread found. If it has to wait and no thread keeps the time, this
/// one does, and polls again soon.
pub(crate) fn polled<R>(found: Poll<R>, context: &Context<'_>) -> Poll<R> {
    if found.is_pending() && needs_stand_in() && stand_in() {
        thread::yield_now();
        context.waker().wake_by_ref();
    }
    found
}

struct Timer {
    state: Lock<State>,
    /// The thread waits here for the next alarm.
    alarms: Signal,
}

#[derive(Default)]
struct State {
    alarms: BTreeMap<(Instant, u64), Ring>,
    /// Distinguishes alarms at the same time.
    next: u64,
    has_thread: bool,
}

impl State {
    /// Takes the first alarm if it is due.
    fn due(&mut self) -> Option<Ring> {
        let first = self.alarms.first_entry()?;
        (first.key().0 <= Instant::now()).then(|| first.remove())
    }
}

fn timer() -> &'static Timer {
    static TIMER: OnceLock<Timer> = OnceLock::new();
    TIMER.get_or_init(|| Timer { state: Lock::default(), alarms: Signal::new() })
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
        state.next += 1;
        let key = (at, state.next);
        state.alarms.insert(key, ring);
        if state.alarms.first_key_value().is_some_and(|(first, _)| *first == key) {
            self.alarms.notify_one();
        }
        key
    }

    /// Starts the thread. Returns whether there is one.
    fn begin(&'static self) -> bool {
        let mut state = self.lock();
        if !state.has_thread {
            forks::watch();
            // While the system still gives threads.
            aside::prepare();
            let thread = thread::Builder::new().name("trine-timer".to_owned());
            state.has_thread = thread.spawn(|| self.run()).is_ok();
        }
        let kept = if state.has_thread { BY_THREAD } else { BY_NOBODY };
        KEPT.store(kept, Ordering::Release);
        kept == BY_THREAD
    }

    /// Rings what is due, and waits for the next.
    fn run(&self) {
        let mut state = self.lock();
        loop {
            if let Some(ring) = state.due() {
                drop(state);
                aside::serve(ring);
                state = self.lock();
                continue;
            }
            state = match state.alarms.first_key_value() {
                Some(((at, _), _)) => {
                    let left = at.saturating_duration_since(Instant::now());
                    self.alarms.wait_timeout(state, left)
                }
                None => self.alarms.wait(state),
            };
        }
    }
}
