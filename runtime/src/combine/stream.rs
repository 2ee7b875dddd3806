//! [`TaskStream`]: results as a futures `Stream`.
//!
//! A separate type, since streams and iterators have methods of the same names.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::TaskIterator;
use super::buffered::{BufferUnordered, Buffered};
use super::set::TaskSet;
use crate::error::Error;

/// Results of [`Buffered`](crate::Buffered) or [`BufferUnordered`](crate::BufferUnordered) as a
/// futures `Stream`; made by their `into_stream`.
///
/// Polling the stream calls the iterator of tasks. Dropping it cancels what is in flight.
#[derive(Debug)]
#[must_use = "streams are lazy: nothing starts before it is polled"]
pub struct TaskStream<W>(pub(super) W);

/// Nothing in it is ever pinned.
impl<W> Unpin for TaskStream<W> {}

impl<I: TaskIterator> Stream for TaskStream<Buffered<I>> {
    type Item = Result<I::Value, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next(context)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<I: TaskIterator> Stream for TaskStream<BufferUnordered<I>> {
    type Item = Result<I::Value, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next(context)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// Cancel safe, like [`TaskSet::next`]. Ends when the set is empty, and continues if tasks are
/// added.
impl<T: Send + 'static> Stream for TaskSet<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        TaskSet::poll_next(&mut self, context)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}
