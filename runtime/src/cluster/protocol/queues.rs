//! Calls that no machine has, by the label that they ask for.

use std::collections::BTreeMap;

use super::Moment;

/// The first interval at which a caller looks for more machines.
pub(super) const SEEK: u64 = 50;
/// How long a machine may take to answer, or to have room.
pub(super) const ASK: u64 = 500;

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
    /// It makes a value, and keeps it where it has gone.
    pub(super) keeps: Option<Choice>,
}

/// What a call that keeps a value may choose from.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Choice {
    /// There may be machines that its caller does not know, and that keep nothing of it.
    Open,
    /// Somebody has been asked for them.
    Known,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self { calls: BTreeMap::new(), sought: None, pause: SEEK, there: None, absent: None }
    }

    /// Those that were asked for more machines are known already.
    pub(super) fn is_known(&mut self) {
        let keeping = self.calls.values_mut().filter_map(|call| call.keeps.as_mut());
        keeping.for_each(|choice| *choice = Choice::Known);
    }

    /// Whether a call waits for machines that its caller may not know.
    pub(super) fn is_open(&self) -> bool {
        self.calls.values().any(|call| call.keeps == Some(Choice::Open))
    }
}

impl<T> Queued<T> {
    /// Whether to wait for a machine that keeps less than the best one with room, which keeps so
    /// many: one that is known to, or one that may be found. What makes a value takes long, and the
    /// value stays where it is, so a short wait is worth its while.
    pub(super) fn waits(&self, now: Moment, kept: u64, least: u64) -> bool {
        let hopes = self.keeps == Some(Choice::Open) && kept > 0;
        let knows = self.keeps.is_some() && least < kept;
        (hopes || knows) && now.saturating_sub(self.since) < ASK
    }
}
