//! The clock for leases, which advances while the system sleeps.

use super::protocol::Moment;

#[cfg(target_os = "linux")]
pub(crate) fn now() -> Moment {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    now.tv_sec.cast_unsigned() * 1000 + now.tv_nsec.cast_unsigned() / 1_000_000
}

/// Without such a clock, one that may stop meanwhile.
#[cfg(not(target_os = "linux"))]
pub(crate) fn now() -> Moment {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_millis() as Moment
}
