//! Calls that no machine has, and the search for one.

use std::cmp::Reverse;
use std::collections::VecDeque;

use super::{Caller, Deed, End, Why};
use crate::cluster::protocol::Moment;
use crate::cluster::protocol::links::Link;
use crate::cluster::protocol::messages::{Open, ToMachine, Weight};
use crate::cluster::protocol::queues::{ASK, Queue, Queued, SEEK};

/// The minimum time that machines get to answer before they count as absent.
const ANSWER: u64 = 2_000;
/// The longest interval at which a caller looks for more machines: if none is known, and if the
/// known ones have no room.
const SEEK_NONE: u64 = 500;
const SEEK_MORE: u64 = 8_000;
/// How many it asks at a time.
const MAX_SEEK: u64 = 4;
/// How many machines it remembers that it has not asked yet.
const MAX_NEWCOMERS: usize = 64;
/// How long connecting may take, regardless of the calls' own wait.
const CONNECT: u64 = 1_000;

impl<T: Clone + Weight, E> Caller<T, E> {
    /// A machine has started, so waiting calls may ask it.
    pub(crate) fn news(&mut self, now: Moment, machine: u64, labels: &[String]) {
        let known: Vec<_> = self.links.values().map(|link| link.machine).collect();
        let wants = |(label, queue): &(&&str, &Queue<T>)| {
            let fits = label.is_empty() || labels.iter().any(|own| own == *label);
            fits && !queue.calls.is_empty()
        };
        if known.contains(&machine) {
            return;
        }
        let Some((label, queue)) = self.queues.iter().find(wants) else {
            self.newcomers.truncate(MAX_NEWCOMERS - 1);
            return self.newcomers.push_front((machine, labels.to_vec()));
        };
        let (label, want) = (*label, queue.calls.len() as u64);
        let open = self.opening(now, label, want, known);
        self.deeds.push(Deed::Send { machine, message: ToMachine::Open(open) });
    }

    pub(super) fn opening(
        &mut self,
        now: Moment,
        label: &'static str,
        want: u64,
        known: Vec<u64>,
    ) -> Open {
        self.opening += 1;
        self.openings.insert(self.opening, (now, label));
        Open { caller: self.id, opening: self.opening, want, known }
    }

    /// Whether a machine may still answer that was asked for a lease.
    pub(super) fn is_asking(&self, now: Moment, label: &str) -> bool {
        let is_new = |since: Moment| now.saturating_sub(since) < ASK;
        self.openings.values().any(|&(since, other)| other == label && is_new(since))
    }

    pub(super) fn is_there(&mut self, now: Moment, label: &str) {
        if let Some(queue) = self.queues.get_mut(label) {
            (queue.there, queue.absent) = (Some(now), None);
        }
    }

    /// Ends the calls that have waited long enough for a machine.
    pub(super) fn give_up(&mut self, now: Moment) {
        let Self { queues, links, terms, deeds, .. } = self;
        let connected = self.connected;
        for (label, queue) in queues {
            if links.values().any(|link| link.has(label) && link.is_usable(now)) {
                (queue.there, queue.absent) = (Some(now), None);
            }
            let waited =
                |call: &Queued<T>| now.saturating_sub(queue.there.unwrap_or(0).max(call.since));
            let is_over = |call: &Queued<T>| match connected {
                Ok(_) if queue.absent.is_some_and(|absent| absent >= call.since) => {
                    waited(call) >= terms.wait
                }
                Ok(since) => {
                    let least = terms.wait.max(ANSWER);
                    waited(call) >= least && now.saturating_sub(since) >= ANSWER
                }
                Err(_) => waited(call) >= terms.wait.max(CONNECT),
            };
            let over = queue.calls.iter().filter(|(_, call)| is_over(call));
            let over: Vec<_> = over.map(|(&number, _)| number).collect();
            let why = if connected.is_ok() { Why::NoMachine } else { Why::NoBroker };
            for number in over {
                queue.calls.remove(&number);
                deeds.push(Deed::Finish { number, end: End::Nobody(why) });
            }
        }
    }

    /// Sends calls to the machines with most room, and those that keep a value to those that keep
    /// fewest of this caller's. Calls with a label come first, since they have fewer choices.
    pub(super) fn assign(&mut self, now: Moment) {
        let Self { queues, links, places, .. } = self;
        for (label, queue) in queues.iter_mut().rev() {
            let mut from = 0;
            while let Some((&number, call)) = queue.calls.range(from..).next() {
                let fits =
                    |link: &&mut Link<T>| link.room() > 0 && link.has(label) && link.is_usable(now);
                let least = call.keeps.and_then(|_| {
                    let may = |link: &&Link<T>| link.has(label) && link.is_usable(now);
                    links.values().filter(may).map(|link| link.kept).min()
                });
                let fitting = links.values_mut().filter(fits);
                let link = match call.keeps {
                    Some(_) => fitting.max_by_key(|link| (Reverse(link.kept), link.room())),
                    None => fitting.max_by_key(|link| link.room()),
                };
                let Some(link) = link else { break };
                from = number + 1;
                if call.waits(now, link.kept, least.unwrap_or(0)) {
                    continue;
                }
                let Some(call) = queue.calls.remove(&number) else { continue };
                places.insert(number, link.lease);
                link.send(number, call, label);
            }
        }
    }

    /// Looks for machines while there are calls without one.
    pub(super) fn seek(&mut self, now: Moment) {
        let labels: Vec<_> = self.queues.keys().copied().collect();
        for label in labels {
            let Some(queue) = self.queues.get_mut(label) else { continue };
            if queue.calls.is_empty() {
                (queue.sought, queue.pause) = (None, SEEK);
                continue;
            }
            if queue.sought.is_some_and(|sought| now.saturating_sub(sought) < queue.pause) {
                continue;
            }
            let usable = self.links.values().filter(|link| link.has(label) && link.is_usable(now));
            let (known, sent) =
                usable.fold((0, 0), |(known, sent), link| (known + 1, sent + link.placed()));
            let want = queue.calls.len() as u64;
            if known >= want + sent {
                // Each machine gives a place from time to time, so more are of no use.
                continue;
            }
            if queue.sought.replace(now).is_some() {
                let most = if known > 0 { SEEK_MORE } else { SEEK_NONE };
                queue.pause = (queue.pause * 2).min(most);
            }
            let is_open = queue.is_open();
            if is_open && self.ask_newcomers(now, label, want) {
                continue;
            }
            // Any of them answers, and may be one that is known.
            let count = if is_open { MAX_SEEK } else { want.min(MAX_SEEK) };
            for _ in 0..count {
                let known = self.links.values().map(|link| link.machine).collect();
                let open = self.opening(now, label, want, known);
                self.deeds.push(Deed::Seek { label, open });
            }
        }
    }

    /// Asks the machines that have started since the last calls; returns whether there are any.
    fn ask_newcomers(&mut self, now: Moment, label: &'static str, want: u64) -> bool {
        let fits = |labels: &[String]| label.is_empty() || labels.iter().any(|own| own == label);
        let (asked, others) =
            self.newcomers.drain(..).partition::<VecDeque<_>, _>(|(_, labels)| fits(labels));
        self.newcomers = others;
        for (machine, _) in &asked {
            let known = self.links.values().map(|link| link.machine).collect();
            let open = self.opening(now, label, want, known);
            let message = ToMachine::Open(open);
            self.deeds.push(Deed::Send { machine: *machine, message });
        }
        !asked.is_empty()
    }
}
