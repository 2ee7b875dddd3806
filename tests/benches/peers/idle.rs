//! Row 13: what a pool costs that has nothing, or little, to do.

use std::thread;
use std::time::{Duration, Instant};

use crate::blocking::tokio_runtime;
use crate::harness::{Goal, Row};

const TIME: Duration = Duration::from_secs(3);

#[trine::concurrent(threads)]
fn empty() {}

fn one_per_ms(mut task: impl FnMut()) {
    let start = Instant::now();
    while start.elapsed() < TIME {
        task();
        thread::sleep(Duration::from_millis(1));
    }
}

pub fn after_work() -> Row {
    let tokio = tokio_runtime();
    Row::new("13", "idle", "idle after work, 3 s, CPU in all")
        .rounds(1)
        .contestant("trine threads", || {
            empty().join().expect("no task fails");
            thread::sleep(TIME);
        })
        .contestant("rayon", || {
            rayon::spawn(|| {});
            thread::sleep(TIME);
        })
        .contestant("tokio spawn_blocking", move || {
            tokio.spawn_blocking(|| {});
            thread::sleep(TIME);
        })
}

pub fn one_per_millisecond() -> Row {
    let tokio = tokio_runtime();
    Row::new("13m", "trickle", "a task per millisecond, detached, 3 s, CPU in all")
        .rounds(1)
        .contestant("trine threads", || one_per_ms(|| empty().detach()))
        .contestant("rayon", || one_per_ms(|| rayon::spawn(|| {})))
        .contestant("tokio spawn_blocking", move || {
            one_per_ms(|| drop(tokio.spawn_blocking(|| {})))
        })
        .goal(Goal::Cpu(1.0))
}
