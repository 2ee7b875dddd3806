//! The caller's side: waiting calls, sent calls, and known machines.

use std::collections::{BTreeMap, HashMap};

use super::links::Link;
use super::messages::{Open, ToCaller, ToMachine, Weight, Word};
use super::{Moment, Terms};

/// What the driver has to do.
#[derive(Debug)]
pub(crate) enum Deed<T, E> {
    Send {
        machine: u64,
        message: ToMachine<T>,
    },
    /// To any one machine with the label; [`Caller::nobody`] if there is none.
    Seek {
        label: &'static str,
        open: Open,
    },
    /// What a call has yielded, in order and before its end.
    Item {
        number: u64,
        item: E,
    },
    Finish {
        number: u64,
        end: End<E>,
    },
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum End<E> {
    Ended(E),
    /// It has yielded this, or has ended so, although nobody is interested any more.
    Unwanted(E),
    /// Its machine was given up; the call does not run any more.
    Lost,
    /// It was sent to no machine, or all machines have returned it.
    Nobody(Why),
}

/// Why no machine got a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    NoBroker,
    NoMachine,
}

/// The minimum time that machines get to answer before they count as absent.
const ANSWER: u64 = 2_000;
/// The first and the longest interval at which a caller looks for more machines: if none is known,
/// and if the known ones have no room.
const SEEK: u64 = 50;
const SEEK_NONE: u64 = 500;
const SEEK_MORE: u64 = 8_000;
/// How many it asks at a time.
const MAX_SEEK: u64 = 4;
/// How long the connection must have existed before a silent machine is given up, and how late a
/// tick must be to show that this program was stopped.
const GRACE: u64 = 2_000;
const LATE: u64 = 1_000;
/// How long connecting may take, regardless of the calls' own wait.
const CONNECT: u64 = 1_000;

pub(crate) struct Caller<T, E> {
    id: u64,
    terms: Terms,
    /// Calls that no machine has, by the label that they ask for.
    queues: BTreeMap<&'static str, Queue<T>>,
    /// The lease under which a call was sent.
    places: HashMap<u64, u64>,
    links: BTreeMap<u64, Link<T>>,
    /// Unanswered requests for leases, with their time and label.
    openings: BTreeMap<u64, (Moment, &'static str)>,
    opening: u64,
    /// Since when there is a connection, or none.
    connected: Result<Moment, Moment>,
    ticked: Moment,
    deeds: Vec<Deed<T, E>>,
}

struct Queue<T> {
    calls: BTreeMap<u64, Queued<T>>,
    sought: Option<Moment>,
    pause: u64,
    /// When a machine was last known to exist.
    there: Option<Moment>,
    /// When the broker reported that there is none.
    absent: Option<Moment>,
}

struct Queued<T> {
    parcel: T,
    since: Moment,
}

impl<T> Queue<T> {
    fn new() -> Self {
        Self { calls: BTreeMap::new(), sought: None, pause: SEEK, there: None, absent: None }
    }
}

impl<T: Clone + Weight, E> Caller<T, E> {
    pub(crate) fn new(id: u64, terms: Terms, now: Moment) -> Self {
        Self {
            id,
            terms,
            queues: BTreeMap::new(),
            places: HashMap::new(),
            links: BTreeMap::new(),
            openings: BTreeMap::new(),
            opening: 0,
            connected: Err(now),
            ticked: now,
            deeds: Vec::new(),
        }
    }

    /// Accepts a call; a machine with the label may run it, or any machine if it is empty.
    pub(crate) fn submit(&mut self, now: Moment, number: u64, parcel: T, label: &'static str) {
        let queue = self.queues.entry(label).or_insert_with(Queue::new);
        queue.calls.insert(number, Queued { parcel, since: now });
    }

    /// Nobody wants that call any more; its end is not reported.
    pub(crate) fn cancel(&mut self, number: u64) {
        if let Some(link) = self.places.remove(&number).and_then(|l| self.links.get_mut(&l)) {
            return link.cancel(number);
        }
        self.queues.values_mut().any(|queue| queue.calls.remove(&number).is_some());
    }

    /// So many items of a call are no longer on the way, in total.
    pub(crate) fn grant(&mut self, number: u64, done: u64) {
        let link = self.places.get(&number).and_then(|lease| self.links.get_mut(lease));
        link.into_iter().for_each(|link| link.grant(number, done));
    }

    pub(crate) fn connected(&mut self, now: Moment) {
        self.connected = Ok(now);
        self.links.values_mut().for_each(|link| link.asks = true);
        self.queues.values_mut().for_each(|queue| (queue.sought, queue.absent) = (None, None));
    }

    pub(crate) fn disconnected(&mut self, now: Moment) {
        if self.connected.is_ok() {
            self.connected = Err(now);
        }
    }

    /// The broker says that there is no machine with this label.
    pub(crate) fn nobody(&mut self, now: Moment, label: &str) {
        if let Some(queue) = self.queues.get_mut(label) {
            queue.absent = Some(now);
        }
    }

    /// A machine has started, so waiting calls may ask it.
    pub(crate) fn news(&mut self, now: Moment, machine: u64, labels: &[String]) {
        let known: Vec<_> = self.links.values().map(|link| link.machine).collect();
        let wants = |(label, queue): &(&&str, &Queue<T>)| {
            let fits = label.is_empty() || labels.iter().any(|own| own == *label);
            fits && !queue.calls.is_empty()
        };
        let Some((label, queue)) = self.queues.iter().find(wants) else { return };
        if known.contains(&machine) {
            return;
        }
        let (label, want) = (*label, queue.calls.len() as u64);
        let open = self.opening(now, label, want, known);
        self.deeds.push(Deed::Send { machine, message: ToMachine::Open(open) });
    }

    fn opening(&mut self, now: Moment, label: &'static str, want: u64, known: Vec<u64>) -> Open {
        self.opening += 1;
        self.openings.insert(self.opening, (now, label));
        Open { caller: self.id, opening: self.opening, want, known }
    }

    pub(crate) fn receive(&mut self, now: Moment, message: ToCaller<E>) {
        match message {
            ToCaller::Opened { machine, opening, lease, stamp, credit, lasts, labels } => {
                let asked = self.openings.remove(&opening);
                let is_new = self.links.values().all(|link| link.machine != machine);
                if let Some((_, label)) = asked.filter(|_| is_new) {
                    let mut link = Link::new((machine, lease), lasts, labels, now);
                    (link.stamp, link.credit) = (stamp, credit);
                    self.links.insert(lease, link);
                    self.is_there(now, label);
                } else if !self.links.contains_key(&lease) {
                    self.deeds.push(Deed::Send { machine, message: ToMachine::Close { lease } });
                }
            }
            ToCaller::Known { opening } => {
                if let Some((_, label)) = self.openings.remove(&opening) {
                    self.is_there(now, label);
                }
            }
            ToCaller::Gone { lease } => self.lose(lease),
            ToCaller::Packet { machine, lease, header, stamp, credit, drains, words } => {
                let Some(link) = self.links.get_mut(&lease) else {
                    let message = ToMachine::Close { lease };
                    return self.deeds.push(Deed::Send { machine, message });
                };
                link.heard = now;
                link.stamp = link.stamp.max(stamp);
                let received = link.delivery.receive(header, words);
                if received.is_news {
                    (link.credit, link.drains) = (credit, drains);
                }
                link.is_due |= received.has_gap;
                received.frames.into_iter().for_each(|word| self.word(now, lease, word));
            }
        }
    }

    fn is_there(&mut self, now: Moment, label: &str) {
        if let Some(queue) = self.queues.get_mut(label) {
            (queue.there, queue.absent) = (Some(now), None);
        }
    }

    fn word(&mut self, now: Moment, lease: u64, word: Word<E>) {
        let Some(link) = self.links.get_mut(&lease) else { return };
        match word {
            Word::Item { number, item } => {
                self.deeds.push(match link.calls.get(&number) {
                    Some(Some(_)) => Deed::Item { number, item },
                    Some(None) => Deed::Finish { number, end: End::Unwanted(item) },
                    None => return,
                });
            }
            Word::Ended { number, ending } => {
                let end = match link.calls.remove(&number) {
                    Some(Some(_)) => End::Ended(ending),
                    Some(None) => End::Unwanted(ending),
                    None => return,
                };
                self.places.remove(&number);
                self.deeds.push(Deed::Finish { number, end });
            }
            Word::Returned { number } => {
                if let Some(Some((parcel, label))) = link.calls.remove(&number) {
                    self.places.remove(&number);
                    self.submit(now, number, parcel, label);
                }
            }
        }
    }

    /// Nothing more can be sent under a lease. Its calls may still run, so they are lost only when
    /// the machine has stopped.
    pub(crate) fn break_off(&mut self, lease: u64) {
        self.links.get_mut(&lease).into_iter().for_each(|link| link.is_mute = true);
    }

    /// Gives up a machine with all its calls.
    fn lose(&mut self, lease: u64) {
        let Some(link) = self.links.remove(&lease) else { return };
        for (number, parcel) in link.calls {
            if parcel.is_some() {
                self.places.remove(&number);
                self.deeds.push(Deed::Finish { number, end: End::Lost });
            }
        }
        let message = ToMachine::Close { lease };
        self.deeds.push(Deed::Send { machine: link.machine, message });
    }

    /// Call it several times a second.
    pub(crate) fn tick(&mut self, now: Moment) {
        if now.saturating_sub(self.ticked) > LATE && self.connected.is_ok() {
            // This program was stopped: first process what has arrived meanwhile.
            self.connected(now);
        }
        self.ticked = now;
        let lease = self.terms.lease;
        self.openings.retain(|_, (since, _)| now.saturating_sub(*since) < lease);
        let is_lost = |link: &Link<T>| match self.connected {
            Ok(since) => {
                now.saturating_sub(since) >= GRACE
                    && now.saturating_sub(link.heard) >= link.patience()
            }
            Err(since) => now.saturating_sub(since) >= self.terms.keep.max(link.patience()),
        };
        let lost = self.links.values().filter(|link| is_lost(link) || link.is_over(now));
        let lost: Vec<_> = lost.map(|link| link.lease).collect();
        lost.into_iter().for_each(|lease| self.lose(lease));
        self.give_up(now);
        for link in self.links.values_mut() {
            let queued = queued(&self.queues, link);
            link.tick(now, queued);
        }
    }

    /// Ends the calls that have waited long enough for a machine.
    fn give_up(&mut self, now: Moment) {
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

    /// What the driver has to do; packets have at most about this many bytes of frames.
    pub(crate) fn deeds(&mut self, now: Moment, most: usize) -> Vec<Deed<T, E>> {
        if self.connected.is_ok() {
            self.assign(now);
            self.seek(now);
            for link in self.links.values_mut() {
                let queued = queued(&self.queues, link);
                while let Some(message) = link.packet(now, self.id, queued, most) {
                    self.deeds.push(Deed::Send { machine: link.machine, message });
                }
            }
        }
        std::mem::take(&mut self.deeds)
    }

    /// Sends calls to the machines with most room. Calls with a label come first, since they have
    /// fewer choices.
    fn assign(&mut self, now: Moment) {
        let Self { queues, links, places, .. } = self;
        for (label, queue) in queues.iter_mut().rev() {
            while !queue.calls.is_empty() {
                let fits =
                    |link: &&mut Link<T>| link.room() > 0 && link.has(label) && link.is_usable(now);
                let Some(link) = links.values_mut().filter(fits).max_by_key(|link| link.room())
                else {
                    break;
                };
                let Some((number, call)) = queue.calls.pop_first() else { break };
                places.insert(number, link.lease);
                link.send(number, call.parcel, label);
            }
        }
    }

    /// Looks for machines while there are calls without one.
    fn seek(&mut self, now: Moment) {
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
            let (known, sent) = usable
                .fold((0, 0), |(known, sent), link| (known + 1, sent + link.calls.len() as u64));
            let want = queue.calls.len() as u64;
            if known >= want + sent {
                // Each machine gives a place from time to time, so more are of no use.
                continue;
            }
            if queue.sought.replace(now).is_some() {
                let most = if known > 0 { SEEK_MORE } else { SEEK_NONE };
                queue.pause = (queue.pause * 2).min(most);
            }
            for _ in 0..want.min(MAX_SEEK) {
                let known = self.links.values().map(|link| link.machine).collect();
                let open = self.opening(now, label, want, known);
                self.deeds.push(Deed::Seek { label, open });
            }
        }
    }
}

/// How many calls wait that could go to this machine.
fn queued<T: Clone + Weight>(queues: &BTreeMap<&'static str, Queue<T>>, link: &Link<T>) -> u64 {
    let fitting = queues.iter().filter(|(label, _)| link.has(label));
    fitting.map(|(_, queue)| queue.calls.len() as u64).sum()
}
