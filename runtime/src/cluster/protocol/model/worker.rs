//! Workers with state in the model: the line before each at its caller, and which of its values
//! serves.

use std::collections::{BTreeMap, VecDeque};

use super::call::Ending;
use super::numbers::{CallId, DROP, VALUE, index_of, is_drop, worker_of};
use crate::cluster::protocol::Caller;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Making,
    Alive,
    Gone,
    Stopped,
}

/// The line before a worker.
pub(super) struct Worker {
    id: CallId,
    stage: Stage,
    /// How many values were made.
    values: u64,
    restarts: u64,
    pub(super) moved: u64,
    /// How many were lost before they were made.
    pub(super) unmade: u64,
    /// The last one was not wanted any more while it was being made.
    pub(super) called_off: bool,
    waiting: VecDeque<u64>,
    current: Option<u64>,
    wants_restart: bool,
    /// It has had its last call.
    is_closed: bool,
}

impl Worker {
    pub(super) fn new(caller: usize, worker: u64, restarts: u64) -> Self {
        Self {
            id: (caller, worker),
            stage: Stage::Gone,
            values: 0,
            restarts: restarts + 1,
            moved: 0,
            unmade: 0,
            called_off: false,
            waiting: VecDeque::new(),
            current: None,
            wants_restart: false,
            is_closed: false,
        }
    }

    /// The call that keeps its value.
    pub(super) fn home(&self) -> u64 {
        VALUE | self.id.1 << 8 | self.values
    }

    /// How often its value was made anew after a loss.
    pub(super) fn anew(&self) -> u64 {
        self.values.saturating_sub(1 + self.moved)
    }

    /// Whether its value may live.
    pub(super) fn has_value(&self) -> bool {
        matches!(self.stage, Stage::Making | Stage::Alive)
    }

    pub(super) fn enter(&mut self, number: u64) {
        self.waiting.push_back(number);
    }

    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Whether it still waited for its turn.
    pub(super) fn cancel(&mut self, number: u64) -> bool {
        let count = self.waiting.len();
        self.waiting.retain(|other| *other != number);
        self.waiting.len() < count
    }

    /// The call that keeps its value says this.
    pub(super) fn hear(&mut self, home: u64, says: Ending) {
        if home == self.home() && self.has_value() {
            match says {
                Ending::Made => self.stage = Stage::Alive,
                Ending::Leaves => self.wants_restart = true,
                _ => {}
            }
        }
    }

    /// The call that keeps its value has ended.
    pub(super) fn lose(&mut self, home: u64) {
        if home == self.home() && self.has_value() {
            self.unmade += u64::from(self.stage == Stage::Making);
            self.stage = Stage::Gone;
        }
    }

    /// A call has ended that had its turn, or is to have it again.
    pub(super) fn pass_on(&mut self, number: u64, comes_back: bool) {
        if self.current == Some(number) {
            self.current = None;
            if comes_back {
                self.waiting.push_front(number);
            }
        }
    }

    /// Gives the turn to whatever is next. Returns the calls that nobody will run.
    pub(super) fn go_on(&mut self, now: u64, core: &mut Caller<u64, Ending>) -> Vec<u64> {
        let parcel = |number: u64| (self.id.0 as u64) << 32 | number;
        let is_needed = !self.is_closed || !self.waiting.is_empty();
        if self.stage == Stage::Making && !is_needed {
            // Nobody wants what is being made.
            core.cancel(self.home());
            self.stage = Stage::Stopped;
            self.called_off = true;
        }
        if self.current.is_some() || self.stage == Stage::Making {
            return Vec::new();
        }
        if self.stage == Stage::Alive {
            let next = match self.waiting.pop_front() {
                Some(next) if !self.wants_restart => next,
                next => {
                    next.into_iter().for_each(|next| self.waiting.push_front(next));
                    if is_needed && !self.wants_restart {
                        return Vec::new();
                    }
                    DROP | self.home()
                }
            };
            core.submit_home(next, parcel(next), self.home(), is_drop(next));
            self.current = Some(next);
            return Vec::new();
        }
        let may_restart = self.wants_restart || self.restarts > 0;
        if self.stage == Stage::Gone && is_needed && may_restart {
            match std::mem::take(&mut self.wants_restart) {
                true => self.moved += 1,
                false => self.restarts -= 1,
            }
            self.values += 1;
            self.stage = Stage::Making;
            let home = self.home();
            core.submit_keeper(now, home, (self.id.0 as u64) << 32 | home, "");
            return Vec::new();
        }
        self.stage = Stage::Stopped;
        self.waiting.drain(..).collect()
    }
}

/// Which value of each worker has served last, and which call; and which was begun last.
#[derive(Default)]
pub(super) struct Served {
    last: BTreeMap<CallId, (u64, u64)>,
    made: BTreeMap<CallId, u64>,
    pub(super) broken: Option<String>,
}

impl Served {
    /// A constructor begins to run, for the value that this call keeps.
    pub(super) fn make(&mut self, now: u64, (caller, home): CallId) {
        let (Some(worker), value) = (worker_of(home), home & 0xff) else { return };
        let before = self.made.insert((caller, worker), value);
        if before.is_some_and(|before| before >= value) {
            let why =
                format!("of worker {worker} value {value} is made at {now}, after {before:?}");
            self.broken.get_or_insert(why);
        }
    }

    /// A method begins on a value.
    pub(super) fn begin(&mut self, caller: usize, number: u64, home: u64) -> Result<(), String> {
        let (Some(worker), Some(index)) = (worker_of(number), index_of(number)) else {
            return Ok(());
        };
        let now = (home & 0xff, index);
        match self.last.insert((caller, worker), now) {
            Some(before) if before.0 > now.0 => {
                Err(format!("is served by value {}, after {}", now.0, before.0))
            }
            Some(before) if before.1 > index => Err(format!("comes after {}", before.1)),
            _ => Ok(()),
        }
    }
}
