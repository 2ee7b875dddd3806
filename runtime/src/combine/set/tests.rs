//! What a set knows of the ends of its tasks, and what each of them costs.

use std::cell::RefCell;
use std::iter::repeat_with;
use std::sync::Arc;
use std::task::Waker;

use super::TaskSet;
use super::ends::{Ends, MAX_UNWATCHED};
use crate::cell::{Cell, Waiter};
use crate::error::Error;
use crate::task::{Call, Task};

/// A task that ends once its joiner helps, or when a test says so.
struct Brief {
    cell: Cell<u8>,
    may_run: bool,
}

impl Call<u8> for Brief {
    fn cell(&self) -> &Cell<u8> {
        &self.cell
    }

    fn name(&self) -> &'static str {
        "brief"
    }

    fn help(self: Arc<Self>) {
        if self.may_run {
            self.cell.finish(Ok(1));
        }
    }

    fn cancel(self: Arc<Self>, _: Error) {}
}

fn call(may_run: bool) -> (Arc<Brief>, Task<u8>) {
    let call = Arc::new(Brief { cell: Cell::running(), may_run });
    (Arc::clone(&call), Task::new(call))
}

/// A set whose joiner has seen that tasks are brief, and runs the next ones itself.
fn set_of_brief() -> TaskSet<u8> {
    let mut set = TaskSet::new();
    for _ in 0..100 {
        set.add(call(true).1);
        assert_eq!(set.join_next().unwrap().unwrap(), 1);
    }
    set
}

/// Tasks for which a set never has to wait cost it no memory.
#[test]
fn what_a_joiner_runs_itself_leaves_nothing_behind() {
    let set = set_of_brief();
    assert!(set.unasked.len() <= 2, "{} of 100", set.unasked.len());
}

/// Otherwise it would come last, in an endless window never.
#[test]
fn what_others_end_comes_before_all_that_a_joiner_could_run() {
    let mut set = set_of_brief();
    let (other, task) = call(false);
    set.add(task);
    other.cell.finish(Ok(7));
    let next = repeat_with(|| {
        set.add(call(true).1);
        set.join_next().unwrap().unwrap()
    });
    assert!(next.take(MAX_UNWATCHED).any(|value| value == 7));
}

/// What a test's tasks did.
#[derive(Default)]
struct Told {
    ended: Vec<usize>,
    watched: Vec<(usize, Waiter)>,
}

impl Told {
    fn watch(told: &RefCell<Self>) -> impl Fn(usize, Waiter) -> bool + '_ {
        |slot, waiter| {
            let mut told = told.borrow_mut();
            let will_tell = !told.ended.contains(&slot);
            told.watched.extend(will_tell.then_some((slot, waiter)));
            will_tell
        }
    }
}

fn ends_of(count: usize, told: &RefCell<Told>) -> Ends {
    let mut ends = Ends::default();
    (0..count).for_each(|slot| ends.add(slot, Told::watch(told)));
    ends
}

#[test]
fn ends_are_found_without_being_told() {
    let told = RefCell::default();
    let mut ends = ends_of(MAX_UNWATCHED, &told);
    for last in (0..MAX_UNWATCHED).rev() {
        // Each of them is looked at, wherever it is.
        (0..MAX_UNWATCHED).for_each(|_| ends.look(|slot| slot == last));
        assert_eq!((ends.pop(), ends.pop()), (Some(last), None));
    }
    ends.add(7, |_, _| panic!("there are no others"));
    ends.saw(7);
    assert_eq!((ends.pop(), ends.pop()), (Some(7), None));
    assert!(told.borrow().watched.is_empty());
}

/// Looking at one in many would take long to find it.
#[test]
fn the_oldest_of_many_are_watched() {
    let told = RefCell::default();
    let ends = ends_of(MAX_UNWATCHED + 2, &told);
    let slots = |told: &RefCell<Told>| {
        told.borrow().watched.iter().map(|(slot, _)| *slot).collect::<Vec<_>>()
    };
    assert_eq!(slots(&told), [0, 1]);
    drop(ends);
}

#[test]
fn before_a_wait_all_are_watched_and_none_is_lost() {
    let told = RefCell::new(Told { ended: vec![1], watched: Vec::new() });
    let mut ends = ends_of(3, &told);
    ends.watch_all(Told::watch(&told));
    assert_eq!((ends.pop(), ends.pop()), (Some(1), None));
    assert_eq!(ends.pop_or_register(Waker::noop()), None);
    for (_, waiter) in told.take().watched {
        waiter.tell();
    }
    ends.look(|_| unreachable!("they have told"));
    assert_eq!((ends.pop(), ends.pop(), ends.pop()), (Some(0), Some(2), None));
    // Nothing is left in the queue, to be looked for there.
    ends.add(0, |_, _| unreachable!("there are no others"));
    ends.look(|_| true);
    assert_eq!((ends.pop(), ends.pop()), (Some(0), None));
}
