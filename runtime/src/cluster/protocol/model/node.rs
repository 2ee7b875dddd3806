//! A machine of the model, with its workers.

use std::collections::BTreeMap;

use super::call::{AHEAD, Ending, Truth, items_of};
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
    /// What those have yielded that do, and what was granted them.
    pub(super) streams: BTreeMap<(u64, u64), Yielding>,
}

#[derive(Default)]
pub(super) struct Yielding {
    yielded: u64,
    granted: u64,
}

impl Yielding {
    fn is_full(&self) -> bool {
        self.yielded >= self.granted + AHEAD
    }
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
        self.yield_some(now, random, calls);
        let is_through = |key, id: &CallId| {
            let yielded = self.streams.get(key).map_or(0, |stream| stream.yielded);
            items_of(id.1).is_none_or(|items| yielded == items)
        };
        let over =
            self.running.iter().filter(|(key, (until, id))| *until <= now && is_through(*key, id));
        let over: Vec<_> = over.map(|(&key, &(_, id))| (key, id)).collect();
        for (key @ (lease, number), (_, value)) in over {
            self.running.remove(&key);
            self.streams.remove(&key);
            self.core.ended(lease, number, Ending::Done(value));
        }
        // One that waits for its reader needs no worker of those.
        while self.running.len() - self.pausing() < self.workers {
            let may = |(lease, ..): &(u64, u64, u64)| {
                self.core.until(*lease).is_some_and(|until| local < until)
            };
            let Some(index) = self.queue.iter().position(may) else { return };
            let (lease, number, caller) = self.queue.remove(index);
            let id = (caller as usize, number);
            calls.get_mut(&id).expect("it was made").begin(now);
            self.running.insert((lease, number), (now + random.length(25_000), id));
            if items_of(id.1).is_some() {
                self.streams.insert((lease, number), Yielding::default());
            }
        }
    }

    fn pausing(&self) -> usize {
        self.streams.values().filter(|stream| stream.is_full()).count()
    }

    /// What yields is some items further, as far as it may.
    fn yield_some(&mut self, now: u64, random: &mut Random, calls: &mut BTreeMap<CallId, Truth>) {
        for (&(lease, number), stream) in &mut self.streams {
            let Some((_, id)) = self.running.get(&(lease, number)) else { continue };
            let items = items_of(id.1).unwrap_or(0);
            while !stream.is_full() && stream.yielded < items && random.often(600) {
                calls.get_mut(id).expect("it was made").yields(now, stream.yielded);
                self.core.yielded(lease, number, Ending::Item(stream.yielded));
                stream.yielded += 1;
            }
            self.core.pause(lease, number, stream.is_full());
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
            MachineDeed::Grant { lease, number, done } => {
                if let Some(stream) = self.streams.get_mut(&(lease, number)) {
                    stream.granted = done;
                    self.core.pause(lease, number, stream.is_full());
                }
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
                    self.streams.remove(&(lease, number));
                    self.core.ended(lease, number, Ending::Killed);
                }
            }
        }
    }
}
