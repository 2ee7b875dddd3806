//! `buffered` and `buffer_unordered`: iterators that keep a window of tasks in flight.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::TaskIterator;
use super::set::{Elapsed, TaskSet};
use super::stream::TaskStream;
use crate::error::Error;
use crate::relay::Asked;
use crate::task::{self, Task};

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

    /// The next result, if it is there within that time; `None` after the last.
    ///
    /// Never runs a task on this thread, which has to be free to leave.
    ///
    /// # Errors
    /// [`Elapsed`] if it is not. Nothing is lost: the tasks go on, and the next call waits on.
    ///
    /// # Panics
    /// As [`Task::join`].
    pub fn next_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<Result<I::Value, Error>>, Elapsed> {
        self.fill();
        let Some(first) = self.window.front() else { return Ok(None) };
        let result =
            task::wait_for(first.call(), Instant::now().checked_add(timeout), Asked::by_thread());
        let result = result.ok_or(Elapsed)?;
        self.window.pop_front();
        Ok(Some(result))
    }

    /// The same results as a futures `Stream`, to be awaited in any executor.
    ///
    /// ```
    /// use futures_util::StreamExt;
    /// use trine::{TaskIterator, concurrent};
    ///
    /// #[concurrent(threads)]
    /// fn square(number: u64) -> u64 {
    ///     number * number
    /// }
    /// # trine::block_on(async {
    /// let mut squares = (1..).map(square).buffered(4).into_stream();
    /// assert_eq!(squares.next().await.unwrap()?, 1);
    /// assert_eq!(squares.next().await.unwrap()?, 4);
    /// # Ok::<(), trine::Error>(()) })?;
    /// # Ok::<(), trine::Error>(())
    /// ```
    pub fn into_stream(self) -> TaskStream<Self> {
        TaskStream(self)
    }

    pub(super) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<I::Value, Error>>> {
        self.fill();
        let Some(first) = self.window.front_mut() else { return Poll::Ready(None) };
        let result = Pin::new(first).poll(context);
        if result.is_ready() {
            self.window.pop_front();
        }
        result.map(Some)
    }

    fn fill(&mut self) {
        while self.window.len() < self.limit
            && let Some(task) = self.source.next()
        {
            self.window.push_back(task);
        }
    }
}

impl<I: TaskIterator> Iterator for Buffered<I> {
    type Item = Result<I::Value, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.fill();
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
    window: TaskSet<I::Value>,
}

impl<I: TaskIterator> BufferUnordered<I> {
    pub(super) fn new(source: I, limit: usize) -> Self {
        assert!(limit > 0, "`buffer_unordered(0)` could never start a task: give it at least 1");
        Self { source: source.fuse(), limit, window: TaskSet::new() }
    }

    /// The next result, if one is there within that time; `None` after the last.
    ///
    /// Never runs a task on this thread, which has to be free to leave.
    ///
    /// # Errors
    /// [`Elapsed`] if none is. Nothing is lost: the tasks go on, and the next call waits on.
    ///
    /// # Panics
    /// As [`TaskSet::join_next`].
    pub fn next_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<Result<I::Value, Error>>, Elapsed> {
        self.fill();
        self.window.next_timeout(timeout)
    }

    /// The same results as a futures `Stream`, to be awaited in any executor.
    ///
    /// ```
    /// use futures_util::TryStreamExt;
    /// use trine::{TaskIterator, concurrent};
    ///
    /// #[concurrent(threads)]
    /// fn square(number: u64) -> u64 {
    ///     number * number
    /// }
    /// # trine::block_on(async {
    /// let squares = (1..4).map(square).buffer_unordered(2).into_stream();
    /// let mut squares: Vec<_> = squares.try_collect().await?;
    /// squares.sort();
    /// assert_eq!(squares, [1, 4, 9]);
    /// # Ok::<(), trine::Error>(()) })?;
    /// # Ok::<(), trine::Error>(())
    /// ```
    pub fn into_stream(self) -> TaskStream<Self> {
        TaskStream(self)
    }

    pub(super) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<I::Value, Error>>> {
        self.fill();
        self.window.poll_next(context)
    }

    fn fill(&mut self) {
        while self.window.len() < self.limit
            && let Some(task) = self.source.next()
        {
            self.window.add(task);
        }
    }
}

impl<I: TaskIterator> Iterator for BufferUnordered<I> {
    type Item = Result<I::Value, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.fill();
        self.window.join_next()
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
