//! What is in a deque, and for how long.

use super::*;

static FUNCTION: Function = Function::new("tested");

struct Task(AtomicBool);

impl Runnable for Task {
    fn is_queued(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
    fn function(&self) -> &'static Function {
        &FUNCTION
    }
    fn run(self: Arc<Self>) {}
    fn refuse(&self, _: &str) -> bool {
        false
    }
}

fn task() -> Arc<Task> {
    Arc::new(Task(AtomicBool::new(true)))
}

fn claim(seat: &Seat, task: &Arc<Task>) {
    task.0.store(false, Ordering::Relaxed);
    let _ = seat.take_back(Arc::as_ptr(task));
}

// No worker takes them: none is ever woken for them, and none is awake in the pool of these tests.

#[test]
fn joins_in_turn_leave_nothing_behind() {
    let seat = mine().unwrap();
    for _ in 0..3 {
        let tasks = [(); 5].map(|()| task());
        tasks.iter().for_each(|task| seat.push(task.clone()));
        // The last first, the first last: in any order.
        [4, 0, 2, 3, 1].iter().for_each(|&index| claim(seat, &tasks[index]));
        assert!(tasks.iter().all(|task| Arc::strong_count(task) == 1));
    }
    assert!(seat.pop().is_none());
}

#[test]
fn shells_never_outnumber_the_tasks_for_long() {
    let seat = mine().unwrap();
    // The last one stays, and hides the other shells.
    let mut most = 0;
    for _ in 0..100_000 {
        let (claimed, kept) = (task(), Arc::new(Task(AtomicBool::new(true))));
        seat.push(claimed.clone());
        seat.push(kept.clone());
        claim(seat, &claimed);
        kept.0.store(false, Ordering::Relaxed);
        seat.buried.set(0);
        most = most.max(seat.deque().len());
    }
    while seat.pop().is_some() {}
    assert!(most <= 8 * SWEEP_FROM, "{most} entries for a task");
}
