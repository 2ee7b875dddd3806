//! Who runs which call: a record on the broker for each 64 calls of a caller, which a machine swaps
//! for one that has its own claims in it too.
//!
//! That, and not the queue, is why a call runs at most once. A queue delivers again after a crash
//! of the broker, and whoever can send to it can send again; but a swap succeeds only in the place
//! of the record that the machine knew, so of two machines that claim the same call one learns of
//! the other.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::batches::Batches;
use super::broker::Broker;
use super::subject::CallId;

use crate::sync::{Guard, Lock};

/// The calls of one record.
const CALLS: u64 = 64;
/// How many records are remembered, which spares reading them before the next swap.
const KNOWN_MAX: usize = 1024;

/// For each machine that has claimed any of the calls, which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claimed(Vec<Share>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Share {
    machine: u64,
    /// A bit for each.
    calls: u64,
    /// Which of its swaps was the last: a machine that never heard what became of one sees it here,
    /// whoever has written since.
    swap: u64,
}

impl Claimed {
    fn holder(&self, number: u64) -> Option<u64> {
        let mask = 1 << (number % CALLS);
        self.0.iter().find(|share| share.calls & mask != 0).map(|share| share.machine)
    }

    fn has(&self, machine: u64, swap: u64) -> bool {
        self.0.iter().any(|share| share.machine == machine && share.swap == swap)
    }

    /// With those of the calls that nobody has for this machine.
    fn with(&self, machine: u64, numbers: &[u64], swap: u64) -> Self {
        let free = numbers.iter().filter(|&&number| self.holder(number).is_none());
        let calls = free.fold(0, |calls, number| calls | 1 << (number % CALLS));
        let mut next = self.clone();
        match next.0.iter_mut().find(|share| share.machine == machine) {
            Some(share) => (share.calls, share.swap) = (share.calls | calls, swap),
            None => next.0.push(Share { machine, calls, swap }),
        }
        next
    }

    /// The calls of this record that anybody has claimed, by their numbers.
    pub(crate) fn numbers(&self, group: u64) -> impl Iterator<Item = u64> + '_ {
        let all = self.0.iter().fold(0, |all, share| all | share.calls);
        (0..CALLS).filter(move |bit| all & (1 << bit) != 0).map(move |bit| group * CALLS + bit)
    }
}

/// Who has a call.
pub(crate) enum Holder {
    /// This machine, from now on.
    Us,
    /// A machine that claimed it before; this one, too, if it did and has ended it.
    Earlier(u64),
}

type Group = (u64, u64);

/// A call that is to be claimed, or whose claim is to be written again.
struct Wanted {
    number: u64,
    again: bool,
    holder: oneshot::Sender<Holder>,
}

pub(crate) struct Claims {
    broker: Arc<Broker>,
    machine: u64,
    wanted: Batches<Group, Wanted>,
    known: Lock<HashMap<Group, (u64, Claimed)>>,
    swaps: AtomicU64,
}

impl Claims {
    pub(crate) fn new(broker: Arc<Broker>, machine: u64) -> Self {
        let (wanted, known) = (Batches::new(), Lock::default());
        Self { broker, machine, wanted, known, swaps: AtomicU64::new(1) }
    }

    fn known(&self) -> Guard<'_, HashMap<Group, (u64, Claimed)>> {
        self.known.lock()
    }

    /// Claims a call, or says who has.
    pub(crate) async fn claim(self: &Arc<Self>, id: CallId) -> Holder {
        self.want(id, false).await
    }

    /// Writes the claim of a call again, before it is too old to be kept.
    pub(crate) async fn renew(self: Arc<Self>, id: CallId) {
        self.want(id, true).await;
    }

    async fn want(self: &Arc<Self>, id: CallId, again: bool) -> Holder {
        let group = (id.caller, id.number / CALLS);
        let (sender, holder) = oneshot::channel();
        if self.wanted.add(group, Wanted { number: id.number, again, holder: sender }) {
            let claims = Arc::clone(self);
            tokio::spawn(async move { claims.work(group).await });
        }
        // It is told in any case, as long as this process runs.
        holder.await.unwrap_or(Holder::Earlier(self.machine))
    }

    async fn work(&self, group: Group) {
        while let Some(wanted) = self.wanted.next(&group) {
            let numbers: Vec<_> = wanted.iter().map(|wanted| wanted.number).collect();
            let again = wanted.iter().any(|wanted| wanted.again);
            let holders = self.swap(group, &numbers, again).await;
            for (wanted, holder) in wanted.into_iter().zip(holders) {
                let _ = wanted.holder.send(holder);
            }
        }
    }

    /// Claims calls of a group, those that nobody has. Writes the record if there are any, or if it
    /// is to be written again.
    async fn swap(&self, group: Group, numbers: &[u64], again: bool) -> Vec<Holder> {
        let subject = self.broker.build.claims(group.0, group.1);
        let (mut sequence, mut there) = self.known().get(&group).cloned().unwrap_or_default();
        let swap = self.swaps.fetch_add(1, Ordering::Relaxed);
        loop {
            let next = there.with(self.machine, numbers, swap);
            let holders = || {
                let holder = |&number| match there.holder(number) {
                    Some(machine) => Holder::Earlier(machine),
                    None => Holder::Us,
                };
                numbers.iter().map(holder).collect::<Vec<_>>()
            };
            let is_new = numbers.iter().any(|&number| there.holder(number).is_none());
            if !is_new && !again {
                // A claim is for good.
                return holders();
            }
            let sealed = self.sealed(&subject, &next);
            let other = match self.broker.swap(&subject, &sealed, sequence).await {
                Ok(now) => {
                    let holders = holders();
                    self.remember(group, now, next);
                    return holders;
                }
                Err(other) => other,
            };
            // There is none if it was too old, or the broker has lost it.
            let sequence_now = other.as_ref().map_or(0, |other| other.sequence);
            let opened = other
                .and_then(|other| Some(self.broker.open::<Claimed>(&subject, &other.sealed)?.0));
            // What nobody with the key has written claims nothing, and is overwritten.
            let now = opened.unwrap_or_default();
            if now.has(self.machine, swap) {
                // It succeeded, and before that was heard of another machine has added its own.
                let holders = holders();
                self.remember(group, sequence_now, now);
                return holders;
            }
            (sequence, there) = (sequence_now, now);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_one_holder_and_a_swap_is_known_again() {
        let first = Claimed::default().with(1, &[64, 65], 7);
        let both = first.with(2, &[65, 66], 3);
        let holders = [64, 65, 66, 67].map(|number| both.holder(number));
        assert_eq!(holders, [Some(1), Some(1), Some(2), None]);
        assert!(both.has(1, 7) && both.has(2, 3) && !both.has(1, 3));
        assert!(both.numbers(1).eq([64, 65, 66]));
        let again = both.with(1, &[], 8);
        assert!(again.has(1, 8) && !again.has(1, 7) && again.numbers(1).eq(both.numbers(1)));
    }
}
