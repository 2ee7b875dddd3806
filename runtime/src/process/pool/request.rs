//! A call on its way: one type from its claim to its answer.

use std::sync::Arc;

use crate::cell::Claim;
use crate::limit::Limiter;
use crate::process::address::Address;
use crate::process::channel::{Corrupt, SIZE_UNIT};
use crate::process::job::{AnyCall, Job, codec_error};
use crate::process::pool::residence::{Part, Residence};
use crate::timer::Alarm;

/// How often a call is resent if its workers die before running it.
const MAX_DEATHS: u32 = 5;

/// A claimed call that waits to be sent or is with a worker.
pub(crate) struct Request {
    pub(crate) call: Arc<dyn AnyCall>,
    pub(crate) job: Job,
    /// Boxed, since few have one and all are moved.
    alarm: Option<Box<Alarm>>,
    /// How many workers died when this call was next.
    deaths: u32,
    /// The call has its place, which its end passes on.
    pub(super) has_place: bool,
}

impl Request {
    /// Claims a call's job; `None` if it was cancelled.
    pub(crate) fn claim(call: Arc<dyn AnyCall>) -> Option<Self> {
        let Claim { job, place, .. } = call.claim()?;
        // The call knows it as well, and all requests are moved.
        place.keep();
        Some(Self { call, job, alarm: None, deaths: 0, has_place: true })
    }

    /// Whether it has a time limit that has not started yet.
    pub(crate) fn wants_clock(&self) -> bool {
        self.has_time_limit() && self.alarm.is_none()
    }

    pub(crate) fn has_time_limit(&self) -> bool {
        self.call.function().options().timeout.is_some()
    }

    /// How large its worker may be afterwards, in the channel's unit. What a worker with state may
    /// be is said by the residence.
    pub(crate) fn size_limit(&self, residence: Option<&Residence>) -> u32 {
        let units = |bytes: u64| u32::try_from(bytes / SIZE_UNIT).unwrap_or(u32::MAX).max(1);
        let beyond = match residence {
            Some(residence) => residence.renew_beyond(),
            None => self.call.function().options().renew_beyond,
        };
        beyond.map_or(0, units)
    }

    /// Keeps the alarm until the call has been answered. Returns it if the call already has one.
    pub(crate) fn set_alarm(&mut self, alarm: Option<Alarm>) -> Option<Alarm> {
        std::mem::replace(&mut self.alarm, alarm.map(Box::new)).map(|alarm| *alarm)
    }

    /// Records that it is no longer with a worker.
    pub(crate) fn come_back(&self) {
        self.call.address().store(Address::NOWHERE);
    }

    /// Records that it was next when a worker died, or that a worker took but did not run it;
    /// returns false if it must not run again: that has happened too often, or it has yielded
    /// already, whatever its worker says. Calls behind it are not suspected.
    pub(crate) fn suspect(&mut self) -> bool {
        self.deaths += 1;
        self.deaths <= MAX_DEATHS && !self.has_yielded()
    }

    /// Whether it was skipped with reason: a call before it has left its value half changed.
    pub(super) fn is_shut_out(&self) -> bool {
        self.call.stay().is_some_and(|(stay, part)| part == Part::Uses && stay.is_shut())
    }

    /// Ends its call, which has run with a result that is unknown for this reason.
    pub(crate) fn is_lost(&self, corrupt: Corrupt) -> Corrupt {
        let why = format!("its worker is corrupt: {}", corrupt.0);
        self.call.fail(codec_error(self.call.function().name(), &why));
        corrupt
    }

    /// Where it has a place beside its turn.
    pub(super) fn limiter(&self) -> Option<&'static Limiter> {
        self.call.limited().map(|limited| limited.limiter)
    }

    /// Whether it has begun for certain.
    pub(crate) fn has_yielded(&self) -> bool {
        self.call.has_yielded()
    }
}

impl Drop for Request {
    /// The call has ended: its place is passed on.
    fn drop(&mut self) {
        if self.has_place {
            self.call.leave();
        }
    }
}
