//! Calls that are sent ahead: each has a turn before the one before it has ended.

use std::sync::Arc;

use super::{Given, Line, MAX_AHEAD, Next, State};
use crate::limit::Admit;

impl Given {
    /// Has it go to its value; returns whether it went.
    pub(super) fn admit(self, copy: usize) -> bool {
        // It may be the last to hold that, and its destructor any code.
        drop(self.last);
        self.call.assign(copy, self.order);
        self.call.admit()
    }
}

impl State {
    pub(super) fn give_turn(&mut self, call: Arc<dyn Admit>, copy: usize) -> Given {
        self.given += 1;
        let is_leading = self.copies.len() == 1 && call.goes_ahead();
        let last = self.copies[copy].give_turn(&call, is_leading);
        Given { call, order: self.given, is_leading, last }
    }
}

impl Line {
    /// Whether a call may be sent ahead now, behind those that have their turns.
    pub(super) fn may_follow(&self, state: &State, copy: usize) -> bool {
        let own = &state.copies[copy];
        let are_few = own.is_leading && (1..=MAX_AHEAD).contains(&own.turns);
        are_few && own.is_calm() && self.homes[copy].takes_more()
    }

    /// The next call that goes ahead behind those that have their turns.
    pub(super) fn next_ahead(&self, state: &mut State, copy: usize) -> Next {
        let is_next = |call: &Arc<dyn Admit>| call.goes_ahead();
        let goes = self.may_follow(state, copy) && state.waiting.front().is_some_and(is_next);
        match goes.then(|| state.waiting.pop_front()).flatten() {
            Some(call) => Next::Call(state.give_turn(call, copy), None),
            None => {
                state.copies[copy].is_passing = false;
                Next::Nobody
            }
        }
    }
}
