//! Which copy takes the next call.

use super::{Line, State};

impl Line {
    /// The idle copy for the next call: one that has its value, else one that may have it made
    /// anew. If none ever will, one that refuses the call.
    pub(super) fn taker(&self, state: &State) -> Option<usize> {
        let idle = || (0..state.copies.len()).filter(|copy| !state.copies[*copy].is_taken());
        let ready = idle().find(|copy| self.is_ready(state, *copy));
        ready.or_else(|| idle().find(|copy| self.is_open(state, *copy))).or_else(|| {
            let is_hopeless = !self.is_any_open(state);
            idle().next().filter(|_| is_hopeless)
        })
    }

    /// Whether there is a value, and nothing to do but calls.
    pub(super) fn is_ready(&self, state: &State, copy: usize) -> bool {
        state.copies[copy].is_calm() && !self.homes[copy].is_lost()
    }

    /// Whether this copy will run calls, as far as is known.
    pub(super) fn is_open(&self, state: &State, copy: usize) -> bool {
        state.copies[copy].is_open(&self.limits, || self.homes[copy].is_lost())
    }

    pub(super) fn is_any_open(&self, state: &State) -> bool {
        (0..state.copies.len()).any(|copy| self.is_open(state, copy))
    }
}
