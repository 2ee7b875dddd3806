//! `limit = N`: at most N calls of a function run at once in this program, first come first run.
//!
//! A call over the limit is pending: it lies in no engine's queue and holds no thread. Whoever
//! ends a call hands its place to the longest waiting one.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::options::Options;
use crate::sync::{Guard, Lock};

/// A call that can wait for a place.
pub(crate) trait Admit: Send + Sync {
    /// Makes the call claimable and gives it to its engine; false if it was cancelled meanwhile,
    /// in which case the place goes to the next.
    fn admit(self: Arc<Self>) -> bool;
}

pub(crate) struct Limiter {
    line: Lock<Line>,
}

struct Line {
    running: usize,
    waiting: VecDeque<Arc<dyn Admit>>,
}

impl Limiter {
    pub(crate) const fn new() -> Self {
        Self { line: Lock::new(Line { running: 0, waiting: VecDeque::new() }) }
    }

    /// Admits the call now, or once there is a place for it.
    pub(crate) fn enter(&self, options: &Options, call: Arc<dyn Admit>) {
        let mut line = self.line();
        if options.limit.is_some_and(|limit| line.running >= limit) {
            line.waiting.push_back(call);
            return;
        }
        line.running += 1;
        drop(line);
        if !call.admit() {
            self.leave();
        }
    }

    /// Gives a place back: the next call in line gets it.
    pub(crate) fn leave(&self) {
        loop {
            let mut line = self.line();
            let Some(next) = line.waiting.pop_front() else {
                line.running -= 1;
                return;
            };
            // Unlocked, since the engine may run code that comes here again.
            drop(line);
            if next.admit() {
                return;
            }
        }
    }

    fn line(&self) -> Guard<'_, Line> {
        self.line.lock()
    }
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limiter").finish_non_exhaustive()
    }
}

/// A place under the limit, held from the claim of a call until its body has ended.
pub(crate) struct Place(pub(crate) Option<&'static Limiter>);

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(limiter) = self.0 {
            limiter.leave();
        }
    }
}
