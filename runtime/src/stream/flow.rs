//! Items between the one that yields them and the one that reads: a queue of bounded length.
//!
//! All go through one lock, which the reader takes once for many items: it takes over up to half of
//! what may be on the way, and the other half may be filled meanwhile. Nobody looks in a loop: who
//! cannot go on leaves its waker under the lock, and the other side takes it there. Writers wait in
//! a line. While there is room the first of them is on its way, and when it has put its item in, or
//! is given up, it sends the next. `flow/model.rs` checks that under loom.

use std::collections::VecDeque;
use std::mem;
use std::task::{Poll, Waker};

use crate::sync::{Mutex, MutexGuard};
use crate::{relay, wait};

mod level;
#[cfg(all(test, trine_loom))]
mod model;
mod push;

use self::level::Level;
pub(crate) use self::push::Push;

/// Where items wait for their reader.
pub(crate) struct Flow<T> {
    state: Mutex<State<T>>,
    level: Level,
    /// How many items may be on the way.
    ahead: usize,
    grant: Option<Grant<T>>,
}

/// For a writer in another process, which counts what is on the way by itself.
pub(crate) struct Grant<T> {
    /// Tells it how many items are no longer on the way.
    pub(crate) tell: Box<dyn Fn(u64) + Send + Sync>,
    /// How many items one of those is that are put in, and how many bytes of those that may be on
    /// the way.
    pub(crate) measure: fn(&T) -> (usize, usize),
}

/// How many bytes there are on the way at most, and how many files.
pub(crate) const MAX_BYTES: usize = 1 << 20;
pub(crate) const MAX_FILES: usize = 256;

struct State<T> {
    queue: VecDeque<T>,
    /// How many items there are in it.
    queued: usize,
    /// How many of those that the reader has taken over it has not given on, at the most.
    held: usize,
    /// How many items were put in ever, and how many of them the writer elsewhere knows to be no
    /// longer on the way.
    pushed: u64,
    granted: u64,
    /// How long those are that the reader has taken over, and those before that the writer
    /// elsewhere was not told of.
    held_bytes: usize,
    done_bytes: usize,
    /// Nothing more is wanted.
    is_stopped: bool,
    reader: Option<Waker>,
    /// The writers that wait, each with its number, in order.
    line: VecDeque<(u64, Waker)>,
    /// The last number that was given.
    last_number: u64,
}

/// How a writer waits that finds no room.
pub(crate) struct Wait<'a> {
    /// Its number in line, if it has waited before.
    number: &'a mut Option<u64>,
    waker: &'a Waker,
}

impl<T> State<T> {
    fn on_the_way(&self) -> usize {
        self.queued + self.held
    }

    /// Whether there is no room for so many items more.
    fn is_full(&self, ahead: usize, items: usize) -> bool {
        !self.is_stopped && self.on_the_way() + items > ahead
    }

    /// Where the writer with this number is in line, or would be.
    fn place_of(&self, number: u64) -> usize {
        self.line.partition_point(|(other, _)| *other < number)
    }

    /// Whether a writer is in line and will be woken by this waker.
    fn is_in_line(&self, wait: &Wait<'_>) -> bool {
        let waiting = wait.number.and_then(|number| {
            let (same, waker) = self.line.get(self.place_of(number))?;
            (*same == number).then_some(waker)
        });
        waiting.is_some_and(|waker| waker.will_wake(wait.waker))
    }

    /// Puts a writer in line, or back to where it was. Returns the waker that it had there, to be
    /// dropped without the lock.
    fn wait(&mut self, number: &mut Option<u64>, waker: Waker) -> Option<Waker> {
        let number = *number.get_or_insert_with(|| {
            self.last_number += 1;
            self.last_number
        });
        let at = self.place_of(number);
        match self.line.get_mut(at) {
            Some((same, earlier)) if *same == number => Some(mem::replace(earlier, waker)),
            _ => {
                self.line.insert(at, (number, waker));
                None
            }
        }
    }

    /// Takes a writer out of the line, if it is still there; its waker is to be dropped without the
    /// lock.
    fn leave(&mut self, number: u64) -> Option<Waker> {
        let at = self.place_of(number);
        let is_there = self.line.get(at).is_some_and(|(same, _)| *same == number);
        if is_there { self.line.remove(at).map(|(_, waker)| waker) } else { None }
    }

    /// The writer that may come now.
    fn next_writer(&mut self, ahead: usize) -> Option<Waker> {
        let has_room = self.on_the_way() < ahead;
        if has_room { self.line.pop_front().map(|(_, waker)| waker) } else { None }
    }

    /// How many items a writer elsewhere is to be told of, if it is time: in part of what may be on
    /// the way, and always before the reader waits.
    fn grant(&mut self, ahead: usize) -> Option<u64> {
        let on_the_way = self.on_the_way();
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
            queued: 0,
            held: 0,
            pushed: 0,
            granted: 0,
            held_bytes: 0,
            done_bytes: 0,
            is_stopped: false,
            reader: None,
            line: VecDeque::new(),
            last_number: 0,
        };
        Self { state: Mutex::new(state), level: Level::default(), ahead, grant }
    }

    /// Puts an item in, if there is room; false if nothing more is wanted, and the item is left.
    /// Without room the writer is to wait.
    pub(crate) fn poll_push(&self, item: &mut Option<T>, wait: Option<Wait<'_>>) -> Poll<bool> {
        let items = self.count(item.as_ref());
        let mut state = self.lock();
        let Some(wait) = wait else {
            let is_full = state.is_full(self.ahead, items);
            return if is_full { Poll::Pending } else { Poll::Ready(self.put(state, item, items)) };
        };
        if state.is_full(self.ahead, items) {
            if state.is_in_line(&wait) {
                return Poll::Pending;
            }
            // Copied and dropped without the lock, since a waker is foreign code.
            drop(state);
            let waker = wait.waker.clone();
            state = self.lock();
            if state.is_full(self.ahead, items) {
                let earlier = state.wait(wait.number, waker);
                drop(state);
                drop(earlier);
                return Poll::Pending;
            }
        }
        let earlier = wait.number.take().and_then(|number| state.leave(number));
        let is_wanted = self.put(state, item, items);
        drop(earlier);
        Poll::Ready(is_wanted)
    }

    /// The same, whether there is room or not.
    pub(crate) fn push_beyond(&self, item: &mut Option<T>) -> bool {
        let items = self.count(item.as_ref());
        self.put(self.lock(), item, items)
    }

    /// How many items that is.
    fn count(&self, item: Option<&T>) -> usize {
        item.map_or(0, |item| self.measure(item).0)
    }

    fn put(&self, mut state: MutexGuard<'_, State<T>>, item: &mut Option<T>, items: usize) -> bool {
        if state.is_stopped {
            return false;
        }
        if let Some(item) = item.take() {
            state.queue.push_back(item);
            state.queued += items;
            state.pushed += items as u64;
        }
        let (reader, writer) = (state.reader.take(), state.next_writer(self.ahead));
        self.level.writer.is_here();
        self.leave(state);
        reader.into_iter().chain(writer).for_each(relay::wake);
        true
    }

    fn measure(&self, item: &T) -> (usize, usize) {
        self.grant.as_ref().map_or((1, 0), |grant| (grant.measure)(item))
    }

    /// Takes items over to the reader, who has given on all that it had; false if there are none,
    /// and then the reader is woken by `waker` when there are. The first of them is given on at
    /// once.
    pub(crate) fn refill(&self, held: &mut VecDeque<T>, waker: Option<&Waker>) -> bool {
        loop {
            let is_stopped = self.take_over(held);
            if !held.is_empty() {
                return true;
            }
            match waker {
                Some(waker) if !is_stopped && !self.wait_for_items(waker) => {}
                _ => return false,
            }
        }
    }

    /// Has the reader woken by this waker when there are items. False if there may be some now.
    fn wait_for_items(&self, waker: &Waker) -> bool {
        let will_wake = |reader: &Waker| reader.will_wake(waker);
        let is_quiet = |state: &State<T>| state.queue.is_empty() && !state.is_stopped;
        let state = self.lock();
        if is_quiet(&state) && state.reader.as_ref().is_some_and(will_wake) {
            return true;
        }
        // Copied and dropped without the lock, since a waker is foreign code.
        drop(state);
        let waker = waker.clone();
        let mut state = self.lock();
        let is_quiet = is_quiet(&state);
        let unused = if is_quiet { state.reader.replace(waker) } else { Some(waker) };
        drop(state);
        drop(unused);
        is_quiet
    }

    /// Takes over what there is, and says whether nothing more is wanted.
    fn take_over(&self, held: &mut VecDeque<T>) -> bool {
        let most = self.share();
        self.level.reader.is_here();
        let mut state = self.lock();
        let mut taken = state.queued;
        if state.queued <= most {
            // Both keep their room.
            std::mem::swap(&mut state.queue, held);
        } else {
            taken = 0;
            while taken < most
                && let Some(item) = state.queue.pop_front()
            {
                taken += self.measure(&item).0;
                held.push_back(item);
            }
        }
        state.queued -= taken;
        state.held = taken.saturating_sub(1);
        let is_stopped = state.is_stopped;
        if let Some(grant) = &self.grant {
            state.done_bytes += state.held_bytes;
            state.held_bytes = held.iter().map(|item| (grant.measure)(item).1).sum();
        }
        self.send_for_more(state);
        is_stopped
    }

    /// How many items the reader takes over at a time, if they do not come in longer runs.
    pub(crate) fn share(&self) -> usize {
        (self.ahead / 2).max(1)
    }

    /// Of those that the reader has taken over it has so many left to give on.
    pub(crate) fn has_left(&self, items: usize) {
        let mut state = self.lock();
        state.held = items;
        self.send_for_more(state);
    }

    /// Lets the writer go on if there is room.
    fn send_for_more(&self, mut state: MutexGuard<'_, State<T>>) {
        let writer = state.next_writer(self.ahead);
        let granted = self.grant.as_ref().and_then(|grant| Some((grant, state.grant(self.ahead)?)));
        self.leave(state);
        if let Some((grant, items)) = granted {
            (grant.tell)(items);
        }
        if let Some(writer) = writer {
            relay::wake(writer);
        }
    }

    /// The sum of this over what nobody has taken over.
    pub(crate) fn sum(&self, of: impl Fn(&T) -> usize) -> usize {
        self.lock().queue.iter().map(of).sum()
    }

    /// Whether a reader would find something.
    pub(crate) fn has_items(&self) -> bool {
        !self.lock().queue.is_empty()
    }

    /// The same, for whoever looks again and again; it may just have changed.
    pub(crate) fn seems_to_have_items(&self) -> bool {
        self.level.queued() > 0
    }

    /// When items come one after the other, lets more of them come: whoever takes each on its own
    /// keeps their writer from the next.
    pub(crate) fn await_more(&self) {
        wait::linger(|| self.may_be_written(), || self.level.queued(), self.share());
    }

    /// Whether its writer may run while this thread, which reads, spins.
    pub(crate) fn may_be_written(&self) -> bool {
        self.level.writer.may_run()
    }

    /// Each side holds it for a few instructions, so a thread that finds it held does not go to
    /// sleep, from which the other would have to wake it.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        if cfg!(trine_loom) {
            return self.state.lock();
        }
        wait::attempt(|| self.state.try_lock()).unwrap_or_else(|| self.state.lock())
    }

    /// Frees the lock after a change.
    fn leave(&self, state: MutexGuard<'_, State<T>>) {
        self.level.show(state.queued, state.is_stopped || state.on_the_way() < self.ahead);
    }

    /// Takes in no more: who yields is to end. What is there may still be read.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.is_stopped = true;
        let (writers, reader) = (std::mem::take(&mut state.line), state.reader.take());
        self.leave(state);
        writers.into_iter().map(|(_, waker)| waker).chain(reader).for_each(relay::wake);
    }

    /// The writer with this number waits no longer: if it was sent for, the next one may come.
    fn give_up(&self, number: u64) {
        let mut state = self.lock();
        let earlier = state.leave(number);
        let writer = state.next_writer(self.ahead);
        drop(state);
        drop(earlier);
        if let Some(writer) = writer {
            relay::wake(writer);
        }
    }

    /// What nobody has taken over, and nobody will.
    pub(crate) fn close(&self) -> VecDeque<T> {
        self.stop();
        let mut state = self.lock();
        state.queued = 0;
        let left = std::mem::take(&mut state.queue);
        self.leave(state);
        left
    }
}
