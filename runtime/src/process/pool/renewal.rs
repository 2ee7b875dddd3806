//! The option `renew`: a worker is replaced between calls, without delaying any call.
//!
//! The old worker keeps serving while its replacement starts. Once that serves, the old one gets no
//! more calls, and ends when it has answered those that it has. If no replacement starts, the old
//! one stays, and the next attempt is after the same number of calls.

use std::ptr;
use std::sync::Arc;

use super::books::{Chore, Chores, Pool, State};
use super::link::Link;
use super::outbox::Outbox;
use super::request::Request;
use crate::function::Function;

/// The progress of a worker's replacement.
#[derive(Default)]
pub(super) struct Renewal {
    /// How many calls it has answered, for each function that counts them.
    answered: Vec<(&'static Function, u32)>,
    /// A replacement is starting.
    is_due: bool,
    /// It is itself starting as a replacement.
    is_successor: bool,
}

impl Outbox {
    /// Whether it may get calls if there are others to take them.
    pub(super) fn takes_calls(&self) -> bool {
        let starts_aside = self.renewal.is_successor && !self.link.has_served();
        !self.link.is_retired() && !starts_aside
    }

    /// Whether it counts towards the number of workers.
    pub(super) fn is_here_to_stay(&self) -> bool {
        !self.link.is_retired() && !self.renewal.is_due
    }

    /// Counts an answered call. Returns true if the worker should be replaced now.
    pub(super) fn has_to_go(&mut self, answered: Option<&Request>, is_grown: bool) -> bool {
        let Some(request) = answered else { return false };
        let function = request.call.function();
        let mut has_to_go = is_grown;
        if let Some(most) = function.options().renew_after {
            let counts = &mut self.renewal.answered;
            let index = counts.iter().position(|(known, _)| ptr::eq(*known, function));
            let index = index.unwrap_or_else(|| {
                counts.push((function, 0));
                counts.len() - 1
            });
            counts[index].1 += 1;
            has_to_go |= counts[index].1 >= most;
        }
        has_to_go && !self.renewal.is_due && !self.link.is_retired()
    }
}

impl State {
    /// Starts a replacement: asks for a worker beyond the usual number.
    pub(super) fn renew(&mut self, link: &Link, chores: &mut Chores) {
        if let Some(outbox) = self.outbox(link.key) {
            outbox.renewal.is_due = true;
            self.starting += 1;
            chores.replace = true;
        }
    }

    /// Records that a worker starts, perhaps as a replacement.
    pub(super) fn settle(&self, outbox: &mut Outbox) {
        let count = |is: fn(&Renewal) -> bool| {
            self.outboxes.iter().filter(|outbox| is(&outbox.renewal)).count()
        };
        let due = count(|renewal| renewal.is_due);
        outbox.renewal.is_successor = due > count(|renewal| renewal.is_successor);
    }

    /// Records that no worker could be started: one that was to be replaced stays.
    pub(super) fn keep_old(&mut self) {
        if let Some(outbox) = self.outboxes.iter_mut().find(|outbox| outbox.renewal.is_due) {
            outbox.renewal = Renewal::default();
        }
    }
}

impl Pool {
    /// A worker has begun to serve: the time of the call that waits for that counts from now, and
    /// the worker that it replaces may end.
    pub(super) fn welcome(&'static self, link: &Link) {
        self.change(|state, chores| {
            let Some(outbox) = state.outbox(link.key) else { return };
            for (number, sent) in (outbox.first..).zip(&outbox.unanswered) {
                if let Some(request) = sent.request.as_ref().filter(|sent| sent.wants_clock()) {
                    chores.add(Chore::StartClock(Arc::clone(&request.call), number));
                }
            }
            if !std::mem::take(&mut outbox.renewal.is_successor) {
                return;
            }
            if let Some(old) = state.outboxes.iter_mut().find(|outbox| outbox.renewal.is_due) {
                old.renewal.is_due = false;
                old.link.retire();
                if old.unanswered.is_empty() {
                    old.link.doom();
                    chores.add(Chore::Kill(Arc::clone(&old.link)));
                }
            }
            self.hand_out(state, chores);
            self.share(state, chores);
        });
    }
}
