//! Deadlines: one thread for all of them, which exists from the first on and sleeps until the next.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::panic::quietly;
use crate::sync::{Guard, Lock, Signal};

type Ring = Box<dyn FnOnce() + Send>;

/// Something that will be done at a moment, unless this is dropped before.
pub(crate) struct Alarm {
    /// `None`: so far away that it never comes.
    key: Option<(Instant, u64)>,
    also: Option<Box<Alarm>>,
}

impl Alarm {
    /// Runs `ring`, which must be short and must not block, on the timer's thread after that time.
    pub(crate) fn after(delay: Duration, ring: impl FnOnce() + Send + 'static) -> Self {
        let key = Instant::now().checked_add(delay).map(|at| timer().insert(at, Box::new(ring)));
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

    /// Leaves the alarm set for good.
    pub(crate) fn detach(mut self) {
        self.key = None;
        if let Some(also) = self.also.take() {
            also.detach();
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let ring = timer().lock().alarms.remove(&key);
            // Dropped without the lock: it may own anything.
            drop(ring);
        }
    }
}

struct Timer {
    state: Lock<State>,
    changed: Signal,
}

#[derive(Default)]
struct State {
    alarms: BTreeMap<(Instant, u64), Ring>,
    /// Tells alarms of one moment apart.
    next: u64,
    has_thread: bool,
}

fn timer() -> &'static Timer {
    static TIMER: OnceLock<Timer> = OnceLock::new();
    TIMER.get_or_init(|| Timer { state: Lock::default(), changed: Signal::new() })
}

impl Timer {
    fn lock(&self) -> Guard<'_, State> {
        self.state.lock()
    }

    fn insert(&'static self, at: Instant, ring: Ring) -> (Instant, u64) {
        let mut state = self.lock();
        if !state.has_thread {
            // A deadline that could never fire would be a hang in disguise.
            thread::Builder::new()
                .name("trine-timer".to_owned())
                .spawn(move || self.run())
                .expect("trine could not start the thread that keeps deadlines");
            state.has_thread = true;
        }
        let key = (at, state.next);
        state.next += 1;
        state.alarms.insert(key, ring);
        if state.alarms.first_key_value().is_some_and(|(first, _)| *first == key) {
            self.changed.notify_one();
        }
        key
    }

    fn run(&self) {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            match state.alarms.first_entry() {
                Some(entry) if entry.key().0 <= now => {
                    let ring = entry.remove();
                    drop(state);
                    // What rings may run others' destructors; their panics must not end the timer.
                    quietly(ring);
                    state = self.lock();
                }
                Some(entry) => {
                    let wait = entry.key().0 - now;
                    state = self.changed.wait_timeout(state, wait);
                }
                None => {
                    state = self.changed.wait(state);
                }
            }
        }
    }
}
