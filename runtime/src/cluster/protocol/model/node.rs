//! A machine of the model, with its workers.

use std::collections::BTreeMap;

use super::call::{AHEAD, Ending, Truth, items_of};
use super::numbers::{CallId, home_of, is_drop, is_value};
use super::weather::Random;
use super::worker::Served;
use crate::cluster::protocol::{Machine, MachineDeed};

pub(super) struct MachineNode {
    pub(super) core: Machine<u64, Ending>,
    pub(super) workers: usize,
    pub(super) drains: bool,
    pub(super) queue: Vec<(u64, u64, u64)>,
    pub(super) running: BTreeMap<(u64, u64), (u64, CallId)>,
    /// What those have yielded that do, and what was granted them.
    pub(super) streams: BTreeMap<(u64, u64), Yielding>,
    pub(super) residents: Residents,
}

/// A lease, and a call under it.
type Key = (u64, u64);

/// Workers with state.
#[derive(Default)]
pub(super) struct Residents {
    /// The calls that keep a value, and their callers.
    pub(super) values: BTreeMap<Key, usize>,
    /// Calls that wait for a value, and the call that keeps it.
    waiting: Vec<(Key, usize, u64)>,
    /// Those that have it.
    serving: BTreeMap<Key, u64>,
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
        (calls, served): (&mut BTreeMap<CallId, Truth>, &mut Served),
    ) {
        self.yield_some(now, random, calls);
        let is_through = |key, id: &CallId| {
            let yielded = self.streams.get(key).map_or(0, |stream| stream.yielded);
            items_of(id.1).is_none_or(|items| yielded == items)
        };
        let over =
            self.running.iter().filter(|(key, (until, id))| *until <= now && is_through(*key, id));
        let over: Vec<_> = over.map(|(&key, &(_, id))| (key, id)).collect();
        for (key @ (lease, number), (caller, value)) in over {
            self.running.remove(&key);
            self.streams.remove(&key);
            self.residents.serving.remove(&key);
            if is_value(number) && !is_drop(number) {
                self.residents.values.insert(key, caller);
                self.core.yielded(lease, number, Ending::Made);
                self.core.pause(lease, number, true);
                if self.drains {
                    self.core.yielded(lease, number, Ending::Leaves);
                }
                continue;
            }
            if is_drop(number) {
                self.lose((lease, home_of(number)));
            }
            self.core.ended(lease, number, Ending::Done(value));
        }
        self.lose_some(random);
        self.serve(now, local, random, (calls, served));
        // One that waits for its reader needs no worker of those, nor does one of a value.
        while self.running.len() - self.pausing() - self.serving() < self.workers {
            let may = |(lease, ..): &(u64, u64, u64)| {
                self.core.until(*lease).is_some_and(|until| local < until)
            };
            let Some(index) = self.queue.iter().position(may) else { return };
            let (lease, number, caller) = self.queue.remove(index);
            let id = (caller as usize, number);
            match calls.get_mut(&id) {
                Some(call) => call.begin(now),
                None => served.make(now, id),
            }
            self.running.insert((lease, number), (now + random.length(25_000), id));
            if items_of(id.1).is_some() {
                self.streams.insert((lease, number), Yielding::default());
            }
        }
    }

    /// Begins the calls whose values are here and idle.
    fn serve(
        &mut self,
        now: u64,
        local: u64,
        random: &mut Random,
        (calls, served): (&mut BTreeMap<CallId, Truth>, &mut Served),
    ) {
        let Self { core, residents, running, streams, .. } = self;
        let Residents { values, waiting, serving } = residents;
        waiting.retain(|&(key @ (lease, number), caller, home)| {
            let is_busy = serving.iter().any(|(key, other)| key.0 == lease && *other == home);
            let may = core.until(lease).is_some_and(|until| local < until);
            if is_busy || !may || !values.contains_key(&(lease, home)) {
                return true;
            }
            if let Some(call) = calls.get_mut(&(caller, number)) {
                call.begin(now);
                if let Err(broken) = served.begin(caller, number, home) {
                    call.broken = Some(broken);
                }
            }
            serving.insert(key, home);
            running.insert(key, (now + random.length(10_000), (caller, number)));
            if items_of(number).is_some() {
                streams.insert(key, Yielding::default());
            }
            false
        });
    }

    /// The process of a value is killed, now and then, or of one that is being made.
    fn lose_some(&mut self, random: &mut Random) {
        if let Some(&key) = self.residents.values.keys().next()
            && random.often(2)
        {
            self.lose(key);
        }
        let is_made = |(_, number): &Key| is_value(*number) && !is_drop(*number);
        if let Some(key) = self.running.keys().copied().find(is_made)
            && random.often(2)
        {
            self.running.remove(&key);
            self.core.ended(key.0, key.1, Ending::Killed);
        }
    }

    /// A value is gone, with the call that has it; those that wait for it have not begun.
    fn lose(&mut self, (lease, home): Key) {
        if self.residents.values.remove(&(lease, home)).is_none() {
            return;
        }
        self.core.ended(lease, home, Ending::Killed);
        self.kill(lease, home);
    }

    /// Nothing of a value runs on.
    fn kill(&mut self, lease: u64, home: u64) {
        let Self { core, residents, running, streams, .. } = self;
        residents.serving.retain(|&(other, number), of| {
            let is_its = other == lease && *of == home;
            if is_its && running.remove(&(other, number)).is_some() {
                streams.remove(&(other, number));
                core.ended(lease, number, Ending::Killed);
            }
            !is_its
        });
        residents.waiting.retain(|&((other, number), _, of)| {
            let is_its = other == lease && of == home;
            if is_its {
                core.returned(lease, number);
            }
            !is_its
        });
    }

    /// Accepts no more calls; values have to leave.
    pub(super) fn drain(&mut self) {
        self.drains = true;
        self.core.drain();
        for &(lease, number) in self.residents.values.keys() {
            self.core.yielded(lease, number, Ending::Leaves);
        }
    }

    fn serving(&self) -> usize {
        let has_no_place =
            |key: &&Key| self.streams.get(key).is_none_or(|stream| !stream.is_full());
        self.residents.serving.keys().filter(has_no_place).count()
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
            MachineDeed::Submit { lease, number, parcel, home: Some(home) } => {
                let (key, caller) = ((lease, number), (parcel >> 32) as usize);
                if self.residents.values.contains_key(&(lease, home)) {
                    self.residents.waiting.push((key, caller, home));
                } else {
                    self.core.returned(lease, number);
                }
            }
            MachineDeed::Submit { lease, number, parcel, home: None } => {
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
                let waited = self.residents.waiting.len();
                self.residents.waiting.retain(|(key, ..)| *key != (lease, number));
                let waits = self.residents.waiting.len() < waited;
                if waits || queued(&mut self.queue, (lease, number)) {
                    self.core.returned(lease, number);
                } else if let Some(&home) = self.residents.serving.get(&(lease, number)) {
                    self.lose((lease, home));
                } else if self.running.remove(&(lease, number)).is_some() {
                    self.streams.remove(&(lease, number));
                    self.core.ended(lease, number, Ending::Killed);
                } else {
                    self.lose((lease, number));
                }
            }
        }
    }
}
