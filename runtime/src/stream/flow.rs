//! Items between the one that yields them and the one that reads: a queue of bounded length.
//!
//! Both sides go through one lock, which the reader takes once for many items: it takes over up to
//! half of what may be on the way, and the other half may be filled meanwhile. Neither side looks
//! in a loop: who cannot go on leaves its waker under the lock, and the other side takes it there.
//! `flow/model.rs` checks that under loom.

use std::collections::VecDeque;
use std::task::{Poll, Waker};

use crate::relay;
use crate::sync::Mutex;

#[cfg(all(test, trine_loom))]
mod model;

/// Where items wait for their reader.
pub(crate) struct Flow<T> {
    state: Mutex<State<T>>,
    /// How many items may be on the way.
    ahead: usize,
    grant: Option<Grant<T>>,
}

/// For a writer in another process, which counts what is on the way by itself.
pub(crate) struct Grant<T> {
    /// Tells it how many items are on the way no more.
    pub(crate) tell: Box<dyn Fn(u64) + Send + Sync>,
    /// How many bytes of those that may be on the way an item takes.
    pub(crate) size: fn(&T) -> usize,
}

/// How many bytes there are on the way at most.
pub(crate) const MAX_BYTES: usize = 1 << 20;

struct State<T> {
    queue: VecDeque<T>,
    /// How many of those that the reader has taken over it has not given on, at the most.
    held: usize,
    /// How many items were put in ever, and how many of them the writer elsewhere knows to be on
    /// the way no more.
    pushed: u64,
    granted: u64,
    /// How long those are that the reader has taken over, and those before that the writer
    /// elsewhere was not told of.
    held_bytes: usize,
    done_bytes: usize,
    /// Nothing more is wanted.
    is_stopped: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl<T> State<T> {
    /// How many items a writer elsewhere is to be told of, if it is time: in part of what may be on
    /// the way, and always before the reader waits.
    fn grant(&mut self, ahead: usize) -> Option<u64> {
        let on_the_way = self.queue.len() + self.held;
        let done = self.pushed - on_the_way as u64;
        let is_much = self.done_bytes > MAX_BYTES / 4;
        let is_time = on_the_way == 0 || is_much || done - self.granted > ahead as u64 / 4;
        if done == self.granted || !is_time {
            return None;
        }
        (self.granted, self.done_bytes) = (done, 0);
        Some(done)
    }
}

impl<T> Flow<T> {
    pub(crate) fn new(ahead: usize) -> Self {
        Self::with(ahead, None)
    }

    /// One whose writer is elsewhere: who puts items in on its behalf does not wait.
    #[cfg(feature = "process")]
    pub(crate) fn granting(ahead: usize, grant: Grant<T>) -> Self {
        Self::with(ahead, Some(grant))
    }

    fn with(ahead: usize, grant: Option<Grant<T>>) -> Self {
        let state = State {
            queue: VecDeque::new(),
            held: 0,
            pushed: 0,
            granted: 0,
            held_bytes: 0,
            done_bytes: 0,
            is_stopped: false,
            reader: None,
            writer: None,
        };
        Self { state: Mutex::new(state), ahead, grant }
    }

    /// Puts an item in, if there is room; false if nothing more is wanted, and the item is left.
    /// Without room the writer is to wait, and is woken by `waker`.
    pub(crate) fn poll_push(&self, item: &mut Option<T>, waker: Option<&Waker>) -> Poll<bool> {
        let mut state = self.state.lock();
        if state.is_stopped {
            return Poll::Ready(false);
        }
        if state.queue.len() + state.held >= self.ahead {
            state.writer = waker.cloned();
            return Poll::Pending;
        }
        state.queue.extend(item.take());
        state.pushed += 1;
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            relay::wake(reader);
        }
        Poll::Ready(true)
    }

    /// Takes items over to the reader, who has given on all that it had; false if there are none,
    /// and then the reader is woken by `waker` when there are. The first of them is given on at
    /// once.
    pub(crate) fn refill(&self, held: &mut VecDeque<T>, waker: Option<&Waker>) -> bool {
        let most = (self.ahead / 2).max(1);
        let mut state = self.state.lock();
        if state.queue.len() <= most {
            // Both keep their room.
            std::mem::swap(&mut state.queue, held);
        } else {
            held.extend(state.queue.drain(..most));
        }
        state.held = held.len().saturating_sub(1);
        if held.is_empty() && !state.is_stopped {
            state.reader = waker.cloned();
        }
        let has_room = state.queue.len() + state.held < self.ahead;
        let writer = if has_room { state.writer.take() } else { None };
        let granted = self.grant.as_ref().and_then(|grant| {
            state.done_bytes += state.held_bytes;
            state.held_bytes = held.iter().map(grant.size).sum();
            Some((grant, state.grant(self.ahead)?))
        });
        drop(state);
        if let Some((grant, items)) = granted {
            (grant.tell)(items);
        }
        if let Some(writer) = writer {
            relay::wake(writer);
        }
        !held.is_empty()
    }

    /// Whether a reader would find something.
    pub(crate) fn has_items(&self) -> bool {
        !self.state.lock().queue.is_empty()
    }

    /// Whether a writer would not have to wait.
    pub(crate) fn has_room(&self) -> bool {
        let state = self.state.lock();
        state.is_stopped || state.queue.len() + state.held < self.ahead
    }

    /// Takes in no more: who yields is to end. What is there may still be read.
    pub(crate) fn stop(&self) {
        let mut state = self.state.lock();
        state.is_stopped = true;
        let wakers = (state.writer.take(), state.reader.take());
        drop(state);
        if let Some(writer) = wakers.0 {
            relay::wake(writer);
        }
        if let Some(reader) = wakers.1 {
            relay::wake(reader);
        }
    }

    /// What nobody has taken over, and nobody will.
    pub(crate) fn close(&self) -> VecDeque<T> {
        self.stop();
        std::mem::take(&mut self.state.lock().queue)
    }
}
