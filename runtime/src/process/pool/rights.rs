//! A worker has no more rights than the program at a call: one with former rights gets no calls.
//!
//! What counts is the thread that calls. Usually all threads have the same rights. Where one has
//! changed its own by a system call, its first worker is started by it; the dispatcher cannot start
//! others for it.

use std::sync::Arc;

use super::books::{Chore, Chores, Pool, State};
use super::link::Link;
use super::renewal::Renewal;
use crate::process::platform::Identity;

impl Pool {
    /// Ends workers with state that have other rights than whoever calls one of them. Their values
    /// are gone, also for calls that wait.
    pub(crate) fn heed_rights(&'static self) {
        let identity = Identity::current();
        if self.lock().identity == Some(identity) {
            return;
        }
        self.change(|state, chores| {
            self.allow_only(state, identity, chores);
            self.hand_out(state, chores);
        });
    }

    /// Notes the rights of whoever calls. Workers with others, which this process had and may have
    /// given up, get no more calls and end once they have finished what they have started; those
    /// that are being started do not count any more.
    pub(super) fn allow_only(&self, state: &mut State, identity: Identity, chores: &mut Chores) {
        if state.identity == Some(identity) {
            return;
        }
        if state.identity.replace(identity).is_some() {
            state.era = state.era.wrapping_add(1);
            (state.starting, state.no_more) = (0, false);
        }
        let mut taken = Vec::new();
        state.outboxes.retain_mut(|outbox| {
            if outbox.link.identity == identity || outbox.link.is_retired() {
                return true;
            }
            outbox.link.retire();
            outbox.renewal = Renewal::default();
            taken.extend(match self.keeps {
                // Its value is made anew for those that were sent ahead.
                true => outbox.withdraw_behind(),
                false => outbox.withdraw_from(outbox.first, usize::MAX),
            });
            let is_busy = outbox.unanswered.iter().any(|sent| sent.request.is_some());
            if !is_busy {
                outbox.link.doom();
                chores.add(Chore::Kill(Arc::clone(&outbox.link)));
            }
            is_busy
        });
        state.put_back(taken);
    }
}

impl State {
    /// A new worker, unless it is of an earlier era or has other rights than whoever called last.
    pub(super) fn check_rights(
        &self,
        link: Arc<Link>,
        era: u32,
        chores: &mut Chores,
    ) -> Result<Arc<Link>, String> {
        let is_right = self.identity.is_none_or(|identity| identity == link.identity);
        if is_right && self.era == era {
            return Ok(link);
        }
        link.doom();
        chores.add(Chore::Kill(link));
        Err("the thread that starts its worker has other rights than the one that called".into())
    }
}
