//! Threads that serve all tasks outlive whatever the code of one does on them.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde::{Deserialize, Serialize};
use trine::{concurrent, gather};
use trine_tests::checks::wait_until;

/// Set in the test's own process alone, so that workers may drop these.
static ARMED: AtomicBool = AtomicBool::new(false);

/// Panics when it is dropped, and what it panics with does too.
#[derive(Serialize, Deserialize)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if ARMED.load(SeqCst) {
            std::panic::panic_any(Bomb);
        }
    }
}

#[concurrent(process)]
fn bomb(is_there: bool) -> Bomb {
    assert!(is_there);
    Bomb
}

#[concurrent(process)]
fn bystander() {}

#[test]
fn values_that_panic_when_dropped_end_no_thread() {
    ARMED.store(true, SeqCst);
    for _ in 0..8 {
        gather([bomb(false), bomb(true), bomb(true)]).detach();
    }
    bomb(true).detach();
    // Only the thread that serves all workers can see this to its end: nobody joins it.
    let later: Vec<_> = (0..4).map(|_| bystander()).collect();
    wait_until(|| later.iter().all(trine::Task::is_finished));
}
