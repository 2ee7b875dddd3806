//! One run of a constructor in this program.
//!
//! It is a call as any other, whose result is the value. So it ends once: by the constructor, by
//! that one's `timeout`, or since nobody wants the value any more. A body on a thread runs on then,
//! and so does a future until its next await; the cell drops what they make, and the turn does not
//! wait for it.

use std::sync::Arc;

use super::line::{Making, Turn};
use super::slot::{Slot, failed};
use crate::cell::Waiter;
use crate::error::Error;
use crate::limit::Admit;
use crate::relay::Observer;
use crate::task::Call;

/// What a constructor has made, or what calls are told.
pub(crate) type Made<T> = Result<T, Arc<str>>;

pub(crate) struct Construction<T> {
    turn: Turn,
    slot: Arc<Slot<T>>,
    call: Arc<dyn Call<Made<T>>>,
}

impl<T: Send + 'static> Construction<T> {
    /// Begins the call that makes the value. It has the turn until it has ended.
    pub(crate) fn begin<C>(turn: Turn, slot: &Arc<Slot<T>>, call: Arc<C>)
    where
        C: Call<Made<T>> + Admit + 'static,
    {
        let construction = Self { turn: turn.clone(), slot: Arc::clone(slot), call: call.clone() };
        let construction = Arc::new(construction);
        let waiter = Waiter::Observer(construction.clone(), 0);
        let is_told = call.cell().register(waiter).is_ok();
        debug_assert!(is_told, "it has not begun");
        turn.hold(call.clone());
        let is_wanted = turn.make(construction.clone());
        call.admit();
        if !is_wanted {
            construction.interrupt();
        }
    }
}

impl<T: Send + 'static> Making for Construction<T> {
    fn interrupt(self: Arc<Self>) {
        let why = || Error::cancelled(self.call.name());
        Arc::clone(&self.call).cancel(why());
        // Where its body runs on.
        self.call.cell().finish(Err(why()));
    }
}

impl<T: Send + 'static> Observer for Construction<T> {
    fn finished(self: Arc<Self>, _: usize) {
        match self.call.take() {
            Some(Ok(made)) => self.turn.made(made.map(|value| self.slot.put(value))),
            // Nobody wants it, or its runtime has gone.
            Some(Err(error)) if error.is_cancelled() => {}
            Some(Err(error)) => self.turn.made(Err(failed(self.call.name(), &error))),
            None => {}
        }
        self.turn.clone().leave();
    }
}
