//! What whoever has a turn does with it.

use std::sync::Arc;

use super::Turn;
use crate::limit::Admit;
use crate::relay::{self, Step};
use crate::worker::supervision::Making;

impl Turn {
    /// Passes the turn on.
    pub(crate) fn leave(self) {
        if self.line.is_parents() {
            return;
        }
        // The next one may end where it is admitted, and leave in turn. This runs in a loop, since
        // lines may be long.
        relay::take(Step::Tell(self.line, self.copy));
    }

    /// Passes the turn on, and has this call wait before all that have had none: its value was lost
    /// before it could begin. Those that come back wait in the order in which they were sent.
    #[cfg(feature = "process")]
    pub(crate) fn come_back(self, call: Arc<dyn Admit>) {
        let mut state = self.line.lock();
        let refused = if self.line.is_any_open(&state) {
            let order = call.order();
            let is_behind =
                |other: &Arc<dyn Admit>| other.order().is_none_or(|its| Some(its) > order);
            let position = state.waiting.iter().position(is_behind);
            let position = position.unwrap_or(state.waiting.len());
            state.waiting.insert(position, call);
            None
        } else {
            Some((call, state.copies[self.copy].refusal()))
        };
        drop(state);
        // Now, for what runs may take any time.
        refused.into_iter().for_each(|(call, why)| _ = call.refuse(why));
        self.leave();
    }

    /// The constructor has ended, with a value or with this message.
    pub(crate) fn made(&self, made: Result<(), Arc<str>>) {
        self.line.lock().copies[self.copy].made(made);
    }

    /// Another value is there, which [`Home::prepare`] has started.
    #[cfg(feature = "process")]
    pub(crate) fn prepared(self) {
        let mut state = self.line.lock();
        let own = &mut state.copies[self.copy];
        own.is_succeeded = true;
        let is_idle = own.take();
        drop(state);
        if is_idle {
            self.leave();
        }
    }

    /// This makes the value; returns whether that is still wanted.
    pub(crate) fn make(&self, making: Arc<dyn Making>) -> bool {
        self.line.lock().copies[self.copy].make(making)
    }

    /// This has the turn; a joiner further behind may run it.
    pub(crate) fn hold(&self, call: Arc<dyn Admit>) {
        self.line.lock().copies[self.copy].current = Some(call);
    }
}
