//! `gather`: all values in input order, or the first failure.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use super::Part;
use super::stall::{self, HABITS, Pace, Stall, TELLING};
use crate::cell::{Cell, Waiter};
use crate::error::Error;
use crate::panic::{drop_each, drop_quietly};
use crate::relay::{self, Asked, Combined, Observer, Step};
use crate::sync::Lock;
use crate::task::{Call, Task};

/// Combines tasks into one task for all their values, in input order.
///
/// Takes a tuple (of up to twelve tasks, of any types), an array, a `Vec` or an iterator of tasks,
/// and returns a tuple, an array or a `Vec`. The first failure cancels the rest and becomes the
/// error. To get every result, including failures, gather their [outcomes](Task::outcome).
///
/// A join returns promptly at a failure, perhaps before each of the rest has been cancelled: the
/// joining thread runs tasks itself only while these are brief, or when one is left. A pool thread
/// runs whatever has not started, the last first, and may be late by the task it is in. Cancelling
/// or dropping it cancels all its tasks. Those of a [`scope`](crate::scope()) are joined one by one
/// instead, see [`ScopedTask`](crate::ScopedTask).
///
/// ```
/// use trine::{concurrent, gather};
///
/// #[concurrent(threads)]
/// fn square(number: u64) -> u64 {
///     number * number
/// }
///
/// let (a, b) = gather((square(1), square(2))).join()?;
/// let [c, d] = gather([square(3), square(4)]).join()?;
/// let rest = gather((5..7).map(square)).join()?;
/// assert_eq!((a, b, c, d, rest), (1, 4, 9, 16, vec![25, 36]));
/// # Ok::<(), trine::Error>(())
/// ```
pub fn gather<G: Gather<Kind>, Kind>(tasks: G) -> Task<G::Output> {
    tasks.into_task()
}

/// What [`gather()`] takes: tuples, arrays, `Vec`s and iterators of tasks.
///
/// `Kind` only tells these apart for the compiler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be gathered",
    label = "not a tuple, array, `Vec` or iterator of tasks",
    note = "`gather` takes tasks of concurrent functions: `gather((a(1), b(2)))`, \
            `gather(paths.map(count))`; those of a `scope` are joined one by one"
)]
pub trait Gather<Kind> {
    /// All the values.
    type Output: Send + 'static;
    #[doc(hidden)]
    fn into_task(self) -> Task<Self::Output>;
}

/// Markers for the kinds of [`Gather`].
#[doc(hidden)]
#[allow(missing_debug_implementations, missing_docs)]
mod kind {
    pub enum Tuple {}
    pub enum Array {}
    pub enum List {}
    pub enum Iter {}
}

impl<I, T> Gather<kind::Iter> for I
where
    I: Iterator<Item = Task<T>>,
    T: Send + 'static,
{
    type Output = Vec<T>;
    fn into_task(self) -> Task<Vec<T>> {
        self.collect::<Vec<_>>().into_task()
    }
}

impl<T: Send + 'static> Gather<kind::List> for Vec<Task<T>> {
    type Output = Vec<T>;
    fn into_task(self) -> Task<Vec<T>> {
        Gathered::start(self)
    }
}

impl<T: Send + 'static, const N: usize> Gather<kind::Array> for [Task<T>; N] {
    type Output = [T; N];
    fn into_task(self) -> Task<[T; N]> {
        Gathered::start(self)
    }
}

/// The tasks of a gathering.
trait Parts: Send + Sync + 'static {
    type Output: Send + 'static;
    fn count(&self) -> usize;
    fn part(&self, index: usize) -> &dyn Part;
    /// The values, once all tasks have succeeded. A value that turns out only now to be undecodable
    /// is an error.
    fn values(&self) -> Result<Self::Output, Error>;
    /// Drops values that nobody wants, one by one.
    fn discard(values: Self::Output);
}

fn value<T>(task: &Task<T>) -> Result<T, Error> {
    match task.try_take() {
        Some(result) => result,
        None => unreachable!("all parts have finished, and nobody else takes their values"),
    }
}

impl<T: Send + 'static> Parts for Vec<Task<T>> {
    type Output = Vec<T>;
    fn count(&self) -> usize {
        self.len()
    }
    fn part(&self, index: usize) -> &dyn Part {
        &self[index]
    }
    fn values(&self) -> Result<Vec<T>, Error> {
        let mut values = Self::Output::with_capacity(self.len());
        for task in self {
            match value(task) {
                Ok(value) => values.push(value),
                Err(error) => {
                    drop_each(values);
                    return Err(error);
                }
            }
        }
        Ok(values)
    }
    fn discard(values: Vec<T>) {
        drop_each(values);
    }
}

impl<T: Send + 'static, const N: usize> Parts for [Task<T>; N] {
    type Output = [T; N];
    fn count(&self) -> usize {
        N
    }
    fn part(&self, index: usize) -> &dyn Part {
        &self[index]
    }
    fn values(&self) -> Result<[T; N], Error> {
        let mut failure = None;
        let values: [Option<T>; N] = std::array::from_fn(|index| {
            value(&self[index]).map_err(|error| _ = failure.get_or_insert(error)).ok()
        });
        match failure {
            None => Ok(values.map(|value| value.expect("there is a value or a failure"))),
            Some(error) => {
                drop_each(values);
                Err(error)
            }
        }
    }
    fn discard(values: [T; N]) {
        drop_each(values);
    }
}

macro_rules! tuples {
    ($($value:ident $index:tt),*) => {
        impl<$($value: Send + 'static),*> Gather<kind::Tuple> for ($(Task<$value>,)*) {
            type Output = ($($value,)*);
            fn into_task(self) -> Task<Self::Output> {
                Gathered::start(self)
            }
        }

        impl<$($value: Send + 'static),*> Parts for ($(Task<$value>,)*) {
            type Output = ($($value,)*);
            fn count(&self) -> usize {
                [$($index),*].len()
            }
            fn part(&self, index: usize) -> &dyn Part {
                match index {
                    $($index => &self.$index,)*
                    _ => unreachable!("a tuple has as many parts as it counts"),
                }
            }
            fn values(&self) -> Result<Self::Output, Error> {
                let mut failure = None;
                let values = ($(
                    value(&self.$index).map_err(|error| _ = failure.get_or_insert(error)).ok(),
                )*);
                match failure {
                    None => Ok(($(values.$index.expect("there is a value or a failure"),)*)),
                    Some(error) => {
                        $(drop_quietly(values.$index);)*
                        Err(error)
                    }
                }
            }
            fn discard(values: Self::Output) {
                $(drop_quietly(values.$index);)*
            }
        }
    };
}

tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);

struct Gathered<P: Parts> {
    cell: Cell<P::Output>,
    name: &'static str,
    /// Present until it is dropped.
    parts: Option<P>,
    remaining: AtomicUsize,
    failed: AtomicBool,
    pace: Lock<Pace>,
    stall: Lock<Stall>,
}

impl<P: Parts> Gathered<P> {
    fn start(parts: P) -> Task<P::Output> {
        let count = parts.count();
        let gathered = Arc::new(Self {
            cell: Cell::running(),
            name: if count == 0 { "gather" } else { parts.part(0).name() },
            parts: Some(parts),
            remaining: AtomicUsize::new(count),
            failed: AtomicBool::new(false),
            pace: Lock::new(Pace::new()),
            stall: Lock::default(),
        });
        if count == 0 {
            gathered.end();
        }
        let mut ended = 0;
        for (index, part) in gathered.each().enumerate() {
            if part.is_finished() && !part.has_failed() {
                // Of many that end meanwhile, most have, and all are counted at once.
                ended += 1;
            } else {
                part.watch(Waiter::Observer(gathered.clone(), index));
            }
        }
        if ended > 0 && gathered.remaining.fetch_sub(ended, Ordering::AcqRel) == ended {
            relay::take(Step::Tell(gathered.clone(), count - 1));
        }
        Task::new(gathered)
    }

    fn parts(&self) -> &P {
        match &self.parts {
            Some(parts) => parts,
            None => unreachable!("they are there until it is dropped"),
        }
    }

    /// All parts have succeeded.
    fn end(&self) {
        self.cell.finish_or(self.parts().values(), Self::discard);
    }

    /// Drops what nobody wants. Values that were put together here are still those of several
    /// tasks, and the panic of one destructor is not the other's.
    fn discard(result: Result<P::Output, Error>) {
        match result {
            Ok(values) => P::discard(values),
            Err(error) => drop_quietly(error),
        }
    }

    /// How many parts have succeeded.
    fn ended(&self) -> usize {
        self.parts().count() - self.remaining.load(Ordering::Acquire)
    }

    /// Helps parts that nobody gets to.
    fn look_at_stall(&self) {
        let parts = || (0..).zip(self.each()).collect::<Vec<_>>().into_iter();
        if self.stall.lock().look(self.ended(), parts) {
            self.each().rev().for_each(Part::help);
        }
    }

    fn each(&self) -> impl DoubleEndedIterator<Item = &dyn Part> {
        let parts = self.parts();
        (0..parts.count()).map(|index| parts.part(index))
    }
}

impl<P: Parts> Observer for Gathered<P> {
    /// Counts it: something follows from the last one, and from failures.
    fn note(&self, index: usize) -> bool {
        self.parts().part(index).has_failed() || self.remaining.fetch_sub(1, Ordering::AcqRel) == 1
    }

    fn finished(self: Arc<Self>, index: usize) {
        let part = self.parts().part(index);
        if part.has_failed() {
            // The first failure is the one that counts; what it cancels fails too.
            if !self.failed.swap(true, Ordering::AcqRel)
                && let Some(error) = part.take_error()
            {
                self.cell.finish(Err(error));
                relay::take(Step::CancelParts(self));
            }
        } else {
            let count = self.parts().count();
            if count < TELLING {
                HABITS.note(self.name, count, self.pace.lock().since().elapsed());
            }
            self.end();
        }
    }
}

impl<P: Parts> Call<P::Output> for Gathered<P> {
    fn cell(&self) -> &Cell<P::Output> {
        &self.cell
    }

    fn abandon(&self) -> bool {
        self.cell.abandon_to(Self::discard)
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn help(self: Arc<Self>) {
        relay::take(Step::HelpParts(self));
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

impl<P: Parts> Combined for Gathered<P> {
    fn help_parts(&self) {
        let is_last = || self.remaining.load(Ordering::Acquire) == 1;
        let is_brief = || self.pace.lock().is_brief(self.ended());
        let runs_all = stall::runs_all();
        let runs_few = self.parts().count() < TELLING;
        // From the end, since others work on these tasks from the start.
        for (count, part) in self.each().rev().enumerate() {
            if self.cell.is_finished() {
                return;
            }
            let may_run = match (runs_all, runs_few) {
                (true, _) => true,
                (_, true) => HABITS.are_brief(self.name) || is_last(),
                _ => !count.is_multiple_of(TELLING) || is_brief() || is_last(),
            };
            if !may_run {
                return self.look_at_stall();
            }
            let is_telling = runs_few && !runs_all && part.is_queued();
            let started = is_telling.then(Instant::now);
            part.help();
            if let Some(started) = started {
                HABITS.note(self.name, 1, started.elapsed());
            }
        }
    }

    fn cancel_parts(&self) {
        self.each().for_each(Part::cancel);
    }

    fn ask_parts(&self, asked: &mut Asked) -> bool {
        // Where nobody runs any of them.
        asked.helps &= self.each().all(|part| part.is_finished() || part.is_queued());
        self.each().any(|part| part.ask(asked))
    }
}

impl<P: Parts> Drop for Gathered<P> {
    fn drop(&mut self) {
        relay::discard(self.parts.take());
    }
}
