//! Who runs which call: a record on the broker for each 64 calls of a caller, which a machine swaps
//! for one that has its own claims in it too.
//!
//! That, and not the queue, is why a call runs at most once. A queue delivers again after a crash
//! of the broker, and whoever can send to it can send again; but a swap succeeds only in the place
//! of the record that the machine knew, so of two machines that claim the same call one learns of
//! the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::batches::Batches;
use super::broker::Broker;
use super::subject::CallId;

/// The calls of one record.
const CALLS: u64 = 64;
/// How many records are remembered, which spares reading them before the next swap.
const KNOWN_MAX: usize = 1024;

/// For each machine that has claimed any, which of the calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Claimed(Vec<(u64, u64)>);

impl Claimed {
    fn holder(&self, number: u64) -> Option<u64> {
        let mask = 1 << (number % CALLS);
        self.0.iter().find(|(_, calls)| calls & mask != 0).map(|(machine, _)| *machine)
    }

    fn add(&mut self, machine: u64, number: u64) {
        let mask = 1 << (number % CALLS);
        match self.0.iter_mut().find(|(known, _)| *known == machine) {
            Some((_, calls)) => *calls |= mask,
            None => self.0.push((machine, mask)),
        }
    }

    /// The calls of this record that anybody has claimed, by their numbers.
    pub(super) fn numbers(&self, group: u64) -> impl Iterator<Item = u64> + '_ {
        let all = self.0.iter().fold(0, |all, (_, calls)| all | calls);
        (0..CALLS).filter(move |bit| all & (1 << bit) != 0).map(move |bit| group * CALLS + bit)
    }
}

/// Who has a call.
pub(super) enum Holder {
    /// This machine, from now on.
    Us,
    /// A machine that claimed it before; this one, too, if it did and has ended it.
    Earlier(u64),
}

type Group = (u64, u64);
type Wanted = (u64, oneshot::Sender<Holder>);

pub(super) struct Claims {
    broker: Arc<Broker>,
    machine: u64,
    wanted: Batches<Group, Wanted>,
    known: Mutex<HashMap<Group, (u64, Claimed)>>,
}

impl Claims {
    pub(super) fn new(broker: Arc<Broker>, machine: u64) -> Self {
        Self { broker, machine, wanted: Batches::new(), known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Group, (u64, Claimed)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims a call, or says who has.
    pub(super) async fn claim(self: &Arc<Self>, id: CallId) -> Holder {
        let group = (id.caller, id.number / CALLS);
        let (sender, holder) = oneshot::channel();
        if self.wanted.add(group, (id.number, sender)) {
            let claims = Arc::clone(self);
            tokio::spawn(async move { claims.work(group).await });
        }
        // It is told in any case, as long as this process runs.
        holder.await.unwrap_or(Holder::Earlier(self.machine))
    }

    async fn work(&self, group: Group) {
        while let Some(wanted) = self.wanted.next(&group) {
            let numbers: Vec<_> = wanted.iter().map(|(number, _)| *number).collect();
            let holders = self.swap(group, &numbers).await;
            for ((_, sender), holder) in wanted.into_iter().zip(holders) {
                let _ = sender.send(holder);
            }
        }
    }

    /// Claims calls of a group, those that nobody has. Writes the record also if `numbers` is empty.
    async fn swap(&self, group: Group, numbers: &[u64]) -> Vec<Holder> {
        let subject = self.broker.build.claims(group.0, group.1);
        let (mut sequence, mut there) = self.known().get(&group).cloned().unwrap_or_default();
        loop {
            let mut next = there.clone();
            let mut holders = Vec::new();
            for &number in numbers {
                holders.push(match there.holder(number) {
                    Some(machine) => Holder::Earlier(machine),
                    None => Holder::Us,
                });
                if there.holder(number).is_none() {
                    next.add(self.machine, number);
                }
            }
            let is_new = holders.iter().any(|holder| matches!(holder, Holder::Us));
            if !is_new && !numbers.is_empty() {
                // A claim is for good.
                return holders;
            }
            let sealed = self.sealed(&subject, &next);
            match self.broker.swap(&subject, &sealed, sequence).await {
                Ok(now) => {
                    self.remember(group, now, next);
                    return holders;
                }
                Err(other) => {
                    let opened = self.broker.open::<Claimed>(&subject, &other.sealed);
                    // What nobody with the key has written claims nothing, and is overwritten.
                    there = opened.map(|(claimed, _)| claimed).unwrap_or_default();
                    sequence = other.sequence;
                }
            }
        }
    }

    /// Writes the record of a call again, before it is too old to be kept.
    pub(super) async fn renew(&self, id: CallId) {
        self.swap((id.caller, id.number / CALLS), &[]).await;
    }

    fn sealed(&self, subject: &str, claimed: &Claimed) -> Bytes {
        // Numbers always encode.
        self.broker.seal(subject, claimed, &[]).unwrap_or_default()
    }

    fn remember(&self, group: Group, sequence: u64, claimed: Claimed) {
        let mut known = self.known();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(group, (sequence, claimed));
    }
}
