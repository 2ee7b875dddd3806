//! Workers have no more rights than the program at a call: one with the rights of before gets none.
//!
//! What counts is the thread that calls. Usually all threads have the same rights; where one has
//! changed its own by a system call, workers are started by it, not by the dispatcher.

use std::sync::Arc;

use super::books::{Chore, Chores, Pool, State};
use super::dispatcher;
use super::link::Link;
use crate::process::platform::{self, Identity};

impl State {
    /// Notes the rights of whoever calls. Workers with others, which this process had and may have
    /// given up, get no more calls and end once they have finished what they have started.
    pub(super) fn allow_only(&mut self, identity: Identity, chores: &mut Chores) {
        if self.identity == Some(identity) {
            return;
        }
        self.identity = Some(identity);
        let mut taken = Vec::new();
        for outbox in &mut self.outboxes {
            if outbox.link.identity == identity || outbox.link.is_retired() {
                continue;
            }
            outbox.link.retire();
            taken.extend(outbox.withdraw_from(outbox.first, usize::MAX));
            if outbox.unanswered.iter().all(|sent| sent.request.is_none()) {
                outbox.link.doom();
                chores.add(Chore::Kill(Arc::clone(&outbox.link)));
            }
        }
        self.put_back(taken);
    }

    /// Whether a worker has other rights than whoever called last.
    pub(super) fn is_alien(&self, link: &Link) -> bool {
        self.identity.is_some_and(|identity| identity != link.identity)
    }
}

impl Pool {
    /// Starts a worker that has the rights of whoever called last.
    pub(super) fn start_link(&'static self) -> Result<Arc<Link>, String> {
        platform::may_start_workers()?;
        for _ in 0..2 {
            let link = Link::start(self.memory.unwrap_or(0)).map_err(|error| error.to_string())?;
            let link = Arc::new(link);
            if !self.lock().is_alien(&link) {
                let watched = dispatcher::watch(&link, self);
                return watched.map_err(|error| error.to_string()).map(|()| link);
            }
            // Perhaps the program has given some up in this moment.
            link.reap();
        }
        Err("the thread that starts its worker has other rights than the one that called".into())
    }
}
