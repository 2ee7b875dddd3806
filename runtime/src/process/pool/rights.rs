//! A worker has no more rights than the program at a call: one with former rights gets no calls.
//!
//! What counts is the thread that calls. Usually all threads have the same rights. Where one has
//! changed its own by a system call, its first worker is started by it; the dispatcher cannot start
//! others for it.

use std::sync::Arc;

use super::books::{Chore, Chores, State};
use super::link::Link;
use super::renewal::Renewal;
use crate::process::platform::Identity;

impl State {
    /// Notes the rights of whoever calls. Workers with others, which this process had and may have
    /// given up, get no more calls and end once they have finished what they have started; those
    /// that are being started do not count any more.
    pub(super) fn allow_only(&mut self, identity: Identity, chores: &mut Chores) {
        if self.identity == Some(identity) {
            return;
        }
        if self.identity.replace(identity).is_some() {
            self.era = self.era.wrapping_add(1);
            (self.starting, self.no_more) = (0, false);
        }
        let mut taken = Vec::new();
        self.outboxes.retain_mut(|outbox| {
            if outbox.link.identity == identity || outbox.link.is_retired() {
                return true;
            }
            outbox.link.retire();
            outbox.renewal = Renewal::default();
            taken.extend(outbox.withdraw_from(outbox.first, usize::MAX));
            let is_busy = outbox.unanswered.iter().any(|sent| sent.request.is_some());
            if !is_busy {
                outbox.link.doom();
                chores.add(Chore::Kill(Arc::clone(&outbox.link)));
            }
            is_busy
        });
        self.put_back(taken);
    }

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
