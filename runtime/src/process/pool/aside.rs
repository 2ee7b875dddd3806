//! Threads that run what follows the end of a call that the dispatcher ended. That may be foreign
//! code, which may block, or make calls and wait.
//!
//! One thread at a time is enough, and there is none while there is nothing to do. If it makes no
//! progress, another one continues with the rest.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::panic::quietly;
use crate::relay::{self, Step};
use crate::sync::{Lock, Signal};

/// After this long without a step, another thread helps.
const PATIENCE: Duration = Duration::from_millis(5);
/// How long an idle thread stays.
const KEEP: Duration = Duration::from_secs(5);
/// The maximum number of threads. If as many steps block, the others wait.
const MAX_THREADS: usize = 256;

static STATE: Lock<State> = Lock::new(State { steps: VecDeque::new(), idle: 0, threads: 0 });
static SIGNAL: Signal = Signal::new();
/// How many steps were started.
static BEGUN: AtomicU64 = AtomicU64::new(0);

struct State {
    steps: VecDeque<Step>,
    idle: usize,
    threads: usize,
}

/// Lets other threads run steps.
pub(super) fn take(steps: Vec<Step>) {
    if steps.is_empty() {
        return;
    }
    let mut state = STATE.lock();
    state.steps.extend(steps);
    let idle = state.idle;
    let is_first = state.threads == 0;
    drop(state);
    if idle > 0 {
        SIGNAL.notify_one();
    } else if is_first {
        start();
    }
}

/// Checks whether the steps make progress; returns when to check again. `seen` is how many had been
/// started at the last check.
pub(super) fn look_after(seen: &mut u64) -> Option<Duration> {
    let begun = BEGUN.load(Ordering::Relaxed);
    let state = STATE.lock();
    if state.steps.is_empty() {
        return None;
    }
    let (idle, may_start) = (state.idle, state.threads < MAX_THREADS);
    drop(state);
    let is_stuck = std::mem::replace(seen, begun) == begun;
    if idle > 0 {
        SIGNAL.notify_one();
    } else if is_stuck && may_start {
        start();
    }
    Some(PATIENCE)
}

fn start() {
    STATE.lock().threads += 1;
    let thread = thread::Builder::new().name("trine-aside".into());
    if thread.spawn(run).is_err() {
        let mut state = STATE.lock();
        state.threads -= 1;
        if state.threads == 0 {
            // Better late than never; the next steps try again.
            let steps = std::mem::take(&mut state.steps);
            drop(state);
            steps.into_iter().for_each(begin);
        }
    }
}

fn run() {
    let mut state = STATE.lock();
    loop {
        if let Some(step) = state.steps.pop_front() {
            drop(state);
            begin(step);
            state = STATE.lock();
            continue;
        }
        state.idle += 1;
        state = SIGNAL.wait_timeout(state, KEEP);
        state.idle -= 1;
        if state.steps.is_empty() {
            state.threads -= 1;
            return;
        }
    }
}

fn begin(step: Step) {
    BEGUN.fetch_add(1, Ordering::Relaxed);
    quietly(|| relay::take(step));
}
