//! Calls that no machine has, by the label that they ask for.

use std::collections::BTreeMap;

use super::Moment;
use super::links::Link;
use super::messages::Weight;

/// The first interval at which a caller looks for more machines.
pub(super) const SEEK: u64 = 50;

pub(super) struct Queue<T> {
    pub(super) calls: BTreeMap<u64, Queued<T>>,
    pub(super) sought: Option<Moment>,
    pub(super) pause: u64,
    /// When a machine was last known to exist.
    pub(super) there: Option<Moment>,
    /// When the broker reported that there is none.
    pub(super) absent: Option<Moment>,
}

pub(super) struct Queued<T> {
    pub(super) parcel: T,
    pub(super) since: Moment,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self { calls: BTreeMap::new(), sought: None, pause: SEEK, there: None, absent: None }
    }
}

/// How many calls wait that could go to this machine.
pub(super) fn queued<T: Clone + Weight>(
    queues: &BTreeMap<&'static str, Queue<T>>,
    link: &Link<T>,
) -> u64 {
    let fitting = queues.iter().filter(|(label, _)| link.has(label));
    fitting.map(|(_, queue)| queue.calls.len() as u64).sum()
}
