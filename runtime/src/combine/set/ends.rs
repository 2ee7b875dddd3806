//! Which tasks of a set have ended.
//!
//! A task that is watched tells of its end: it enters a queue, and wakes who waits. That costs it
//! and who reads the queue about as much as a brief task does. So a task is only watched before the
//! set waits, or once there are many others. Until then the set looks at it now and then: one that
//! the joiner runs itself, or that ends soon, is never watched.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use crate::cell::Waiter;
use crate::forks;
use crate::relay::{self, Observer};
use crate::sync::Lock;

/// How many tasks may be unwatched: the last of them is looked at after half as many others.
pub(super) const MAX_UNWATCHED: usize = 64;
/// How many tasks to look at each time. More than one, so that this keeps up with others that end
/// them while the joiner adds one and runs one.
const LOOKS: usize = 2;

/// Tasks are known by their slots.
#[derive(Default)]
pub(super) struct Ends {
    /// Tasks that are known to have ended.
    known: VecDeque<usize>,
    /// Tasks that tell nobody, and are not known to have ended; those that were looked at last are
    /// at the back.
    unwatched: VecDeque<usize>,
    /// How many tasks will enter the queue, or are in it.
    watched: usize,
    arrivals: Arc<Arrivals>,
}

/// Watched tasks that have ended, and who waits for one.
#[derive(Default)]
struct Arrivals(Lock<(VecDeque<usize>, Option<Waker>)>);

impl Observer for Arrivals {
    /// Something follows only if somebody waits for it.
    fn note(&self, slot: usize) -> bool {
        let mut arrivals = self.0.lock();
        arrivals.0.push_back(slot);
        arrivals.1.is_some()
    }

    fn finished(self: Arc<Self>, _: usize) {
        let waker = self.0.lock().1.take();
        if let Some(waker) = waker {
            relay::wake(waker);
        }
    }

    fn is_brief(&self) -> bool {
        true
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        if let Some(waker) = self.0.lock().1.take() {
            relay::discard(waker);
        }
    }
}

impl Ends {
    /// A task was added. `watch` has one tell a waiter; returns whether it will, since it has not
    /// ended.
    pub(super) fn add(&mut self, slot: usize, watch: impl Fn(usize, Waiter) -> bool) {
        if self.unwatched.len() == MAX_UNWATCHED {
            self.watch_next(watch);
        }
        self.unwatched.push_back(slot);
    }

    pub(super) fn watch_all(&mut self, watch: impl Fn(usize, Waiter) -> bool) {
        while self.watch_next(&watch) {}
    }

    fn watch_next(&mut self, watch: impl Fn(usize, Waiter) -> bool) -> bool {
        let Some(slot) = self.unwatched.pop_front() else { return false };
        let observer: Arc<dyn Observer> = self.arrivals.clone();
        if watch(slot, Waiter::Observer(observer, slot)) {
            self.watched += 1;
        } else {
            self.known.push_back(slot);
        }
        true
    }

    /// Whether no end is known.
    pub(super) fn has_none(&self) -> bool {
        self.known.is_empty()
    }

    /// Takes the first that is known.
    pub(super) fn pop(&mut self) -> Option<usize> {
        self.known.pop_front()
    }

    /// Looks for ends, if none is known.
    pub(super) fn look(&mut self, has_ended: impl Fn(usize) -> bool) {
        if self.has_none() && self.watched > 0 {
            self.exchange(|_| ());
        }
        if self.has_none() {
            for _ in 0..LOOKS.min(self.unwatched.len()) {
                let next = self.unwatched.pop_front();
                let next = next.map(|slot| (slot, has_ended(slot)));
                match next {
                    Some((slot, true)) => self.known.push_back(slot),
                    Some((slot, false)) => self.unwatched.push_back(slot),
                    None => {}
                }
            }
        }
    }

    /// This one has ended, if none is known; a watched one has told.
    pub(super) fn saw(&mut self, slot: usize) {
        let is_it = |unwatched: &usize| *unwatched == slot;
        match self.unwatched.iter().rposition(is_it) {
            Some(place) => {
                self.unwatched.remove(place);
                self.known.push_back(slot);
            }
            None => self.exchange(|_| ()),
        }
    }

    /// Takes the first that is known, or has the next one wake this. All are watched.
    pub(super) fn pop_or_register(&mut self, waker: &Waker) -> Option<usize> {
        if self.has_none() {
            // Copied and dropped without the lock, since a waker is foreign code.
            let waker = waker.clone();
            drop(self.exchange(|waiting| waiting.replace(waker)));
        }
        self.pop()
    }

    /// These have ended, as far as anybody here can tell.
    pub(super) fn assume(&mut self, slots: impl Iterator<Item = usize>) {
        if self.has_none() {
            self.known.extend(slots);
            self.unwatched.clear();
        }
    }

    /// Takes all from the queue, if none is known.
    fn exchange<R>(&mut self, and: impl FnOnce(&mut Option<Waker>) -> R) -> R {
        let mut arrivals = self.arrivals.0.lock();
        std::mem::swap(&mut arrivals.0, &mut self.known);
        let result = and(&mut arrivals.1);
        drop(arrivals);
        self.watched -= self.known.len();
        result
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        // Dropped without being told, since nobody looks any more. A waker may own what waits for
        // this.
        if !forks::is_child() {
            let waker = self.arrivals.0.lock().1.take();
            drop(waker);
        }
    }
}
