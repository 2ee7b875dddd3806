//! A thread's own place to sleep. One token: `unpark` before `park` makes `park` return at once.
//!
//! `std::thread::park` would do the same, but its token belongs to the user's program: a pool that
//! consumed it could swallow a wake-up meant for the code that called us.

use std::time::Duration;

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
        let mut token = self.token.lock().expect("a parker's lock is never poisoned");
        while !*token {
            token = self.arrived.wait(token).expect("a parker's lock is never poisoned");
        }
        *token = false;
    }

    /// As [`park`](Self::park), at most that long. Whether a token was taken.
    #[cfg(not(trine_loom))]
    pub(crate) fn park_timeout(&self, at_most: Duration) -> bool {
        let token = self.token.lock().expect("a parker's lock is never poisoned");
        let (mut token, _) = self
            .arrived
            .wait_timeout_while(token, at_most, |token| !*token)
            .expect("a parker's lock is never poisoned");
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
        *self.token.lock().expect("a parker's lock is never poisoned") = true;
        self.arrived.notify_one();
    }
}
