//! What follows from the ends of tasks in combinators, and on whose thread.

use std::sync::Arc;

use super::{TaskSet, gather};
use crate::cell::Cell;
use crate::error::Error;
use crate::relay::{self, Step};
use crate::task::{Call, Task};

/// A task that ends when a test says so, and no earlier.
struct Open(Cell<u8>);

impl Call<u8> for Open {
    fn cell(&self) -> &Cell<u8> {
        &self.0
    }

    fn name(&self) -> &'static str {
        "open"
    }

    fn cancel(self: Arc<Self>, _: Error) {}
}

fn open() -> (Vec<Arc<Open>>, Vec<Task<u8>>) {
    let calls: Vec<_> = (0..3).map(|_| Arc::new(Open(Cell::running()))).collect();
    let tasks = calls.iter().map(|call| Task::new(call.clone())).collect();
    (calls, tasks)
}

/// The steps that each end leaves to others, on a thread that serves all calls.
fn steps(calls: &[Arc<Open>]) -> Vec<Vec<Step>> {
    let end = |call: &Arc<Open>| {
        relay::hold(|| call.0.finish(Ok(7)));
        relay::drain()
    };
    calls.iter().map(end).collect()
}

#[test]
fn only_the_last_end_of_a_gathering_is_a_step() {
    let (calls, tasks) = open();
    let all = gather(tasks);
    let steps = steps(&calls);
    assert_eq!(steps.iter().map(Vec::len).collect::<Vec<_>>(), [0, 0, 1]);
    assert!(!all.is_finished(), "its values are made where foreign code may run");
    steps.into_iter().flatten().for_each(relay::take);
    assert_eq!(all.join().unwrap(), [7, 7, 7]);
}

#[test]
fn ends_in_a_set_that_nobody_waits_for_are_no_steps() {
    let (calls, tasks) = open();
    let mut set: TaskSet<u8> = tasks.into_iter().collect();
    assert!(steps(&calls).iter().all(Vec::is_empty));
    let results = std::iter::from_fn(|| set.join_next());
    assert_eq!(results.map(Result::unwrap).collect::<Vec<_>>(), [7, 7, 7]);
}

/// Nobody holds the gathering any more but the last of its tasks to end.
#[test]
fn what_a_gathering_owns_is_dropped_in_a_step() {
    let (calls, tasks) = open();
    gather(tasks).detach();
    for failed in &calls[1..] {
        failed.0.finish(Err(Error::cancelled("open")));
    }
    let steps = steps(&calls[..1]).pop().unwrap();
    assert!(matches!(steps[..], [Step::Drop(_)]));
}
