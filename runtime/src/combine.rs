//! Tasks made of tasks: `gather`, `race`, `map`, `outcome`, `then`, `buffered`, sets and streams.
//!
//! Each combinator is a [`Call`](crate::task::Call) like an engine's, with its own cell, so its
//! handle is an ordinary `Task`. Its parts notify it through the same waiter slot that a joining
//! thread uses: nothing polls, and no thread is held.

mod buffered;
mod chain;
mod gather;
mod race;
mod set;
mod stall;
mod stream;
#[cfg(all(test, not(trine_loom)))]
mod tests;

pub use buffered::{BufferUnordered, Buffered};
pub use gather::{Gather, gather};
pub use race::race;
pub use set::{Elapsed, TaskSet};
pub use stream::TaskStream;

use std::sync::Arc;

use crate::cell::Waiter;
use crate::error::Error;
use crate::relay::Asked;
use crate::task::Task;

/// Combinators on iterators of tasks.
///
/// An iterator like `paths.map(word_count)` is lazy: calling `next` starts a task. So `buffered(n)`
/// keeps at most `n` of them in flight and works on infinite input, while [`gather`](Self::gather)
/// starts them all.
pub trait TaskIterator: Iterator<Item = Task<Self::Value>> + Sized {
    /// What the tasks return.
    type Value: Send + 'static;

    /// Starts all tasks and returns one for all their values, in input order. See [`gather()`].
    ///
    /// ```
    /// use trine::{TaskIterator, concurrent};
    ///
    /// #[concurrent(threads)]
    /// fn square(number: u64) -> u64 {
    ///     number * number
    /// }
    /// assert_eq!((1..4).map(square).gather().join()?, [1, 4, 9]);
    /// # Ok::<(), trine::Error>(())
    /// ```
    fn gather(self) -> Task<Vec<Self::Value>> {
        gather(self)
    }

    /// Keeps at most `limit` tasks in flight; yields their results in input order.
    ///
    /// Dropping it cancels what is in flight. To await it, turn it into a
    /// [stream](Buffered::into_stream); to wait with a timeout, use
    /// [`next_timeout`](Buffered::next_timeout).
    ///
    /// # Panics
    /// If `limit` is zero: nothing could ever start.
    ///
    /// ```
    /// use trine::{TaskIterator, concurrent};
    ///
    /// #[concurrent(threads)]
    /// fn square(number: u64) -> u64 {
    ///     number * number
    /// }
    /// let mut squares = (1..).map(square).buffered(4); // endless
    /// assert_eq!(squares.next().unwrap()?, 1);
    /// assert_eq!(squares.next().unwrap()?, 4);
    /// # Ok::<(), trine::Error>(())
    /// ```
    fn buffered(self, limit: usize) -> Buffered<Self> {
        Buffered::new(self, limit)
    }

    /// Keeps at most `limit` tasks in flight; yields their results as they complete.
    ///
    /// To know which input a result belongs to, even a failure, put a key beside it:
    /// `inputs.map(|x| call(x).outcome().map(move |outcome| (x, outcome)))`.
    ///
    /// Dropping it cancels what is in flight. To await it, turn it into a
    /// [stream](BufferUnordered::into_stream); to wait with a timeout, use
    /// [`next_timeout`](BufferUnordered::next_timeout).
    ///
    /// # Panics
    /// If `limit` is zero: nothing could ever start.
    ///
    /// ```
    /// use trine::{TaskIterator, concurrent};
    ///
    /// #[concurrent(threads)]
    /// fn square(number: u64) -> u64 {
    ///     number * number
    /// }
    /// let mut squares: Vec<u64> =
    ///     (1..=3).map(square).buffer_unordered(2).collect::<Result<_, _>>()?;
    /// squares.sort();
    /// assert_eq!(squares, [1, 4, 9]);
    /// # Ok::<(), trine::Error>(())
    /// ```
    fn buffer_unordered(self, limit: usize) -> BufferUnordered<Self> {
        BufferUnordered::new(self, limit)
    }
}

impl<I, T> TaskIterator for I
where
    I: Iterator<Item = Task<T>>,
    T: Send + 'static,
{
    type Value = T;
}

/// A part of a combined task, whatever its value.
trait Part: Send + Sync {
    /// Registers the waiter; tells it on this thread if the part has finished.
    fn watch(&self, waiter: Waiter);
    fn help(&self);
    /// Has another thread run it if it is still queued; returns whether it is.
    fn hasten(&self) -> bool;
    fn is_queued(&self) -> bool;
    fn is_finished(&self) -> bool;
    fn cancel(&self);
    fn has_failed(&self) -> bool;
    fn take_error(&self) -> Option<Error>;
    fn name(&self) -> &'static str;
    /// The answer of [`Call::needs_this_thread`](crate::task::Call::needs_this_thread), if it has
    /// not finished.
    fn ask(&self, asked: &mut Asked) -> bool;
}

impl<T> Part for Task<T> {
    fn watch(&self, waiter: Waiter) {
        if let Err(waiter) = self.call().cell().register(waiter) {
            waiter.tell();
        }
    }

    fn help(&self) {
        Task::help(self);
    }

    fn hasten(&self) -> bool {
        let is_queued = Part::is_queued(self);
        if is_queued {
            Arc::clone(self.call()).hasten();
        }
        is_queued
    }

    fn is_queued(&self) -> bool {
        self.call().cell().is_queued()
    }

    fn is_finished(&self) -> bool {
        self.has_ended()
    }

    fn cancel(&self) {
        Task::cancel(self);
    }

    fn has_failed(&self) -> bool {
        self.call().cell().has_failed()
    }

    fn take_error(&self) -> Option<Error> {
        self.try_take().and_then(Result::err)
    }

    fn name(&self) -> &'static str {
        self.call().name()
    }

    fn ask(&self, asked: &mut Asked) -> bool {
        !self.has_ended() && Arc::clone(self.call()).needs_this_thread(asked)
    }
}
