//! What is known of one copy of a worker, and whether its value is made anew. Runs under the lock
//! of the line.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::ErrorKind;
use crate::function::Function;
use crate::limit::Admit;

/// The time that restarts are counted in if no other is given.
const USUAL_PER: Duration = Duration::from_secs(60);

/// How often a value is made anew by itself.
pub(super) struct Limits {
    restarts: usize,
    per: Duration,
}

impl Limits {
    pub(super) fn of(constructor: &Function) -> Self {
        let options = constructor.options();
        let per = if options.per.is_zero() { USUAL_PER } else { options.per };
        Self { restarts: usize::try_from(options.restarts).unwrap_or(usize::MAX), per }
    }

    /// Whether a restart at that time does not count any more.
    fn is_old(&self, then: &Instant) -> bool {
        then.elapsed() >= self.per
    }
}

pub(super) struct Supervision {
    pub(super) stage: Stage,
    /// How many have a turn: one, or a call and those that were sent ahead behind it.
    pub(super) turns: usize,
    /// Others may be sent ahead behind the last of them.
    pub(super) is_leading: bool,
    /// Somebody passes turns on, and looks for more to do before he stops.
    pub(super) is_passing: bool,
    /// The call that got the last turn, if it is one: those behind it may run it.
    pub(super) current: Option<Arc<dyn Admit>>,
    /// What makes the value, while it does and can be called off.
    making: Option<Arc<dyn Making>>,
    /// There may be something to drop.
    pub(super) has_value: bool,
    /// It is to be made anew, whatever `restarts` says.
    pub(super) wants_restart: bool,
    pub(super) wants_stop: bool,
    /// Another value waits to take its place.
    pub(super) is_succeeded: bool,
    pub(super) restarted: u32,
    /// When it was made anew, in the last `per`.
    recent: VecDeque<Instant>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Making,
    Alive,
    Stopped,
    /// The constructor's error.
    Failed(Arc<str>),
}

/// The run of a constructor.
pub(crate) trait Making: Send + Sync {
    /// Nobody wants what it makes: it ends now, as far as it can be ended.
    fn interrupt(self: Arc<Self>);
}

impl Supervision {
    /// Of a value that is being made.
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::Making,
            turns: 1,
            is_leading: false,
            is_passing: false,
            current: None,
            making: None,
            has_value: false,
            wants_restart: false,
            wants_stop: false,
            is_succeeded: false,
            restarted: 0,
            recent: VecDeque::new(),
        }
    }

    /// Whether somebody has a turn or is about to.
    pub(super) fn is_taken(&self) -> bool {
        self.turns > 0 || self.is_passing
    }

    /// Takes the turn of an idle copy; returns whether it was idle.
    pub(super) fn take(&mut self) -> bool {
        let is_idle = !self.is_taken();
        if is_idle {
            (self.turns, self.is_leading) = (1, false);
        }
        is_idle
    }

    /// Whoever passes turns on has the only one.
    pub(super) fn keep_turn(&mut self) {
        (self.turns, self.is_leading, self.is_passing) = (1, false, false);
    }

    /// This call gets a turn. Returns the one that got the last turn before.
    pub(super) fn give_turn(
        &mut self,
        call: &Arc<dyn Admit>,
        is_leading: bool,
    ) -> Option<Arc<dyn Admit>> {
        self.turns += 1;
        // Only what lets others follow needs somebody who looks for them.
        (self.is_leading, self.is_passing) = (is_leading, is_leading);
        self.current.replace(Arc::clone(call))
    }

    /// Decides what follows the end of what had the turn: returns whether the value is made now.
    pub(super) fn is_made_next(
        &mut self,
        limits: &Limits,
        is_needed: bool,
        is_lost: impl Fn() -> bool,
    ) -> bool {
        if self.stage == Stage::Making {
            // Whoever was to make it has ended, and nothing was said of the value.
            self.stage = Stage::Failed("its constructor could not be run".into());
        }
        if mem::take(&mut self.wants_stop) {
            self.stage = Stage::Stopped;
        }
        let is_lost = self.stage == Stage::Alive && is_lost();
        let again = mem::take(&mut self.wants_restart) || is_lost && self.may_restart(limits);
        if again && is_needed {
            self.restarted = self.restarted.saturating_add(1);
            self.stage = Stage::Making;
            return true;
        }
        if is_lost {
            self.stage = Stage::Stopped;
        }
        false
    }

    /// Whether another value takes the place of this one now, and whether this one is alive.
    pub(super) fn is_renewed_next(&mut self) -> Option<bool> {
        let is_alive = self.stage == Stage::Alive;
        let is_next = mem::take(&mut self.is_succeeded);
        if is_next && is_alive {
            self.restarted = self.restarted.saturating_add(1);
        }
        is_next.then_some(is_alive)
    }

    fn may_restart(&mut self, limits: &Limits) -> bool {
        if limits.restarts == 0 {
            return false;
        }
        while self.recent.front().is_some_and(|then| limits.is_old(then)) {
            self.recent.pop_front();
        }
        let may = self.recent.len() < limits.restarts;
        if may {
            self.recent.push_back(Instant::now());
        }
        may
    }

    /// The constructor has ended, with a value or with this message.
    pub(super) fn made(&mut self, made: Result<(), Arc<str>>) {
        // What was there before may still be, if this was called off before it could begin.
        self.has_value |= made.is_ok();
        self.stage = match made {
            Ok(()) => Stage::Alive,
            Err(message) => Stage::Failed(message),
        };
    }

    /// This makes the value; returns whether that is still wanted.
    pub(super) fn make(&mut self, making: Arc<dyn Making>) -> bool {
        self.making = Some(making);
        !self.wants_restart && !self.wants_stop
    }

    /// What makes the value, to call it off.
    pub(super) fn take_making(&mut self) -> Option<Arc<dyn Making>> {
        self.making.take()
    }

    /// Whether there was a value, and there is nothing to do but calls.
    pub(super) fn is_calm(&self) -> bool {
        self.stage == Stage::Alive && !self.wants_restart && !self.wants_stop && !self.is_succeeded
    }

    /// Whether calls will run, as far as is known.
    pub(super) fn is_open(&self, limits: &Limits, is_lost: impl Fn() -> bool) -> bool {
        let is_here = match self.stage {
            Stage::Making => true,
            Stage::Alive => {
                !is_lost()
                    || self.recent.len() < limits.restarts
                    || self.recent.front().is_some_and(|then| limits.is_old(then))
            }
            _ => false,
        };
        (is_here || self.wants_restart) && !self.wants_stop
    }

    /// What calls are told that come too late.
    pub(super) fn refusal(&self) -> ErrorKind {
        match &self.stage {
            Stage::Failed(message) => ErrorKind::Worker { message: message.to_string() },
            _ => ErrorKind::Stopped,
        }
    }
}
