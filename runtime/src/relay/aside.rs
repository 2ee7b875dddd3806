//! Threads for other people's code: the destructors, wakers, subscribers and closures that follow
//! the end of a call which the timer, the monitor or the dispatcher of the workers has ended. Such
//! code may block, or make calls and wait, and those threads serve all calls.
//!
//! So they run under [`relay::hold`], and pass on what was held. One thread here takes step after
//! step. If it does not come back from one soon, another thread continues with the rest, so a slow
//! destructor delays only what is its own.

use std::collections::VecDeque;
use std::time::Duration;
#[cfg(not(trine_loom))]
use std::time::Instant;

use crate::panic::quietly;
use crate::relay::{self, Step};
use crate::sync::{Condvar, Mutex, MutexGuard, ThreadBuilder, statics};
use crate::{config, forks};

#[cfg(all(test, trine_loom))]
mod model;

/// After this long inside a step, a thread no longer keeps others from the next.
const PATIENCE: Duration = Duration::from_millis(1);
/// A thread that is not needed for this long ends, unless it is the only one.
const KEEP_SPARE: Duration = Duration::from_secs(10);

statics! {
    static STATE: Mutex<State> = Mutex::new(State::new());
    /// Threads wait here for a step.
    static STEPS: Condvar = Condvar::new();
}

struct State {
    steps: VecDeque<Step>,
    threads: usize,
    /// How many of them are in no step.
    waiting: usize,
    /// How many of those watch whether the runner returns.
    watching: usize,
    /// The number of the step whose end others wait for.
    running: Option<u64>,
    /// How many steps were started.
    begun: u64,
    /// All but two of the threads are in steps that have not returned.
    max_threads: usize,
    /// A model ends.
    #[cfg(trine_loom)]
    is_over: bool,
}

impl State {
    const fn new() -> Self {
        Self {
            steps: VecDeque::new(),
            threads: 0,
            waiting: 0,
            watching: 0,
            running: None,
            begun: 0,
            max_threads: config::MAX_THREADS,
            #[cfg(trine_loom)]
            is_over: false,
        }
    }

    /// Takes the next step. It is the one that others wait for from now on.
    fn begin(&mut self) -> Option<Step> {
        let step = self.steps.pop_front()?;
        self.begun += 1;
        self.running = Some(self.begun);
        self.waiting -= 1;
        Some(step)
    }

    /// A step that cannot wait, if there is one and this one can.
    fn urgent_instead_of(&mut self, step: Step) -> Step {
        if !can_wait(&step) {
            return step;
        }
        match self.steps.iter().position(|other| !can_wait(other)) {
            None => step,
            Some(place) => std::mem::replace(&mut self.steps[place], step),
        }
    }

    /// A thread ends that is in no step.
    fn leave(&mut self) {
        self.threads -= 1;
        self.waiting -= 1;
    }

    fn end(&mut self, number: u64) {
        self.waiting += 1;
        if self.running == Some(number) {
            self.running = None;
        }
    }
}

/// Makes sure that there is a thread, as long as the system has one to give.
pub(crate) fn prepare() {
    let mut state = STATE.lock();
    if state.threads == 0 && !forks::is_child() {
        start(&mut state);
    }
}

/// Runs something on a thread that serves all calls: what follows, and may be foreign code, runs
/// here.
pub(crate) fn serve<R>(run: impl FnOnce() -> R) -> Option<R> {
    let result = relay::hold(|| quietly(run));
    take(relay::drain());
    result
}

/// Runs steps on a thread of its own.
pub(crate) fn take(steps: Vec<Step>) {
    if steps.is_empty() {
        return;
    }
    if forks::is_child() {
        // The threads are another process's.
        return run_here(steps);
    }
    let mut state = STATE.lock();
    state.steps.extend(steps);
    if have_continued(&mut state) {
        return;
    }
    // No thread can be started. Better late than never; but destructors can wait until one of those
    // returns that exist, if any do.
    let has_threads = state.threads > 0;
    let steps = std::mem::take(&mut state.steps).into_iter();
    let (kept, urgent): (VecDeque<_>, _) = steps.partition(|step| has_threads && can_wait(step));
    state.steps = kept;
    drop(state);
    run_here(urgent);
}

/// Whether nobody waits for this step.
fn can_wait(step: &Step) -> bool {
    matches!(step, Step::Drop(_))
}

fn run_here(steps: impl IntoIterator<Item = Step>) {
    for step in steps {
        quietly(|| step.run());
    }
    relay::catch_up();
}

/// Makes sure that somebody takes the next step, at the latest when the running one is late.
/// Returns whether there is anybody.
fn have_continued(state: &mut State) -> bool {
    if state.running.is_some() && state.watching > 0 {
        return true;
    }
    if state.waiting > 0 {
        STEPS.notify_one();
        return true;
    }
    start(state)
}

/// Starts a thread, which counts as waiting from now on.
fn start(state: &mut State) -> bool {
    if state.threads == state.max_threads {
        return false;
    }
    forks::watch();
    let is_started = ThreadBuilder::new().name("trine-aside".to_owned()).spawn(live).is_ok();
    state.threads += usize::from(is_started);
    state.waiting += usize::from(is_started);
    is_started
}

fn live() {
    let mut state = STATE.lock();
    while let Some(mut taken) = wait_for_step(state) {
        let Some(mut step) = taken.begin() else {
            state = taken;
            continue;
        };
        let number = taken.begun;
        if !taken.steps.is_empty() && !have_continued(&mut taken) {
            // Nobody takes the others while this one blocks, as a destructor may.
            step = taken.urgent_instead_of(step);
        }
        drop(taken);
        quietly(|| relay::take(step));
        state = STATE.lock();
        state.end(number);
    }
}

/// Waits until it is up to this thread to take a step. `None` if it was not needed for long, and
/// has left.
fn wait_for_step(mut state: MutexGuard<'static, State>) -> Option<MutexGuard<'static, State>> {
    loop {
        #[cfg(trine_loom)]
        if state.is_over {
            state.leave();
            return None;
        }
        let begun = state.begun;
        let has_waited;
        if state.steps.is_empty() && state.waiting == 1 {
            // The only one stays, and need not wake up to find that out.
            state = STEPS.wait(state);
        } else if state.steps.is_empty() {
            (state, has_waited) = wait(state, KEEP_SPARE);
            if has_waited && state.steps.is_empty() && state.waiting > 1 {
                state.leave();
                return None;
            }
        } else if state.running.is_none() {
            return Some(state);
        } else {
            state.watching += 1;
            (state, has_waited) = wait(state, PATIENCE);
            state.watching -= 1;
            let is_late = has_waited && state.begun == begun;
            if is_late && state.running.is_some() && !state.steps.is_empty() {
                return Some(state);
            }
        }
    }
}

/// Waits until it is woken, and says whether that took at least so long.
#[cfg(not(trine_loom))]
fn wait(
    state: MutexGuard<'static, State>,
    at_most: Duration,
) -> (MutexGuard<'static, State>, bool) {
    let began = Instant::now();
    let state = STEPS.wait_timeout(state, at_most);
    (state, began.elapsed() >= at_most)
}

/// loom has no notion of time: whoever watches loses patience at once, and a spare thread stays.
#[cfg(trine_loom)]
fn wait(
    state: MutexGuard<'static, State>,
    at_most: Duration,
) -> (MutexGuard<'static, State>, bool) {
    if at_most == PATIENCE {
        drop(state);
        crate::sync::yield_now();
        (STATE.lock(), true)
    } else {
        (STEPS.wait(state), false)
    }
}
