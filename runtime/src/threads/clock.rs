//! What the kernel knows about the calling thread: its id, and its CPU time.

use std::time::{Duration, Instant};

/// The kernel's id of this thread; 0 where there is none.
#[cfg(target_os = "linux")]
pub(super) fn thread_id() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned()
}

/// The kernel's id of this thread; 0 where there is none.
#[cfg(not(target_os = "linux"))]
pub(super) fn thread_id() -> u32 {
    0
}

/// Measures the time that passes, and how much of it this thread computes.
pub(super) struct Span {
    started: Instant,
    computed: Option<Duration>,
}

/// Shorter calls are not worth another thread, whether they compute or wait.
const WORTH_A_THREAD: Duration = Duration::from_micros(200);

impl Span {
    pub(super) fn start() -> Self {
        Self { started: Instant::now(), computed: thread_time() }
    }

    /// Whether the thread has waited for most of the time since the start.
    pub(super) fn mostly_waited(&self) -> bool {
        let passed = self.started.elapsed();
        let computed = match (self.computed, thread_time()) {
            (Some(before), Some(now)) => now.saturating_sub(before),
            _ => Duration::ZERO,
        };
        passed >= WORTH_A_THREAD && computed * 4 < passed
    }
}

#[cfg(all(unix, not(target_os = "netbsd")))]
fn thread_time() -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}

// rustix does not ask NetBSD.
#[cfg(any(not(unix), target_os = "netbsd"))]
fn thread_time() -> Option<Duration> {
    None
}
