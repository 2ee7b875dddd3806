//! The line before a worker with state: calls run one at a time, in the order in which they were
//! made, and between two of them the value is made, made anew or dropped.
//!
//! A call in line is pending: it is in no engine's queue and holds no thread. Whoever ends a call
//! passes the turn on, to the next call or to the [`Home`] of the value, so the next one runs where
//! this one ran and nothing is kept awake for the line. One lock, held for a few instructions and
//! never while foreign code runs, decides who has the turn; `loom` checks it (`line/model.rs`).

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::ErrorKind;
use crate::function::Function;
#[cfg(feature = "threads")]
use crate::limit::take_wanted;
use crate::limit::{Admit, MAX_GIVEN_UP};
use crate::relay;
use crate::sync::{Mutex, MutexGuard};

#[cfg(all(test, trine_loom))]
mod model;

/// The time that restarts are counted in if no other is given.
const USUAL_PER: Duration = Duration::from_secs(60);

/// Where the value is; what an engine implements. Both methods start something that has the turn:
/// it passes it on when it has ended, as a call does.
pub(crate) trait Home: Send + Sync {
    /// Starts making the value, in place of the one that there may be. It reports [`Line::made`].
    fn make(&self, line: &Arc<Line>);

    /// Starts dropping the value. It will not be made anew if it `is_last`.
    fn clear(&self, line: &Arc<Line>, is_last: bool);

    /// Whether the value is gone, since a call has ended that had it.
    fn is_lost(&self) -> bool;
}

pub(crate) struct Line {
    home: Box<dyn Home>,
    restarts: usize,
    per: Duration,
    state: Mutex<State>,
}

struct State {
    stage: Stage,
    /// Somebody has the turn.
    is_taken: bool,
    /// The call that has it, if it is one: those behind it may run it.
    current: Option<Arc<dyn Admit>>,
    waiting: VecDeque<Arc<dyn Admit>>,
    /// How many calls have been told to enter, where there are several lines.
    expected: usize,
    /// How many of those were given up; less than none for a moment, as in `limit`.
    given_up: isize,
    /// There may be something to drop.
    has_value: bool,
    /// It is to be made anew, whatever `restarts` says.
    wants_restart: bool,
    wants_stop: bool,
    /// The last handle is gone.
    is_abandoned: bool,
    restarted: u32,
    /// When it was made anew, in the last `per`.
    recent: VecDeque<Instant>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Making,
    Alive,
    Stopped,
    /// The constructor's error.
    Failed(Arc<str>),
}

/// Who gets the turn.
enum Next {
    Call(Arc<dyn Admit>),
    Make,
    Clear(bool),
    Refuse(VecDeque<Arc<dyn Admit>>, ErrorKind),
    Nobody,
}

impl Line {
    /// A line before a value that is still to be made, with the options of its constructor.
    pub(crate) fn new(constructor: &Function, home: Box<dyn Home>) -> Arc<Self> {
        let options = constructor.options();
        let per = if options.per.is_zero() { USUAL_PER } else { options.per };
        let state = State {
            stage: Stage::Making,
            is_taken: true,
            current: None,
            waiting: VecDeque::new(),
            expected: 0,
            given_up: 0,
            has_value: false,
            wants_restart: false,
            wants_stop: false,
            is_abandoned: false,
            restarted: 0,
            recent: VecDeque::new(),
        };
        let restarts = usize::try_from(options.restarts).unwrap_or(usize::MAX);
        Arc::new(Self { home, restarts, per, state: Mutex::new(state) })
    }

    /// Makes the value for the first time.
    pub(crate) fn begin(self: &Arc<Self>) {
        self.home.make(self);
    }

    /// Admits the call when all before it have ended; now if there are none.
    pub(super) fn enter(self: &Arc<Self>, call: Arc<dyn Admit>, was_expected: bool) {
        let mut state = self.lock();
        state.expected -= usize::from(was_expected);
        if state.is_taken {
            state.waiting.push_back(call);
            return;
        }
        state.is_taken = true;
        if state.is_calm() && !self.home.is_lost() {
            state.current = Some(Arc::clone(&call));
            drop(state);
            if !call.admit() {
                self.leave();
            }
            return;
        }
        state.waiting.push_back(call);
        drop(state);
        self.leave();
    }

    /// How many calls run, wait or are about to, and whether one would have to wait; more than any
    /// if those that come are refused.
    pub(super) fn length(&self) -> (usize, bool) {
        let state = self.lock();
        if !self.is_open(&state) {
            return (usize::MAX, true);
        }
        // Who has a result may call again before the turn has been passed on.
        let is_over = state.current.as_ref().is_some_and(|call| call.is_over());
        let runs = state.is_taken && state.stage == Stage::Alive && !is_over;
        let wait = state.waiting.len().saturating_add_signed(-state.given_up.max(0));
        (usize::from(runs) + wait + state.expected, state.is_taken)
    }

    /// A call is about to enter.
    pub(super) fn expect(&self) {
        self.lock().expected += 1;
    }

    /// It does not enter.
    pub(super) fn forget(&self) {
        self.lock().expected -= 1;
    }

    /// Passes the turn on.
    pub(crate) fn leave(self: &Arc<Self>) {
        // The next one may end where it is admitted, and leave in turn. This runs in a loop, since
        // lines may be long.
        let line = Arc::clone(self);
        relay::run(move || line.pass_on());
    }

    fn pass_on(self: &Arc<Self>) {
        loop {
            let mut state = self.lock();
            let ended = state.current.take();
            let next = self.next(&mut state);
            if let Next::Call(call) = &next {
                state.current = Some(Arc::clone(call));
            }
            // Unlocked, since all of these may run any code.
            drop(state);
            drop(ended);
            match next {
                Next::Call(call) if call.clone().admit() => return,
                Next::Call(_) => self.lock().given_up -= 1,
                Next::Make => return self.home.make(self),
                Next::Clear(is_last) => return self.home.clear(self, is_last),
                Next::Refuse(calls, why) => {
                    calls.into_iter().for_each(|call| _ = call.refuse(why.clone()));
                }
                Next::Nobody => return,
            }
        }
    }

    fn next(&self, state: &mut State) -> Next {
        if state.stage == Stage::Making {
            // Whoever was to make it has ended, and nothing was said of the value.
            state.stage = Stage::Failed("its constructor could not be run".into());
        }
        if mem::take(&mut state.wants_stop) {
            state.stage = Stage::Stopped;
        }
        let is_lost = state.stage == Stage::Alive && self.home.is_lost();
        let again = mem::take(&mut state.wants_restart) || is_lost && self.may_restart(state);
        let is_needed = !state.is_abandoned || !state.waiting.is_empty();
        if again && is_needed {
            state.restarted = state.restarted.saturating_add(1);
            state.stage = Stage::Making;
            return Next::Make;
        }
        if is_lost {
            state.stage = Stage::Stopped;
        }
        if state.stage == Stage::Alive {
            if let Some(call) = state.waiting.pop_front() {
                return Next::Call(call);
            }
            if state.is_abandoned {
                state.stage = Stage::Stopped;
            }
        }
        let is_over = state.stage != Stage::Alive;
        if is_over && mem::take(&mut state.has_value) {
            return Next::Clear(state.is_abandoned);
        }
        if is_over && !state.waiting.is_empty() {
            let why = state.refusal();
            state.given_up = 0;
            return Next::Refuse(mem::take(&mut state.waiting), why);
        }
        state.is_taken = false;
        Next::Nobody
    }

    fn may_restart(&self, state: &mut State) -> bool {
        if self.restarts == 0 {
            return false;
        }
        while state.recent.front().is_some_and(|then| self.is_old(then)) {
            state.recent.pop_front();
        }
        let may = state.recent.len() < self.restarts;
        if may {
            state.recent.push_back(Instant::now());
        }
        may
    }

    /// Whether a restart at that time does not count any more.
    fn is_old(&self, then: &Instant) -> bool {
        then.elapsed() >= self.per
    }

    /// The constructor has ended, with a value or with this message.
    pub(crate) fn made(&self, made: Result<(), Arc<str>>) {
        let mut state = self.lock();
        state.has_value = made.is_ok();
        state.stage = match made {
            Ok(()) => Stage::Alive,
            Err(message) => Stage::Failed(message),
        };
    }

    /// This has the turn; a joiner further behind may run it.
    pub(crate) fn hold(&self, call: Arc<dyn Admit>) {
        self.lock().current = Some(call);
    }

    /// Runs whatever has the turn on this thread; returns whether it did.
    pub(crate) fn assist(&self) -> bool {
        let current = self.lock().current.clone();
        current.is_some_and(Admit::assist)
    }

    /// A call that waited in line has been given up.
    pub(crate) fn give_up(&self) {
        let mut state = self.lock();
        state.given_up += 1;
        if state.given_up <= MAX_GIVEN_UP.max(state.waiting.len().cast_signed() / 2) {
            return;
        }
        let (waiting, given_up): (VecDeque<_>, VecDeque<_>) =
            state.waiting.drain(..).partition(|call| call.is_pending());
        state.waiting = waiting;
        state.given_up -= given_up.len().cast_signed();
        // Unlocked, since their destructors may run any code.
        drop(state);
        relay::discard(given_up);
    }

    /// Ends the calls in line whose results somebody wants: nobody can run what they wait for.
    #[cfg(feature = "threads")]
    pub(crate) fn refuse_wanted(&self, why: &ErrorKind) {
        let refused = take_wanted(&mut self.lock().waiting);
        for call in refused {
            if !call.refuse(why.clone()) {
                self.lock().given_up -= 1;
            }
        }
    }

    /// Something may have to be done that no call waits for.
    fn change(self: &Arc<Self>, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let is_taken = mem::replace(&mut state.is_taken, true);
        drop(state);
        if !is_taken {
            self.leave();
        }
    }

    pub(crate) fn restart(self: &Arc<Self>) {
        self.change(|state| state.wants_restart = true);
    }

    pub(crate) fn stop(self: &Arc<Self>) {
        self.change(|state| state.wants_stop = true);
    }

    /// The last handle is gone.
    pub(crate) fn abandon(self: &Arc<Self>) {
        self.change(|state| state.is_abandoned = true);
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.is_open(&self.lock())
    }

    /// Whether calls will run, as far as is known.
    fn is_open(&self, state: &State) -> bool {
        let is_here = match state.stage {
            Stage::Making => true,
            Stage::Alive => {
                !self.home.is_lost()
                    || state.recent.len() < self.restarts
                    || state.recent.front().is_some_and(|then| self.is_old(then))
            }
            _ => state.wants_restart,
        };
        is_here && !state.wants_stop
    }

    pub(crate) fn restarted(&self) -> u32 {
        self.lock().restarted
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    /// Whether there is a value, and nothing to do but calls.
    fn is_calm(&self) -> bool {
        self.stage == Stage::Alive && !self.wants_restart && !self.wants_stop
    }

    /// What calls are told that come too late.
    fn refusal(&self) -> ErrorKind {
        match &self.stage {
            Stage::Failed(message) => ErrorKind::Worker { message: message.to_string() },
            _ => ErrorKind::Stopped,
        }
    }
}
