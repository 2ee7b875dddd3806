//! `limit` on methods of many workers, with many callers, and at the end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

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

/// Says at its connection that it is dropped. Where it only goes with its process, it does not.
struct Connected(TcpStream);

impl Drop for Connected {
    fn drop(&mut self) {
        let _ = self.0.write_all(b"dropped");
    }
}

#[concurrent(process, copies = 3)]
impl Connected {
    pub(crate) fn new(port: u16) -> Self {
        Self(TcpStream::connect(("127.0.0.1", port)).unwrap())
    }
    #[concurrent(limit = 1)]
    pub(crate) fn wait(&self, port: u16) {
        pass(port);
    }
    pub(crate) fn meet(&self, port: u16) {
        pass(port);
    }
}

/// Those that wait for places keep no copy busy, and one after the other runs at whichever copy.
#[test]
fn copies_that_were_idle_at_the_end_are_dropped_too() {
    let (values, gate) = (Gate::new(), Gate::new());
    let pool = ConnectedWorker::new(values.port());
    let values = [(); 3].map(|()| values.entered());
    // All of them serve, and so can be idle.
    let meet = [(); 3].map(|()| pool.meet(gate.port()));
    drop([(); 3].map(|()| gate.entered()));
    gather(meet).join().unwrap();
    let [runs, waits, cancelled] = [(); 3].map(|()| pool.wait(gate.port()));
    let held = gate.entered();
    drop(pool);
    cancelled.cancel();
    drop(held);
    runs.join().unwrap();
    drop(gate.entered());
    waits.join().unwrap();
    for mut value in values {
        value.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut said = String::new();
        value.read_to_string(&mut said).expect("it is not dropped");
        assert_eq!(said, "dropped");
    }
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
