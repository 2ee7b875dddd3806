//! `map`, `outcome` and `then`: tasks that follow another one, without a thread that waits.
//!
//! Each releases the previous task as soon as it has the result, or needs none, so of a chain that
//! has ended only the last value remains.

use std::mem;
use std::sync::Arc;

use crate::cell::{Cell, Waiter};
use crate::drain::Following;
use crate::error::Error;
use crate::relay::{self, Asked, Combined, Observer, Step};
use crate::sync::Lock;
use crate::task::{Call, Task};
use crate::{carry, panic};

impl<T: Send + 'static> Task<T> {
    /// Applies a function to the value once it is there; returns a task for the result.
    ///
    /// The function runs on the thread that finishes this task or joins it; keep it short, or use
    /// [`then`](Self::then). If it panics, that is the new task's error. A failure passes through;
    /// cancelling the new task cancels this one.
    ///
    /// ```
    /// # use trine::concurrent;
    /// #[concurrent(threads)]
    /// fn read() -> String {
    ///     "7".to_owned()
    /// }
    /// assert_eq!(read().map(|text| text.len()).join()?, 1);
    /// # Ok::<(), trine::Error>(())
    /// ```
    pub fn map<U, F>(self, function: F) -> Task<U>
    where
        U: Send + 'static,
        F: FnOnce(T) -> U + Send + 'static,
    {
        let name = self.call().name();
        let function = carry::along(function);
        self.map_result(move |result| {
            result.and_then(|value| panic::catch(name, || function(value)))
        })
    }

    /// Turns the result into a value: returns a task that does not fail when this one does.
    ///
    /// So no result is lost: [`map`](Self::map) sees failures and can put a key beside each, and
    /// [`gather`](crate::gather()) of outcomes returns all of them, instead of cancelling the rest
    /// at the first failure.
    ///
    /// Cancelling or dropping the new task cancels this one. If the new task itself is cancelled or
    /// [times out](Self::timeout), it fails; to get that as a value, put the deadline on this task:
    /// `task.timeout(…).outcome()`.
    ///
    /// ```
    /// use trine::{concurrent, gather};
    ///
    /// #[concurrent(threads)]
    /// fn half(number: u32) -> u32 {
    ///     assert!(number % 2 == 0, "odd");
    ///     number / 2
    /// }
    ///
    /// let keyed = (1..4).map(|number| half(number).outcome().map(move |half| (number, half)));
    /// for (number, half) in gather(keyed).join()? {
    ///     match half {
    ///         Ok(half) => assert_eq!(half * 2, number),
    ///         Err(error) => println!("{number}: {error}"),
    ///     }
    /// }
    /// # Ok::<(), trine::Error>(())
    /// ```
    pub fn outcome(self) -> Task<Result<T, Error>> {
        self.map_result(Ok)
    }

    /// A task whose result the function makes from this one's result.
    pub(crate) fn map_result<U, F>(self, function: F) -> Task<U>
    where
        U: Send + 'static,
        F: FnOnce(Result<T, Error>) -> Result<U, Error> + Send + 'static,
    {
        let call = Arc::clone(self.call());
        let mapped = Arc::new(Mapped {
            cell: Cell::running(),
            name: call.name(),
            source: Lock::new(Some((self, function))),
            following: Lock::new(Some(Following::new())),
        });
        watch(&*call, mapped.clone(), 0);
        Task::new(mapped)
    }

    /// Starts the next task with this one's value once it is there; returns a task for both.
    ///
    /// No thread blocks in between, and the two may have different modes. A failure passes through;
    /// cancelling the new task cancels whichever runs.
    ///
    /// ```
    /// # use trine::concurrent;
    /// #[concurrent(async)]
    /// async fn download(page: u32) -> String {
    ///     "word ".repeat(page as usize)
    /// }
    /// #[concurrent(threads)]
    /// fn count(text: String) -> usize {
    ///     text.split_whitespace().count()
    /// }
    /// assert_eq!(download(3).then(count).join()?, 3);
    /// # Ok::<(), trine::Error>(())
    /// ```
    pub fn then<U, F>(self, next: F) -> Task<U>
    where
        U: Send + 'static,
        F: FnOnce(T) -> Task<U> + Send + 'static,
    {
        let next = carry::along(next);
        let call = Arc::clone(self.call());
        let then = Arc::new(Then {
            cell: Cell::running(),
            name: Lock::new(call.name()),
            stage: Lock::new(Stage::First(self, next)),
            following: Lock::new(Some(Following::new())),
        });
        watch(&*call, then.clone(), 0);
        Task::new(then)
    }
}

fn watch<T>(call: &dyn Call<T>, observer: Arc<dyn Observer>, index: usize) {
    if let Err(waiter) = call.cell().register(Waiter::Observer(observer, index)) {
        waiter.tell();
    }
}

/// Turns another task's result into its own.
struct Mapped<T, U, F> {
    cell: Cell<U>,
    name: &'static str,
    /// `None` once it has been used or is no longer needed.
    source: Lock<Option<(Task<T>, F)>>,
    /// Until it has run, or nobody wants it.
    following: Lock<Option<Following>>,
}

impl<T, U, F> Mapped<T, U, F> {
    fn end(&self, result: Result<U, Error>) {
        self.cell.finish(result);
        self.following.lock().take();
    }
}

impl<T, U, F> Observer for Mapped<T, U, F>
where
    T: Send + 'static,
    U: Send,
    F: FnOnce(Result<T, Error>) -> Result<U, Error> + Send + 'static,
{
    fn finished(self: Arc<Self>, _: usize) {
        let Some((source, function)) = self.source.lock().take() else { return };
        let Some(result) = source.try_take() else { return };
        relay::discard(source);
        if self.cell.is_finished() {
            // Cancelled: nobody wants the function's result.
            relay::discard(result);
            relay::discard(function);
        } else {
            self.end(function(result));
        }
    }
}

fn ask<T>(call: Arc<dyn Call<T>>, asked: &mut Asked) -> bool {
    !call.cell().is_finished() && call.needs_this_thread(asked)
}

impl<T, U, F> Combined for Mapped<T, U, F>
where
    T: Send + 'static,
    U: Send,
    F: Send + 'static,
{
    fn help_parts(&self) {
        let source = self.source.lock().as_ref().and_then(|(source, _)| source.to_help());
        if let Some(source) = source {
            source.help();
        }
    }

    fn cancel_parts(&self) {
        let source = self.source.lock().take();
        relay::discard(source);
    }

    fn ask_parts(&self, asked: &mut Asked) -> bool {
        // Not under the lock: a task that nobody can run ends here and notifies us.
        let source = self.source.lock().as_ref().map(|(source, _)| Arc::clone(source.call()));
        source.is_some_and(|source| ask(source, asked))
    }
}

impl<T, U, F> Call<U> for Mapped<T, U, F>
where
    T: Send + 'static,
    U: Send + 'static,
    F: FnOnce(Result<T, Error>) -> Result<U, Error> + Send + 'static,
{
    fn cell(&self) -> &Cell<U> {
        &self.cell
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn help(self: Arc<Self>) {
        relay::take(Step::HelpParts(self));
    }

    fn cancel(self: Arc<Self>, why: Error) {
        self.end(Err(why));
        relay::take(Step::CancelParts(self));
    }

    fn needs_this_thread(self: Arc<Self>, asked: &mut Asked) -> bool {
        asked.push(self);
        false
    }
}

struct Then<T, U, F> {
    cell: Cell<U>,
    /// The running task.
    name: Lock<&'static str>,
    stage: Lock<Stage<T, U, F>>,
    /// Until the second has ended, or nobody wants it.
    following: Lock<Option<Following>>,
}

enum Stage<T, U, F> {
    First(Task<T>, F),
    /// The second task is being made.
    Between,
    Second(Task<U>),
    /// Ended, or cancelled.
    Over,
}

impl<T, U, F> Then<T, U, F> {
    fn end(&self, result: Result<U, Error>) {
        self.cell.finish(result);
        self.following.lock().take();
    }
}

impl<T, U, F> Then<T, U, F>
where
    T: Send + 'static,
    U: Send + 'static,
    F: FnOnce(T) -> Task<U> + Send + 'static,
{
    fn advance(&self, to: Stage<T, U, F>) -> Stage<T, U, F> {
        let mut stage = self.stage.lock();
        match &*stage {
            // A cancel came first, and left the rest to the next thread.
            Stage::Over => to,
            _ => mem::replace(&mut *stage, to),
        }
    }

    fn start_second(self: Arc<Self>) {
        let Stage::First(first, next) = self.advance(Stage::Between) else { return };
        let Some(result) = first.try_take() else { return };
        relay::discard(first);
        let second = match result {
            Ok(value) => panic::catch(self.name(), || next(value)),
            Err(error) => {
                relay::discard(next);
                Err(error)
            }
        };
        match second {
            Ok(second) => {
                let call = Arc::clone(second.call());
                *self.name.lock() = call.name();
                // Returns the second task if nobody wants it any more.
                relay::discard(self.advance(Stage::Second(second)));
                watch(&*call, self, 1);
            }
            Err(error) => {
                self.advance(Stage::Over);
                self.end(Err(error));
            }
        }
    }
}

impl<T, U, F> Observer for Then<T, U, F>
where
    T: Send + 'static,
    U: Send + 'static,
    F: FnOnce(T) -> Task<U> + Send + 'static,
{
    fn finished(self: Arc<Self>, index: usize) {
        if index == 0 {
            self.start_second();
        } else if let Stage::Second(second) = self.advance(Stage::Over)
            && let Some(result) = second.try_take()
        {
            relay::discard(second);
            self.end(result);
        }
    }
}

impl<T, U, F> Combined for Then<T, U, F>
where
    T: Send + 'static,
    U: Send + 'static,
    F: FnOnce(T) -> Task<U> + Send + 'static,
{
    fn help_parts(&self) {
        let first = match &*self.stage.lock() {
            Stage::First(first, _) => first.to_help(),
            _ => None,
        };
        if let Some(first) = first {
            first.help();
        }
        let second = match &*self.stage.lock() {
            Stage::Second(second) => second.to_help(),
            _ => None,
        };
        if let Some(second) = second {
            second.help();
        }
    }

    fn cancel_parts(&self) {
        relay::discard(self.advance(Stage::Over));
    }

    fn ask_parts(&self, asked: &mut Asked) -> bool {
        // Not under the lock, as above.
        let first = match &*self.stage.lock() {
            Stage::First(first, _) => Some(Arc::clone(first.call())),
            _ => None,
        };
        let needs = first.is_some_and(|first| ask(first, asked));
        let second = match &*self.stage.lock() {
            Stage::Second(second) => Some(Arc::clone(second.call())),
            _ => None,
        };
        needs || second.is_some_and(|second| ask(second, asked))
    }
}

impl<T, U, F> Call<U> for Then<T, U, F>
where
    T: Send + 'static,
    U: Send + 'static,
    F: FnOnce(T) -> Task<U> + Send + 'static,
{
    fn cell(&self) -> &Cell<U> {
        &self.cell
    }

    fn name(&self) -> &'static str {
        *self.name.lock()
    }

    fn help(self: Arc<Self>) {
        relay::take(Step::HelpParts(self));
    }

    fn cancel(self: Arc<Self>, why: Error) {
        self.end(Err(why));
        relay::take(Step::CancelParts(self));
    }

    fn needs_this_thread(self: Arc<Self>, asked: &mut Asked) -> bool {
        asked.push(self);
        false
    }
}
