//! Tasks of tasks: `gather`, `race`, `map`, `outcome`, `then`, `buffered`, sets and streams.
//!
//! Each combinator is a [`Call`](crate::task::Call) like an engine's, with a cell of its own, so
//! its handle is a `Task` like any other. Its parts tell it by the same waiter slot that a joining
//! thread would use: nothing polls, and no thread is held.

mod buffered;
mod chain;
mod gather;
mod race;
mod set;
mod stall;
mod stream;

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
/// keeps at most `n` of them in flight and works on endless input, while
/// [`gather`](Self::gather) starts all.
pub trait TaskIterator: Iterator<Item = Task<Self::Value>> + Sized {
    /// What the tasks return.
    type Value: Send + 'static;

    /// Starts all and waits for all: one task for the values in input order. See [`gather()`].
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

    /// Keeps at most `limit` tasks in flight; gives their results in input order.
    ///
    /// Dropping it cancels what is in flight. It is awaited as a
    /// [stream](Buffered::into_stream), and waits for [some time](Buffered::next_timeout) only.
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

    /// Keeps at most `limit` tasks in flight; gives their results as they complete.
    ///
    /// Which input a result is of, failures too, says a key beside it:
    /// `inputs.map(|x| call(x).outcome().map(move |outcome| (x, outcome)))`.
    ///
    /// Dropping it cancels what is in flight. It is awaited as a
    /// [stream](BufferUnordered::into_stream), and waits for
    /// [some time](BufferUnordered::next_timeout) only.
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
    /// Has the waiter told; tells it on this thread if the part has finished.
    fn watch(&self, waiter: Waiter);
    fn help(&self);
    /// Has it run by another thread if it is still queued; says whether it is.
    fn hasten(&self) -> bool;
    fn is_queued(&self) -> bool;
    fn is_finished(&self) -> bool;
    fn cancel(&self);
    fn has_failed(&self) -> bool;
    fn take_error(&self) -> Option<Error>;
    fn name(&self) -> &'static str;
    /// What [`Call::needs_this_thread`](crate::task::Call::needs_this_thread) says, while it has
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
        Task::is_finished(self)
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
        !self.is_finished() && Arc::clone(self.call()).needs_this_thread(asked)
    }
}
