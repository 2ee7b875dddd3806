//! `race`: the first to finish.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Part;
use crate::cell::{Cell, Waiter};
use crate::error::Error;
use crate::relay::{self, Asked, Combined, Observer, Step};
use crate::task::{Call, Task};

/// The first of the tasks to finish, with a value or a failure; the rest are cancelled.
///
/// Joining it does not run any of them on the joining thread, which has to be free for the fastest.
/// Cancelling or dropping it cancels all.
///
/// # Panics
/// If there are no tasks.
///
/// ```
/// use trine::{concurrent, race};
///
/// #[concurrent(async)]
/// async fn mirror(answers: bool) -> &'static str {
///     if !answers {
///         std::future::pending::<()>().await;
///     }
///     "from the one that answers"
/// }
/// assert_eq!(race([mirror(false), mirror(true)]).join()?, "from the one that answers");
/// # Ok::<(), trine::Error>(())
/// ```
pub fn race<T: Send + 'static>(tasks: impl IntoIterator<Item = Task<T>>) -> Task<T> {
    let tasks: Vec<_> = tasks.into_iter().collect();
    assert!(!tasks.is_empty(), "`race` needs at least one task");
    let race = Arc::new(Race {
        cell: Cell::running(),
        name: Part::name(&tasks[0]),
        tasks,
        won: AtomicBool::new(false),
    });
    for (index, task) in race.tasks.iter().enumerate() {
        let observer: Arc<dyn Observer> = race.clone();
        task.watch(Waiter::Observer(observer, index));
    }
    Task::new(race)
}

struct Race<T: Send + 'static> {
    cell: Cell<T>,
    name: &'static str,
    tasks: Vec<Task<T>>,
    won: AtomicBool,
}

impl<T: Send + 'static> Observer for Race<T> {
    fn finished(self: Arc<Self>, index: usize) {
        if !self.won.swap(true, Ordering::AcqRel)
            && let Some(result) = self.tasks[index].try_take()
        {
            self.cell.finish(result);
            relay::take(Step::CancelParts(self));
        }
    }
}

impl<T: Send + 'static> Call<T> for Race<T> {
    fn cell(&self) -> &Cell<T> {
        &self.cell
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn cancel(self: Arc<Self>, why: Error) {
        self.cell.finish(Err(why));
        relay::take(Step::CancelParts(self));
    }

    fn needs_this_thread(self: Arc<Self>, asked: &mut Asked) -> bool {
        asked.push(self);
        false
    }
}

impl<T: Send + 'static> Combined for Race<T> {
    fn help_parts(&self) {}

    fn cancel_parts(&self) {
        self.tasks.iter().for_each(Task::cancel);
    }

    fn ask_parts(&self, asked: &mut Asked) -> bool {
        if !asked.blocks {
            return self.tasks.iter().any(|task| task.ask(asked));
        }
        // One that makes progress elsewhere is enough; combined tasks are assumed to.
        let needs = self.tasks.iter().filter(|task| task.ask(&mut Asked::by_thread()));
        needs.count() == self.tasks.len()
    }
}

impl<T: Send + 'static> Drop for Race<T> {
    fn drop(&mut self) {
        relay::discard(std::mem::take(&mut self.tasks));
    }
}
