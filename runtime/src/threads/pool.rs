//! A fixed pool over one queue: the simplest that is right.

use std::sync::{Arc, Condvar, Mutex, Once, PoisonError};
use std::thread;

use crossbeam_deque::{Injector, Steal};

use crate::config;

/// What the queue holds.
pub(super) trait Runnable: Send + Sync {
    fn run(self: Arc<Self>);
}

struct Pool {
    queue: Injector<Arc<dyn Runnable>>,
    /// How many workers sleep.
    idle: Mutex<usize>,
    wake: Condvar,
}

static POOL: std::sync::LazyLock<Pool> = std::sync::LazyLock::new(|| Pool {
    queue: Injector::new(),
    idle: Mutex::new(0),
    wake: Condvar::new(),
});

pub(super) fn push(call: Arc<dyn Runnable>) {
    static START: Once = Once::new();
    START.call_once(|| {
        for _ in 0..config::threads() {
            thread::Builder::new()
                .name("trine-worker".to_owned())
                .spawn(work)
                .expect("trine could not start a thread of its pool");
        }
    });
    POOL.queue.push(call);
    let idle = POOL.idle.lock().unwrap_or_else(PoisonError::into_inner);
    if *idle > 0 {
        POOL.wake.notify_one();
    }
}

fn work() {
    loop {
        while let Some(call) = next() {
            call.run();
        }
        let mut idle = POOL.idle.lock().unwrap_or_else(PoisonError::into_inner);
        *idle += 1;
        while POOL.queue.is_empty() {
            idle = POOL.wake.wait(idle).unwrap_or_else(PoisonError::into_inner);
        }
        *idle -= 1;
    }
}

fn next() -> Option<Arc<dyn Runnable>> {
    loop {
        match POOL.queue.steal() {
            Steal::Success(call) => return Some(call),
            Steal::Empty => return None,
            Steal::Retry => {}
        }
    }
}
