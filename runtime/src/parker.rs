//! Where a thread sleeps. There is one token: `unpark` before `park` makes `park` return at once.
//!
//! `std::thread::park` would do the same, but its token belongs to the user's program: a wait that
//! consumed it could swallow a wake-up meant for the code that called us.

use std::sync::Arc;
use std::task::Wake;
use std::time::{Duration, Instant};

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

    /// Like [`park`](Self::park) with a timeout. Returns whether a token was taken.
    pub(crate) fn park_timeout(&self, at_most: Duration) -> bool {
        match Instant::now().checked_add(at_most) {
            Some(until) => self.park_until(until),
            None => {
                self.park();
                true
            }
        }
    }

    /// Like [`park`](Self::park) with a deadline. Returns whether a token was taken.
    #[cfg(not(trine_loom))]
    pub(crate) fn park_until(&self, until: Instant) -> bool {
        let mut token = self.token.lock();
        while !*token {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            token = self.arrived.wait_timeout(token, left);
        }
        *token = false;
        true
    }

    /// loom has no notion of time.
    #[cfg(trine_loom)]
    pub(crate) fn park_until(&self, _: Instant) -> bool {
        self.park();
        true
    }

    /// Leaves a token and wakes the sleeper.
    pub(crate) fn unpark(&self) {
        *self.token.lock() = true;
        self.arrived.notify_one();
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.unpark();
    }
}
