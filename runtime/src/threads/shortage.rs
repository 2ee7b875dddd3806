//! The state of having work and a free permit but no thread: the system provides no more, or the
//! maximum has been reached.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::{Duration, Instant};
use std::{fmt, io};

use crate::sync::Lock;

pub(super) struct Shortage {
    has_worker: AtomicBool,
    goes_on: AtomicBool,
    last: Lock<Last>,
}

/// The last observation.
struct Last {
    cause: Cause,
    /// When it began, or when a thread was last started after all.
    since: Instant,
}

/// Why there is no thread.
pub(super) enum Cause {
    /// The pool has reached its maximum.
    MaxThreads,
    /// The system provides no more.
    System(io::Error),
}

impl Shortage {
    pub(super) fn new() -> Self {
        let last = Last { cause: Cause::MaxThreads, since: Instant::now() };
        Self {
            has_worker: AtomicBool::new(false),
            goes_on: AtomicBool::new(false),
            last: Lock::new(last),
        }
    }

    /// A thread was needed and is not available. Check the monitor afterwards.
    pub(super) fn begin(&self, cause: Cause) {
        let mut last = self.last.lock();
        last.cause = cause;
        if !self.goes_on.swap(true, Ordering::SeqCst) {
            last.since = Instant::now();
        }
    }

    /// A worker was started. From now on there will always be one: the last ones never end.
    pub(super) fn has_worker(&self) {
        self.last.lock().since = Instant::now();
        self.has_worker.store(true, Ordering::Release);
    }

    /// Nothing is queued. Check again afterwards.
    pub(super) fn end(&self) {
        self.goes_on.store(false, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// Whether there is no worker at all.
    pub(super) fn is_total(&self) -> bool {
        !self.has_worker.load(Ordering::Acquire)
    }

    /// Whether it continues, as far as is known.
    pub(super) fn goes_on(&self) -> bool {
        self.goes_on.load(Ordering::SeqCst)
    }

    /// For how long no thread was started.
    pub(super) fn duration(&self) -> Duration {
        self.last.lock().since.elapsed()
    }

    /// Whether the pool's own bound is the reason.
    pub(super) fn is_by_bound(&self) -> bool {
        matches!(self.last.lock().cause, Cause::MaxThreads)
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.last.lock().cause {
            Cause::System(why) => write!(f, "the system will not start another thread: {why}"),
            Cause::MaxThreads => f.write_str("the pool already has `max_threads` threads"),
        }
    }
}
