//! `buffered` and `buffer_unordered`: iterators that keep a window of tasks in flight.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::task::{Poll, Waker};

use super::{Part, TaskIterator};
use crate::cell::Waiter;
use crate::error::Error;
use crate::relay::{Asked, Observer};
use crate::sync::{Guard, Lock};
use crate::task::Task;
use crate::wait;

/// Results in input order, with a window of tasks in flight; see [`TaskIterator::buffered`].
#[must_use = "iterators are lazy: nothing starts before `next`"]
pub struct Buffered<I: TaskIterator> {
    source: std::iter::Fuse<I>,
    limit: usize,
    window: VecDeque<Task<I::Value>>,
}

impl<I: TaskIterator> Buffered<I> {
    pub(super) fn new(source: I, limit: usize) -> Self {
        assert!(limit > 0, "`buffered(0)` could never start a task: give it at least 1");
        Self { source: source.fuse(), limit, window: VecDeque::new() }
    }
}

impl<I: TaskIterator> Iterator for Buffered<I> {
    type Item = Result<I::Value, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.window.len() < self.limit
            && let Some(task) = self.source.next()
        {
            self.window.push_back(task);
        }
        self.window.pop_front().map(Task::join)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        size_hint(&self.source, self.window.len())
    }
}

/// Results as they complete, with a window of tasks in flight; see
/// [`TaskIterator::buffer_unordered`].
#[must_use = "iterators are lazy: nothing starts before `next`"]
pub struct BufferUnordered<I: TaskIterator> {
    source: std::iter::Fuse<I>,
    limit: usize,
    next_index: usize,
    window: HashMap<usize, Task<I::Value>>,
    completed: Arc<Completed>,
}

/// Which tasks have finished and were not given out yet.
#[derive(Default)]
struct Completed(Lock<(VecDeque<usize>, Option<Waker>)>);

impl Completed {
    fn lock(&self) -> Guard<'_, (VecDeque<usize>, Option<Waker>)> {
        self.0.lock()
    }
}

impl Observer for Completed {
    fn finished(self: Arc<Self>, index: usize) {
        let waker = {
            let mut completed = self.lock();
            completed.0.push_back(index);
            completed.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<I: TaskIterator> BufferUnordered<I> {
    pub(super) fn new(source: I, limit: usize) -> Self {
        assert!(limit > 0, "`buffer_unordered(0)` could never start a task: give it at least 1");
        Self {
            source: source.fuse(),
            limit,
            next_index: 0,
            window: HashMap::new(),
            completed: Arc::default(),
        }
    }

    fn fill(&mut self) {
        while self.window.len() < self.limit
            && let Some(task) = self.source.next()
        {
            let index = self.next_index;
            self.next_index += 1;
            let observer: Arc<dyn Observer> = self.completed.clone();
            let task = self.window.entry(index).insert_entry(task).into_mut();
            task.watch(Waiter::Observer(observer, index));
        }
    }
}

impl<I: TaskIterator> Iterator for BufferUnordered<I> {
    type Item = Result<I::Value, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.fill();
        if self.window.is_empty() {
            return None;
        }
        let stuck = self.window.values().find(|task| task.ask(&mut Asked::new()));
        assert!(
            stuck.is_none() || !self.completed.lock().0.is_empty(),
            "`buffer_unordered` would wait forever: task `{}` runs on the current-thread tokio \
             runtime of this very thread. Use a multi-thread runtime.",
            stuck.map_or("", |task| Part::name(task))
        );
        let index = wait::until(None, |waker| {
            let mut completed = self.completed.lock();
            match completed.0.pop_front() {
                Some(index) => Poll::Ready(index),
                None => {
                    completed.1 = Some(waker.clone());
                    Poll::Pending
                }
            }
        })?;
        self.window.remove(&index).map(Task::join)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        size_hint(&self.source, self.window.len())
    }
}

fn size_hint<I: Iterator>(source: &I, in_flight: usize) -> (usize, Option<usize>) {
    let (least, most) = source.size_hint();
    (least.saturating_add(in_flight), most.and_then(|most| most.checked_add(in_flight)))
}

impl<I: TaskIterator> fmt::Debug for Buffered<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffered").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl<I: TaskIterator> fmt::Debug for BufferUnordered<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferUnordered").field("limit", &self.limit).finish_non_exhaustive()
    }
}
