//! A machine of the model, with its workers.

use std::collections::BTreeMap;

use super::call::{Ending, Truth};
use super::weather::Random;
use crate::cluster::protocol::{Machine, MachineDeed};

/// A caller, and the number of its call.
pub(super) type CallId = (usize, u64);

pub(super) struct MachineNode {
    pub(super) core: Machine<u64, Ending>,
    pub(super) workers: usize,
    pub(super) drains: bool,
    pub(super) queue: Vec<(u64, u64, u64)>,
    pub(super) running: BTreeMap<(u64, u64), (u64, CallId)>,
}

impl MachineNode {
    /// Ends the calls that are over, and begins those that may begin.
    pub(super) fn work(
        &mut self,
        now: u64,
        local: u64,
        random: &mut Random,
        calls: &mut BTreeMap<CallId, Truth>,
    ) {
        let over = self.running.iter().filter(|(_, (until, _))| *until <= now);
        let over: Vec<_> = over.map(|(&key, &(_, id))| (key, id)).collect();
        for (key @ (lease, number), (_, value)) in over {
            self.running.remove(&key);
            self.core.ended(lease, number, Ending::Done(value));
        }
        while self.running.len() < self.workers {
            let may = |(lease, ..): &(u64, u64, u64)| {
                self.core.until(*lease).is_some_and(|until| local < until)
            };
            let Some(index) = self.queue.iter().position(may) else { return };
            let (lease, number, caller) = self.queue.remove(index);
            let id = (caller as usize, number);
            calls.get_mut(&id).expect("it was made").begin(now);
            self.running.insert((lease, number), (now + random.length(25_000), id));
        }
    }

    pub(super) fn obey(&mut self, deed: MachineDeed<u64, Ending>) {
        let queued = |queue: &mut Vec<(u64, u64, u64)>, key| {
            let index = queue.iter().position(|&(lease, number, _)| (lease, number) == key);
            index.map(|index| queue.remove(index)).is_some()
        };
        match deed {
            MachineDeed::Send { .. } | MachineDeed::Forget { .. } => {}
            MachineDeed::Submit { lease, number, parcel } => {
                // The upper half of a parcel is its caller, the lower half the number of the call
                // there.
                self.queue.push((lease, number, parcel >> 32));
            }
            MachineDeed::Recall { lease, number } => {
                if queued(&mut self.queue, (lease, number)) {
                    self.core.returned(lease, number);
                }
            }
            MachineDeed::Stop { lease, number, .. } => {
                if queued(&mut self.queue, (lease, number)) {
                    self.core.returned(lease, number);
                } else if self.running.remove(&(lease, number)).is_some() {
                    self.core.ended(lease, number, Ending::Killed);
                }
            }
        }
    }
}
