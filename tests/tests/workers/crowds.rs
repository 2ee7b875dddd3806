//! `limit` on methods of many workers, with many callers, and at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use trine::{concurrent, gather};
use trine_tests::gate::Gate;

use crate::counters::pass;

/// Counts how many run, and how many values there are.
struct Crowded(Arc<Crowd>);

#[derive(Default)]
struct Crowd {
    values: AtomicUsize,
    runs: AtomicUsize,
    most: AtomicUsize,
}

impl Drop for Crowded {
    fn drop(&mut self) {
        self.0.values.fetch_sub(1, Ordering::SeqCst);
    }
}

#[concurrent(threads, copies = 3)]
impl Crowded {
    pub(crate) fn new(crowd: Arc<Crowd>) -> Self {
        crowd.values.fetch_add(1, Ordering::SeqCst);
        Self(crowd)
    }
    #[concurrent(limit = 2)]
    pub(crate) fn run(&self) {
        let runs = self.0.runs.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(runs, Ordering::SeqCst);
        thread::yield_now();
        self.0.runs.fetch_sub(1, Ordering::SeqCst);
    }
    #[concurrent(limit = 1)]
    pub(crate) fn wait(&self, port: u16) {
        pass(port);
    }
}

fn all_dropped(crowd: &Arc<Crowd>) {
    trine::blocking(|| {
        while Arc::strong_count(crowd) > 1 {
            thread::yield_now();
        }
    });
    assert_eq!(crowd.values.load(Ordering::SeqCst), 0);
}

#[test]
fn never_more_of_many_workers_and_callers() {
    let crowd = Arc::new(Crowd::default());
    let workers: Vec<_> = (0..8).map(|_| CrowdedWorker::new(Arc::clone(&crowd))).collect();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for round in 0..100 {
                    let mut tasks: Vec<_> = workers.iter().map(CrowdedWorker::run).collect();
                    drop(tasks.swap_remove(round % 8));
                    gather(tasks).join().unwrap();
                }
            });
        }
    });
    let most = crowd.most.load(Ordering::SeqCst);
    assert!((1..=2).contains(&most), "{most} at once");
    drop(workers);
    all_dropped(&crowd);
}

#[test]
fn copies_that_were_idle_at_the_end_are_dropped_too() {
    let crowd = Arc::new(Crowd::default());
    let pool = CrowdedWorker::new(Arc::clone(&crowd));
    let gate = Gate::new();
    let [runs, waits, cancelled] = [(); 3].map(|()| pool.wait(gate.port()));
    let held = gate.entered();
    drop(pool);
    cancelled.cancel();
    drop(held);
    runs.join().unwrap();
    drop(gate.entered());
    waits.join().unwrap();
    all_dropped(&crowd);
}

/// The last of those that wait is given up, and so nothing passes the turn on any more.
#[test]
fn what_waits_in_vain_keeps_no_value() {
    let (crowd, others) = (Arc::new(Crowd::default()), Arc::new(Crowd::default()));
    let gate = Gate::new();
    let holder = CrowdedWorker::new(Arc::clone(&others));
    let runs = holder.wait(gate.port());
    let held = gate.entered();
    for _ in 0..100 {
        let pool = CrowdedWorker::new(Arc::clone(&crowd));
        let waits = pool.wait(gate.port());
        drop(pool);
        drop(waits);
    }
    all_dropped(&crowd);
    drop(held);
    runs.join().unwrap();
}

/// A method of one worker that waits for that of another, as often as there are places.
struct Nested;

#[concurrent(threads)]
impl Nested {
    pub(crate) fn new() -> Self {
        Self
    }
    #[concurrent(limit = 1)]
    pub(crate) fn inner(&self, number: u64) -> u64 {
        number + 1
    }
    pub(crate) fn outer(&self, other: NestedWorker, number: u64) -> u64 {
        other.inner(number).join().unwrap()
    }
}

#[test]
fn a_method_that_waits_for_a_limited_one_holds_no_place() {
    let workers: Vec<_> = (0..4).map(|_| NestedWorker::new()).collect();
    let inner: Vec<_> = (0..100).map(|number| workers[number as usize % 4].inner(number)).collect();
    assert_eq!(gather(inner).join().unwrap(), Vec::from_iter(1..=100));
    let other = NestedWorker::new();
    let outer = workers.iter().map(|worker| worker.outer(other.clone(), 1));
    assert_eq!(gather(outer).join().unwrap(), [2; 4]);
}
