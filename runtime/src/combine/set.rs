//! [`TaskSet`]: a growing set of tasks, whose results are taken as they end.
//!
//! Which of them have ended is known to [`Ends`], so nothing searches through the tasks, however
//! many there are.

use std::fmt;
use std::future::{Future, poll_fn};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use super::Part;
use super::stall::{self, Pace, Stall};
use crate::cell::Waiter;
use crate::error::Error;
use crate::relay::Asked;
use crate::task::{FIRST_PATIENCE, PATIENCE, Task, ask};
use crate::{forks, timer, tokio, wait};

use self::ends::Ends;

mod ends;
#[cfg(all(test, not(trine_loom)))]
mod tests;

/// Tasks of one type, to which more can be added while they run; yields their results as they end.
///
/// Take results on a thread ([`join_next`](Self::join_next)) or await them in any executor
/// ([`next`](Self::next)); the set is a futures `Stream` too. To tell which task a result belongs
/// to, put a key beside it: `task.outcome().map(move |result| (key, result))`.
///
/// Dropping it cancels all its tasks; [`detach`](Self::detach) lets them run on.
///
/// ```
/// use trine::{TaskSet, concurrent};
///
/// #[concurrent(threads)]
/// fn links(page: u32) -> Vec<u32> {
///     [2 * page, 2 * page + 1].into_iter().filter(|page| *page < 100).collect()
/// }
///
/// let mut pages = 0;
/// let mut set = TaskSet::new();
/// set.add(links(1));
/// while let Some(found) = set.join_next() {
///     pages += 1;
///     set.extend(found?.into_iter().map(links));
/// }
/// assert_eq!(pages, 99);
/// # Ok::<(), trine::Error>(())
/// ```
#[must_use = "dropping a set cancels its tasks"]
pub struct TaskSet<T> {
    slots: Vec<Option<Task<T>>>,
    free: Vec<usize>,
    /// The slot that was filled last.
    newest: usize,
    /// Slots of tasks that were not asked yet whether anybody can run them, and of some that are
    /// others by now.
    unasked: Vec<usize>,
    /// How many were taken out.
    taken: usize,
    ends: Ends,
    pace: Pace,
    stall: Stall,
}

/// The timeout passed before a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time was up before a task had ended")
    }
}

impl std::error::Error for Elapsed {}

impl<T: Send + 'static> TaskSet<T> {
    /// Creates an empty set.
    pub fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            newest: 0,
            unasked: Vec::new(),
            taken: 0,
            ends: Ends::default(),
            pace: Pace::new(),
            stall: Stall::default(),
        }
    }

    /// Adds a task. It has been started by its call already.
    #[doc(alias = "push")]
    #[doc(alias = "spawn")]
    pub fn add(&mut self, task: Task<T>) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(task);
        self.ends.add(slot, watch(&self.slots));
        self.newest = slot;
        if self.unasked.len() >= 2 * self.slots.len() {
            // Nothing has had to be waited for in the meantime.
            self.unasked = self.tasks().map(|(slot, _)| slot).collect();
        }
        self.unasked.push(slot);
    }

    /// The number of tasks whose results have not been taken yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there are no tasks left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits for the next result, blocking the thread; `None` if there are no tasks.
    ///
    /// The thread runs tasks itself while they are brief, as [`gather`](crate::gather()) does.
    ///
    /// # Panics
    /// Like [`Task::join`], if all tasks need this very thread.
    pub fn join_next(&mut self) -> Option<Result<T, Error>> {
        let mut patience = FIRST_PATIENCE;
        while !self.is_empty() {
            self.help();
            // Usually this ends it, and reading the clock would cost as much again.
            if let Some(slot) = self.ends.pop() {
                return Some(self.take(slot));
            }
            if let Ok(result) = self.wait_until(Instant::now().checked_add(patience)) {
                return result;
            }
            patience = PATIENCE;
        }
        None
    }

    /// Waits for the next result with a timeout; `None` if there are no tasks.
    ///
    /// Never runs a task on this thread, which has to be free to leave.
    ///
    /// # Errors
    /// [`Elapsed`] if none has ended by then. Nothing is lost: the tasks carry on.
    ///
    /// # Panics
    /// As [`join_next`](Self::join_next).
    ///
    /// ```
    /// use std::{sync::mpsc, time::Duration};
    /// use trine::{TaskSet, concurrent};
    ///
    /// #[concurrent(threads)]
    /// fn first(numbers: mpsc::Receiver<u32>) -> Option<u32> {
    ///     numbers.recv().ok()
    /// }
    ///
    /// let (sender, receiver) = mpsc::channel();
    /// let mut set = TaskSet::from_iter([first(receiver)]);
    /// // Between such waits, check a flag for Ctrl-C, for example.
    /// assert!(set.next_timeout(Duration::from_millis(1)).is_err());
    /// sender.send(7).unwrap();
    /// assert_eq!(set.join_next().unwrap()?, Some(7));
    /// # Ok::<(), trine::Error>(())
    /// ```
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<Result<T, Error>>, Elapsed> {
        self.wait_until(Instant::now().checked_add(timeout))
    }

    /// Waits for the next result, in any executor; `None` if there are no tasks.
    ///
    /// Cancel safe: dropping the future loses no result.
    ///
    /// ```
    /// use trine::{TaskSet, concurrent};
    ///
    /// #[concurrent(async)]
    /// async fn square(number: u32) -> u32 {
    ///     number * number
    /// }
    /// # trine::block_on(async {
    /// let mut set = TaskSet::from_iter((1..4).map(square));
    /// let mut sum = 0;
    /// while let Some(square) = set.next().await {
    ///     sum += square?;
    /// }
    /// assert_eq!(sum, 14);
    /// # Ok::<(), trine::Error>(()) })?;
    /// # Ok::<(), trine::Error>(())
    /// ```
    #[expect(clippy::should_implement_trait, reason = "it is the `next` of a stream")]
    pub fn next(&mut self) -> impl Future<Output = Option<Result<T, Error>>> + Send {
        poll_fn(|context| self.poll_next(context))
    }

    /// Cancels all tasks as far as their modes can, without waiting. Their results can still be
    /// taken: `Cancelled`, or a value if they return one regardless.
    pub fn cancel(&self) {
        self.tasks().for_each(|(_, task)| task.cancel());
    }

    /// Lets all tasks run on without the set. Their results are dropped.
    pub fn detach(mut self) {
        self.slots.drain(..).flatten().for_each(Task::detach);
    }

    pub(super) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<T, Error>>> {
        let step = ready!(tokio::poll_budget(context));
        self.look();
        if self.ends.has_none() {
            self.prepare(Asked::by_executor);
        }
        let next = timer::polled(self.poll_end(context.waker()), context);
        if next.is_ready() {
            step.made_progress();
        }
        next
    }

    /// The next result, or `Pending` with the waker registered. Everything is watched.
    fn poll_end(&mut self, waker: &Waker) -> Poll<Option<Result<T, Error>>> {
        if self.is_empty() {
            return Poll::Ready(None);
        }
        self.look();
        match self.ends.pop_or_register(waker) {
            Some(slot) => Poll::Ready(Some(self.take(slot))),
            None => Poll::Pending,
        }
    }

    /// Before a wait: ends tasks that nobody can ever run with an error, and has all tell of their
    /// ends.
    fn prepare(&mut self, by: fn() -> Asked) {
        for slot in std::mem::take(&mut self.unasked) {
            if let Some(task) = &self.slots[slot] {
                ask(task.call(), by());
            }
        }
        self.ends.watch_all(watch(&self.slots));
    }

    /// Learns of ends, if none is known.
    fn look(&mut self) {
        if forks::is_child() {
            // No other will end here, and nobody tells of those.
            let slots = self.slots.iter().enumerate();
            self.ends.assume(slots.filter_map(|(slot, task)| task.as_ref().map(|_| slot)));
        } else {
            self.ends.look(|slot| self.slots[slot].as_ref().is_some_and(Task::has_ended));
        }
    }

    fn take(&mut self, slot: usize) -> Result<T, Error> {
        let task = self.slots[slot].take().expect("it has arrived once");
        self.free.push(slot);
        self.taken += 1;
        let result = task.try_take().or_else(|| Error::if_forked(task.call().name()).map(Err));
        result.expect("it has ended, and nobody else takes its result")
    }

    fn wait_until(
        &mut self,
        deadline: Option<Instant>,
    ) -> Result<Option<Result<T, Error>>, Elapsed> {
        self.look();
        if self.ends.has_none() && !self.is_empty() {
            let helps = || self.tasks().all(|(_, task)| task.has_ended() || Part::is_queued(task));
            let helps = self.unasked.is_empty() || helps();
            self.prepare(if helps { Asked::by_joiner } else { Asked::by_thread });
            let needs = |(_, task): (usize, &Task<T>)| ask(task.call(), Asked::by_joiner());
            assert!(
                !self.tasks().all(needs),
                "`join_next` would wait forever: all tasks run on the current-thread tokio runtime \
                 of this very thread. Await the next instead, or use a multi-thread runtime."
            );
        }
        wait::until(deadline, |waker| self.poll_end(waker)).ok_or(Elapsed)
    }

    /// Runs a task on the joiner's thread if that will not take long.
    fn help(&mut self) {
        self.look();
        if !self.ends.has_none() {
            return;
        }
        if stall::runs_all() || self.pace.is_brief(self.taken) || self.len() == 1 {
            self.help_one();
            return;
        }
        let (slots, stall) = (&self.slots, &mut self.stall);
        let parts = || {
            let part = |(slot, task): (usize, &'_ Option<Task<T>>)| task.as_ref().map(|_| slot);
            let present = slots.iter().enumerate().filter_map(part);
            present.map(|slot| (slot, slots[slot].as_ref().unwrap() as &dyn Part))
        };
        if stall.look(self.taken, parts) {
            self.help_one();
        }
    }

    /// Runs the newest queued task, since others work on these tasks from the oldest.
    fn help_one(&mut self) {
        let slots = self.slots.len();
        let newest_first = (0..slots).map(|back| (self.newest + slots - back) % slots);
        for slot in newest_first {
            if let Some(task) = &self.slots[slot]
                && !task.has_ended()
            {
                task.help();
                if task.has_ended() {
                    self.newest = (slot + slots - 1) % slots;
                    self.ends.saw(slot);
                    return;
                }
            }
        }
    }

    fn tasks(&self) -> impl Iterator<Item = (usize, &Task<T>)> {
        self.slots.iter().enumerate().filter_map(|(slot, task)| Some((slot, task.as_ref()?)))
    }
}

/// Has the task in a slot tell of its end; returns whether it will.
fn watch<T>(slots: &[Option<Task<T>>]) -> impl Fn(usize, Waiter) -> bool + '_ {
    |slot, waiter| {
        slots[slot].as_ref().is_some_and(|task| task.call().cell().register(waiter).is_ok())
    }
}

impl<T: Send + 'static> Default for TaskSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send + 'static> Extend<Task<T>> for TaskSet<T> {
    fn extend<I: IntoIterator<Item = Task<T>>>(&mut self, tasks: I) {
        tasks.into_iter().for_each(|task| self.add(task));
    }
}

impl<T: Send + 'static> FromIterator<Task<T>> for TaskSet<T> {
    fn from_iter<I: IntoIterator<Item = Task<T>>>(tasks: I) -> Self {
        let mut set = Self::new();
        set.extend(tasks);
        set
    }
}

impl<T> fmt::Debug for TaskSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tasks = self.slots.len() - self.free.len();
        f.debug_struct("TaskSet").field("tasks", &tasks).finish_non_exhaustive()
    }
}
