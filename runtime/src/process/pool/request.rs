//! A call on its way, in the one shape that it has from its claim to its answer.

use std::sync::Arc;

use crate::cell::Claim;
use crate::limit::Place;
use crate::process::channel::SIZE_UNIT;
use crate::process::job::{Address, AnyCall, Job};
use crate::timer::Alarm;

/// How often a call is sent again that no worker lived to run.
const DEATHS_MAX: u32 = 5;

/// A call that was claimed: it waits to be sent, or lies with a worker.
pub(crate) struct Request {
    pub(crate) call: Arc<dyn AnyCall>,
    pub(crate) job: Job,
    /// Held until the call has ended.
    _place: Place,
    alarm: Option<Alarm>,
    /// How many workers died when it was its turn.
    deaths: u32,
}

impl Request {
    /// Wins a call's job; `None` if it was cancelled.
    pub(crate) fn claim(call: Arc<dyn AnyCall>) -> Option<Self> {
        let Claim { job, place } = call.claim()?;
        Some(Self { call, job, _place: place, alarm: None, deaths: 0 })
    }

    /// Whether it has a time limit, and no clock that runs yet.
    pub(crate) fn wants_clock(&self) -> bool {
        self.has_time_limit() && self.alarm.is_none()
    }

    pub(crate) fn has_time_limit(&self) -> bool {
        self.call.function().options().timeout.is_some()
    }

    /// How large its worker may be afterwards, as the channel has it.
    pub(crate) fn size_limit(&self) -> u32 {
        let units = |bytes: u64| u32::try_from(bytes / SIZE_UNIT).unwrap_or(u32::MAX).max(1);
        self.call.function().options().renew_beyond.map_or(0, units)
    }

    /// Keeps the alarm until the call has been answered. Gives it back if the call has one.
    pub(crate) fn set_alarm(&mut self, alarm: Option<Alarm>) -> Option<Alarm> {
        std::mem::replace(&mut self.alarm, alarm)
    }

    /// Notes that it is with no worker any more.
    pub(crate) fn come_back(&self) {
        self.call.address().store(Address::NOWHERE);
    }

    /// Notes that it was next in line where a worker died, or was not run by one that took it;
    /// false if that has happened too often. Those behind it are in no suspicion.
    pub(crate) fn suspect(&mut self) -> bool {
        self.deaths += 1;
        self.deaths <= DEATHS_MAX
    }
}
