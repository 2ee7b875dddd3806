//! What the handles of a worker ask of its line, and where its value is.

use std::sync::Arc;
use std::{iter, mem};

use super::super::supervision::{Making, Supervision};
use super::{Line, State};
#[cfg(feature = "cluster")]
use super::{Stage, Turn};
use crate::error::ErrorKind;
use crate::sync::MutexGuard;

impl State {
    /// Whether nothing is wanted of the values any more.
    fn is_over(&self) -> bool {
        self.is_abandoned && self.given_up >= self.waiting.len().cast_signed()
    }

    /// Calls off what makes the values, if nobody wants those any more.
    pub(super) fn call_off_if_over(&mut self) -> CalledOff {
        if self.is_over() { self.call_off() } else { CalledOff(Vec::new()) }
    }

    /// Calls off what makes the values.
    fn call_off(&mut self) -> CalledOff {
        CalledOff(self.copies.iter_mut().filter_map(Supervision::take_making).collect())
    }
}

/// Constructors that have to be interrupted, without the lock.
#[must_use]
pub(super) struct CalledOff(Vec<Arc<dyn Making>>);

impl CalledOff {
    pub(super) fn interrupt(self) {
        self.0.into_iter().for_each(Making::interrupt);
    }
}

impl Line {
    /// Something may have to be done that no call waits for.
    fn change(self: &Arc<Self>, mut change: impl FnMut(&mut Supervision)) {
        if self.is_parents() {
            return;
        }
        let mut state = self.lock();
        state.copies.iter_mut().for_each(&mut change);
        self.homes.iter().for_each(|home| home.close());
        let called_off = state.call_off();
        let refused = match self.is_any_open(&state) {
            true => Default::default(),
            false => {
                state.given_up = 0;
                mem::take(&mut state.waiting)
            }
        };
        self.wake(state);
        refused.into_iter().for_each(|call| _ = call.refuse(ErrorKind::Stopped));
        called_off.interrupt();
        self.homes.iter().for_each(|home| home.call_back());
    }

    /// Gives those a turn that have none.
    fn wake(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let idle: Vec<_> = state.copies.iter_mut().map(Supervision::take).collect();
        drop(state);
        for (copy, _) in iter::zip(0.., idle).filter(|(_, was_idle)| *was_idle) {
            self.turn(copy).leave();
        }
    }

    pub(crate) fn restart(self: &Arc<Self>) {
        // What was asked for last: a value that is still to be dropped is made anew then.
        self.change(|copy| (copy.wants_restart, copy.wants_stop) = (true, false));
    }

    pub(crate) fn stop(self: &Arc<Self>) {
        self.change(|copy| copy.wants_stop = true);
    }

    /// The last handle is gone.
    pub(crate) fn abandon(self: &Arc<Self>) {
        if self.is_parents() {
            return;
        }
        let mut state = self.lock();
        state.is_abandoned = true;
        let called_off = state.call_off_if_over();
        self.wake(state);
        called_off.interrupt();
    }

    pub(crate) fn is_alive(&self) -> bool {
        !self.is_parents() && self.is_any_open(&self.lock())
    }

    pub(crate) fn restarted(&self) -> u32 {
        self.lock().copies.iter().map(|copy| copy.restarted).fold(0, u32::saturating_add)
    }
}

#[cfg(feature = "cluster")]
impl Turn {
    /// The value has to leave where it is: it is made anew after the call that runs, whatever
    /// `restarts` says.
    pub(crate) fn relocate(&self) {
        let mut state = self.line.lock();
        let is_needed = !state.is_abandoned;
        let own = &mut state.copies[self.copy];
        if own.stage != Stage::Alive || own.wants_stop || !is_needed {
            return;
        }
        own.wants_restart = true;
        let is_idle = own.take();
        drop(state);
        if is_idle {
            self.clone().leave();
        }
    }
}
