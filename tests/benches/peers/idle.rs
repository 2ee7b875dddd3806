//! Row 13: what a pool costs that has little or nothing to do. Each contestant runs alone in a
//! process of its own and reports its CPU time, which this row shows as wall time.

use std::thread;
use std::time::{Duration, Instant};

use crate::blocking::tokio_runtime;
use crate::harness::{Goal, Row, cpu_time};
use crate::role::{self, Role};

const TIME: Duration = Duration::from_secs(10);

#[trine::concurrent(threads)]
fn empty() {}

/// A thousand tasks, then nothing.
fn idle(mut task: impl FnMut()) {
    (0..1000).for_each(|_| task());
    thread::sleep(Duration::from_millis(200));
    let before = cpu_time();
    thread::sleep(TIME);
    role::tell(cpu_time() - before);
}

fn trickle(mut task: impl FnMut()) {
    let (start, before) = (Instant::now(), cpu_time());
    while start.elapsed() < TIME {
        task();
        thread::sleep(Duration::from_millis(1));
    }
    role::tell(cpu_time() - before);
}

/// What a child of this role does.
pub(crate) fn play(role: Role) {
    let run = |tell: fn(&mut dyn FnMut()), mut task: Box<dyn FnMut()>| tell(&mut *task);
    type Tell = fn(&mut dyn FnMut());
    let (idle, trickle): (Tell, Tell) = (|task| idle(task), |task| trickle(task));
    let tokio = || {
        let tokio = tokio_runtime();
        Box::new(move || drop(tokio.spawn_blocking(|| {})))
    };
    match role {
        Role::IdleTrine => run(idle, Box::new(|| empty().detach())),
        Role::IdleRayon => run(idle, Box::new(|| rayon::spawn(|| {}))),
        Role::IdleTokio => run(idle, tokio()),
        Role::TrickleTrine => run(trickle, Box::new(|| empty().detach())),
        Role::TrickleRayon => run(trickle, Box::new(|| rayon::spawn(|| {}))),
        Role::TrickleTokio => run(trickle, tokio()),
        _ => {}
    }
}

pub(crate) fn after_work() -> Row {
    Row::new("13", "idle for 10 s after work, CPU time")
        .rounds(3)
        .cold()
        .self_timed("trine threads", || Role::IdleTrine.perform())
        .self_timed("rayon", || Role::IdleRayon.perform())
        .self_timed("tokio spawn_blocking", || Role::IdleTokio.perform())
        .goal(Goal::Best(1.0))
}

pub(crate) fn one_per_millisecond() -> Row {
    Row::new("13", "a detached task per millisecond for 10 s, CPU time")
        .rounds(3)
        .cold()
        .self_timed("trine threads", || Role::TrickleTrine.perform())
        .self_timed("rayon", || Role::TrickleRayon.perform())
        .self_timed("tokio spawn_blocking", || Role::TrickleTokio.perform())
        .goal(Goal::Best(1.0))
}
