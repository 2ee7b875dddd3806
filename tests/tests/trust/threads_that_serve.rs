//! Threads that serve all tasks survive whatever the code of one task does on them.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde::{Deserialize, Serialize};
use trine::{concurrent, gather};
use trine_tests::checks::wait_until;

/// Set only in the test's own process, so that workers can drop these.
static ARMED: AtomicBool = AtomicBool::new(false);

/// Panics when it is dropped, with a payload that does the same.
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
    // Nobody joins these, so only the thread that serves all workers can bring them to an end.
    let later: Vec<_> = (0..4).map(|_| bystander()).collect();
    wait_until(|| later.iter().all(trine::Task::is_finished));
}
