//! The values of workers with state that are kept here: each by a call, which ends when the value
//! is gone.

use super::Machine;
use super::calls::{Call, Key};
use super::hosted::Said;
use crate::cluster::broker::envelope::{Ending, Notice, Parts};
use crate::process::fault::Fault;

impl Machine {
    /// The call that keeps the value which this one is about.
    pub(super) fn home_of(&self, key: Key) -> Option<Key> {
        let home = self.calls.get(&key)?.home?;
        Some((key.0, home))
    }

    /// Whether a call is about a value that is gone.
    pub(super) fn has_lost_home(&self, (lease, _): Key, call: &Call) -> bool {
        let is_kept = |home| self.calls.get(&(lease, home)).is_some_and(|home| home.is_kept);
        call.home.is_some_and(|home| !is_kept(home))
    }

    /// A constructor has answered so: its value is here from now on, and takes no place.
    pub(super) fn keep(&mut self, key: Key, parts: Parts) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.is_kept = true;
        self.pass_on(key, Said::Made(parts));
        self.core.pause(key.0, key.1, true);
        if self.drains {
            self.says(key, Ending::Noted(Notice::Leaves));
        }
        self.look_after(key);
    }

    /// Tells what has become of the value that a call keeps.
    pub(super) fn look_after(&mut self, key: Key) {
        let kept = self.calls.get(&key).filter(|call| call.is_kept);
        let Some(hosted) = kept.and_then(|call| call.hosted.as_ref()) else { return };
        if hosted.has_lost() {
            self.says(key, Ending::Failed(Fault::WorkerLost));
        } else if hosted.is_worn() {
            self.says(key, Ending::Noted(Notice::Worn));
        }
    }

    pub(super) fn kept(&self) -> Vec<Key> {
        let kept = self.calls.iter().filter(|(_, call)| call.is_kept);
        kept.map(|(&key, _)| key).collect()
    }

    pub(super) fn look_after_all(&mut self) {
        self.kept().into_iter().for_each(|key| self.look_after(key));
    }

    /// This machine is about to end: values have to be made anew elsewhere.
    pub(super) fn let_go(&mut self) {
        for key in self.kept() {
            self.says(key, Ending::Noted(Notice::Leaves));
        }
    }
}
