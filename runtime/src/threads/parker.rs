//! A thread's own place to sleep. One token: `unpark` before `park` makes `park` return at once.
//!
//! `std::thread::park` would do the same, but its token belongs to the user's program: a pool that
//! consumed it could swallow a wake-up meant for the code that called us.

use std::time::Duration;
#[cfg(not(trine_loom))]
use std::time::Instant;

use crate::sync::{Condvar, Mutex};

/// Where one thread sleeps.
#[derive(Debug)]
pub(crate) struct Parker {
    token: Mutex<bool>,
    arrived: Condvar,
}

impl Parker {
    pub(crate) fn new() -> Self {
        Parker { token: Mutex::new(false), arrived: Condvar::new() }
    }

    /// Sleeps until there is a token, and takes it. Never returns without one.
    pub(crate) fn park(&self) {
        let mut token = self.token.lock();
        while !*token {
            token = self.arrived.wait(token);
        }
        *token = false;
    }

    /// As [`park`](Self::park), at most that long. Whether a token was taken.
    #[cfg(not(trine_loom))]
    pub(crate) fn park_timeout(&self, at_most: Duration) -> bool {
        let mut token = self.token.lock();
        let until = Instant::now() + at_most;
        while !*token {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            token = self.arrived.wait_timeout(token, left);
        }
        std::mem::take(&mut *token)
    }

    /// loom has no time that passes.
    #[cfg(trine_loom)]
    pub(crate) fn park_timeout(&self, _: Duration) -> bool {
        self.park();
        true
    }

    /// Leaves a token and wakes the sleeper.
    pub(crate) fn unpark(&self) {
        *self.token.lock() = true;
        self.arrived.notify_one();
    }
}
