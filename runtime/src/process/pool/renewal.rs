//! The option `renew`: a worker is replaced between calls, and no call pays for that.
//!
//! The worker that is to go serves on while another one starts. Only when that one serves does the
//! first get no more calls, and it ends when it has answered those that it has. If none starts, it
//! stays, and is replaced after as many calls again.

use std::ptr;
use std::sync::Arc;

use super::books::{Chore, Chores, Pool, State};
use super::link::Link;
use super::outbox::{Outbox, Sent};
use crate::function::Function;

/// Where a worker is between being new and being old.
#[derive(Default)]
pub(super) struct Renewal {
    /// How many calls it has answered of each function that counts them.
    answered: Vec<(&'static Function, u32)>,
    /// Another one starts in its place.
    is_due: bool,
    /// It starts in the place of another one.
    is_successor: bool,
}

impl Outbox {
    /// Whether it may get calls, as far as others are there that can have them.
    pub(super) fn takes_calls(&self) -> bool {
        let starts_aside = self.renewal.is_successor && !self.link.has_served();
        !self.link.is_retired() && !starts_aside
    }

    /// Whether it counts as one of the workers that there are to be.
    pub(super) fn is_here_to_stay(&self) -> bool {
        !self.link.is_retired() && !self.renewal.is_due
    }

    /// Counts a call that was answered. True if the worker is to be replaced now.
    pub(super) fn has_to_go(&mut self, sent: &Sent, is_grown: bool) -> bool {
        let Some(request) = &sent.request else { return false };
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
    /// Has a worker replaced: asks for another one, beside those that there may be.
    pub(super) fn renew(&mut self, link: &Link, chores: &mut Chores) {
        if let Some(outbox) = self.outbox(link.key) {
            outbox.renewal.is_due = true;
            self.starting += 1;
            chores.replace = true;
        }
    }

    /// Notes that a worker starts, perhaps in the place of another one.
    pub(super) fn settle(&self, outbox: &mut Outbox) {
        let count = |is: fn(&Renewal) -> bool| {
            self.outboxes.iter().filter(|outbox| is(&outbox.renewal)).count()
        };
        let due = count(|renewal| renewal.is_due);
        outbox.renewal.is_successor = due > count(|renewal| renewal.is_successor);
    }

    /// Notes that no worker could be started: one that was to go stays.
    pub(super) fn keep_old(&mut self) {
        if let Some(outbox) = self.outboxes.iter_mut().find(|outbox| outbox.renewal.is_due) {
            outbox.renewal = Renewal::default();
        }
    }
}

impl Pool {
    /// A worker has begun to serve: the one in whose place it is may go.
    pub(super) fn welcome(&'static self, link: &Arc<Link>) {
        self.change(|state, chores| {
            let Some(outbox) = state.outbox(link.key) else { return };
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
