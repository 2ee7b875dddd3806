//! No deadline is late because of what another task does when it ends.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use trine::{Task, concurrent};
use trine_tests::checks::{ends_in_time, wait_until};

/// Arguments that run something when they are dropped.
struct OnDrop(Option<Box<dyn FnOnce() + Send>>);

impl OnDrop {
    fn new(run: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(run)))
    }
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(run) = self.0.take() {
            run();
        }
    }
}

#[concurrent(threads, limit = 1)]
fn holds(until: mpsc::Receiver<()>, _arguments: Option<OnDrop>) {
    let _ = until.recv();
}

#[concurrent(async)]
async fn never() {
    std::future::pending().await
}

/// A call that ends by its deadline although it never started.
fn queued(on_drop: impl FnOnce() + Send + 'static) -> Task<()> {
    let (sender, until) = mpsc::channel();
    drop(sender);
    holds(until, Some(OnDrop::new(on_drop))).timeout(Duration::from_millis(5))
}

fn others_end_in_time(name: &str) {
    ends_in_time(name, || {
        for _ in 0..4 {
            assert!(never().timeout(Duration::from_millis(1)).join().unwrap_err().is_timeout());
        }
    });
}

struct Blocks(Arc<Barrier>);

impl Wake for Blocks {
    fn wake(self: Arc<Self>) {
        self.0.wait();
    }
}

#[test]
fn what_a_deadline_sets_off_delays_nobody_else() {
    let (release, until) = mpsc::channel();
    let holder = holds(until, None);
    let released = Arc::new(Barrier::new(17));
    let waits = || {
        let released = Arc::clone(&released);
        move || {
            released.wait();
        }
    };
    // Arguments whose destructors all block until the end of the test.
    let blocked: Vec<_> = (0..12).map(|_| queued(waits())).collect();
    // The tasks themselves have ended, whatever their arguments do.
    wait_until(|| blocked.iter().all(Task::is_finished));
    others_end_in_time("beside destructors that block");

    // Wakers that block.
    let waker = Waker::from(Arc::new(Blocks(Arc::clone(&released))));
    let mut awaited: Vec<_> = (0..4).map(|_| never().timeout(Duration::from_millis(5))).collect();
    for task in &mut awaited {
        let _ = Future::poll(Pin::new(task), &mut Context::from_waker(&waker));
    }
    wait_until(|| awaited.iter().all(Task::is_finished));
    others_end_in_time("beside wakers that block");

    // Destructors that wait for deadlines of their own, and that panic with a payload that panics.
    let joins = queued(|| drop(never().timeout(Duration::from_millis(5)).join()));
    let panics = queued(|| std::panic::panic_any(OnDrop::new(|| panic!("in the payload"))));
    wait_until(|| joins.is_finished() && panics.is_finished());
    others_end_in_time("beside destructors that wait and panic");

    released.wait();
    release.send(()).unwrap();
    holder.join().unwrap();
}
