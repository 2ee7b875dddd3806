//! `map` and `then`: what follows a task, without a thread that waits for it.

use std::sync::{Arc, OnceLock};

use super::Part;
use crate::cell::{Cell, Observer, Waiter};
use crate::error::Error;
use crate::panic;
use crate::sync::Lock;
use crate::task::{Call, Task};

impl<T: Send + 'static> Task<T> {
    /// Applies a function to the value when it is there: one task for its result.
    ///
    /// The function runs on the thread that finishes this task, or that joins it; make it short, or
    /// use [`then`](Self::then). Its panic is the new task's. A failure passes through; cancelling
    /// the new task cancels this one.
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
        let map = Arc::new(Map {
            cell: Cell::running(),
            source: self,
            function: Lock::new(Some(function)),
        });
        let observer: Arc<dyn Observer> = map.clone();
        map.source.watch(Waiter::Observer(observer, 0));
        Task::new(map)
    }

    /// Starts the next task with this one's value when it is there: one task for both.
    ///
    /// Nobody blocks in between, and the two may be of different modes. A failure passes through;
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
        let then = Arc::new(Then {
            cell: Cell::running(),
            first: self,
            next: Lock::new(Some(next)),
            second: OnceLock::new(),
        });
        let observer: Arc<dyn Observer> = then.clone();
        then.first.watch(Waiter::Observer(observer, 0));
        Task::new(then)
    }
}

fn take<F>(function: &Lock<Option<F>>) -> Option<F> {
    function.lock().take()
}

struct Map<T, U, F> {
    cell: Cell<U>,
    source: Task<T>,
    function: Lock<Option<F>>,
}

impl<T, U, F> Observer for Map<T, U, F>
where
    T: Send,
    U: Send,
    F: FnOnce(T) -> U + Send,
{
    fn finished(self: Arc<Self>, _: usize) {
        let (Some(result), Some(function)) = (self.source.try_take(), take(&self.function)) else {
            return;
        };
        if self.cell.is_finished() {
            // Cancelled: nobody wants what the function would make.
            return;
        }
        let mapped = result.and_then(|value| panic::catch(self.source.name(), || function(value)));
        self.cell.finish(mapped);
    }
}

impl<T, U, F> Call<U> for Map<T, U, F>
where
    T: Send,
    U: Send,
    F: FnOnce(T) -> U + Send,
{
    fn cell(&self) -> &Cell<U> {
        &self.cell
    }

    fn name(&self) -> &'static str {
        self.source.name()
    }

    fn help(self: Arc<Self>) {
        self.source.help();
    }

    fn cancel(self: Arc<Self>, why: Error) {
        self.cell.finish(Err(why));
        self.source.cancel();
    }

    fn needs_this_thread(&self) -> bool {
        self.source.needs_this_thread()
    }
}

struct Then<T, U, F> {
    cell: Cell<U>,
    first: Task<T>,
    next: Lock<Option<F>>,
    second: OnceLock<Task<U>>,
}

impl<T, U, F> Then<T, U, F>
where
    T: Send + 'static,
    U: Send + 'static,
    F: FnOnce(T) -> Task<U> + Send + 'static,
{
    fn start_second(self: &Arc<Self>) {
        let (Some(result), Some(next)) = (self.first.try_take(), take(&self.next)) else {
            return;
        };
        if self.cell.is_finished() {
            return;
        }
        match result.and_then(|value| panic::catch(self.first.name(), || next(value))) {
            Ok(second) => {
                let second = self.second.get_or_init(|| second);
                let observer: Arc<dyn Observer> = self.clone();
                second.watch(Waiter::Observer(observer, 1));
                // A cancel in between saw no second task and left it to us.
                if self.cell.is_finished() {
                    second.cancel();
                }
            }
            Err(error) => {
                self.cell.finish(Err(error));
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
        } else if let Some(result) = self.second.get().and_then(Task::try_take) {
            self.cell.finish(result);
        }
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
        self.second.get().map_or_else(|| self.first.name(), Part::name)
    }

    fn help(self: Arc<Self>) {
        self.first.help();
        if let Some(second) = self.second.get() {
            second.help();
        }
    }

    fn cancel(self: Arc<Self>, why: Error) {
        self.cell.finish(Err(why));
        self.first.cancel();
        if let Some(second) = self.second.get() {
            second.cancel();
        }
    }

    fn needs_this_thread(&self) -> bool {
        match self.second.get() {
            None => self.first.needs_this_thread(),
            Some(second) => second.needs_this_thread(),
        }
    }
}
