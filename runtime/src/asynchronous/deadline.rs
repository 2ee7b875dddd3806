//! The deadline of a body, on its runtime's clock if that is paused.

use std::time::Duration;

use crate::timer::Alarm;
use crate::tokio;

/// Rings in time, unless this is dropped before.
pub(super) struct Deadline {
    _alarm: Option<Alarm>,
    _paused: Option<tokio::PausedAlarm>,
}

impl Deadline {
    pub(super) fn after(allowed: Duration, ring: impl FnOnce() + Send + 'static) -> Self {
        match tokio::paused_alarm(allowed, ring) {
            Ok(alarm) => Self { _alarm: None, _paused: Some(alarm) },
            Err(ring) => Self { _alarm: Some(Alarm::after(allowed, ring)), _paused: None },
        }
    }
}
