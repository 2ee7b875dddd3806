//! A joiner of many tasks reacts promptly when one of them fails, and does not wait for a queue
//! either.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use trine::{Error, Task, TaskIterator, TaskSet, concurrent, gather, race};
use trine_tests::gate::Gate;
use trine_tests::modes::MODES;

/// Only to end a hang.
const LONG: Duration = Duration::from_secs(60);

fn within(what: &str, run: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    thread::Builder::new()
        .name(what.to_owned())
        .spawn(move || {
            run();
            done.send(()).unwrap();
        })
        .unwrap();
    is_done.recv_timeout(LONG).unwrap_or_else(|_| panic!("{what}: failed or hangs"));
}

type Joins = fn(Task<Vec<u32>>) -> Result<Vec<u32>, Error>;

const JOINERS: &[(&str, Joins)] = &[
    ("a thread", Task::join),
    ("of what follows", |task| task.map(|values| values).join()),
    ("of what comes next", |task| task.then(same).join()),
    ("of more tasks", |task| gather((task,)).map(|(values,)| values).join()),
    ("a multi-thread runtime", |task| {
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async { tokio::spawn(async { task.join() }).await.unwrap() })
    }),
    ("a blocking thread of a runtime", |task| {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { tokio::task::spawn_blocking(|| task.join()).await.unwrap() })
    }),
    ("one who awaits", futures::executor::block_on),
];

#[concurrent(threads)]
fn same(values: Vec<u32>) -> Vec<u32> {
    values
}

type Next = fn([Task<u32>; 3]) -> bool;

/// Whoever takes what ends first.
const FIRST: &[(&str, Next)] = &[
    ("buffer_unordered", |parts| parts.into_iter().buffer_unordered(3).next().unwrap().is_err()),
    ("buffer_unordered, for a time", |parts| {
        parts.into_iter().buffer_unordered(3).next_timeout(LONG).unwrap().unwrap().is_err()
    }),
    ("a set", |parts| TaskSet::from_iter(parts).join_next().unwrap().is_err()),
    ("a set, for a time", |parts| {
        TaskSet::from_iter(parts).next_timeout(LONG).unwrap().unwrap().is_err()
    }),
    ("a set, awaited", |parts| trine::block_on(TaskSet::from_iter(parts).next()).unwrap().is_err()),
    ("buffered, and its first", |parts| parts.into_iter().buffered(3).next().unwrap().is_err()),
];

/// Whether a thread of the pool runs none of the parts.
fn is_free(way: &str) -> bool {
    way.ends_with("for a time") || way.ends_with("awaited")
}

type Runs = fn(Box<dyn FnOnce() + Send>);

const THREADS: &[(&str, Runs)] = &[
    ("a thread", |take| take()),
    ("a thread of the pool", |take| on_pool(take).timeout(LONG).join().unwrap()),
    ("a multi-thread runtime", |take| {
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async { tokio::spawn(async { take() }).await.unwrap() });
    }),
];

#[test]
fn what_fails_first_is_taken_while_others_run() {
    crate::configure();
    for mode in MODES {
        for (thread, runs) in THREADS {
            for (way, fails) in FIRST {
                for failing in [0, 1, 2] {
                    // In order, or on a thread that runs what it waits for.
                    let is_late = way.starts_with("buffered,") && failing > 0
                        || *thread == "a thread of the pool" && !is_free(way);
                    if is_late {
                        continue;
                    }
                    let name = format!("{}, {thread}, {way}, part {failing}", mode.name);
                    within(&name, move || {
                        let gate = Gate::new();
                        let port = gate.port();
                        runs(Box::new(move || {
                            let part = |index| {
                                if index == failing { (mode.panics)(1) } else { (mode.gated)(port) }
                            };
                            assert!(fails([part(0), part(1), part(2)]), "{way}");
                        }));
                        drop(gate);
                    });
                }
            }
        }
    }
}

#[test]
fn a_failure_is_told_while_others_run() {
    crate::configure();
    for mode in MODES {
        for (joiner, join) in JOINERS {
            for failing in [0, 1, 2] {
                within(&format!("{}, {joiner}, part {failing}", mode.name), move || {
                    let gate = Gate::new();
                    let part = |index| {
                        if index == failing { (mode.panics)(1) } else { (mode.gated)(gate.port()) }
                    };
                    // The others end only after the join has.
                    assert!(join(gather(vec![part(0), part(1), part(2)])).unwrap_err().is_panic());
                    drop(gate);
                });
            }
        }
    }
}

#[concurrent(threads)]
fn computes_until(flag: Arc<AtomicBool>) {
    while !flag.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
}

#[concurrent(threads)]
fn sets(flag: Option<Arc<AtomicBool>>) {
    if let Some(flag) = flag {
        flag.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_join_does_not_wait_for_a_queue() {
    crate::configure();
    within("behind a full pool", || {
        let flag = Arc::new(AtomicBool::new(false));
        let busy: Vec<_> = (0..8).map(|_| computes_until(flag.clone())).collect();
        gather([sets(None), sets(Some(flag)), sets(None)]).join().unwrap();
        gather(busy).join().unwrap();
    });
}

#[concurrent(threads)]
fn on_pool(run: Box<dyn FnOnce() + Send>) {
    run();
}

type Fails = fn([Task<u32>; 3]) -> bool;

/// Ways in which a thread of the pool runs none of the parts, and so learns of a failure in time.
const ON_POOL: &[(&str, Fails)] = &[
    ("race", |parts| race(parts).join().is_err()),
    ("race of outcomes", |parts| race(parts.map(Task::outcome)).join().unwrap().is_err()),
    ("gather, awaited", |parts| trine::block_on(gather(parts)).is_err()),
    ("gather with a deadline", |parts| gather(parts).timeout(LONG).join().is_err()),
    ("gather, joined for a time", |parts| gather(parts).join_timeout(LONG).unwrap().is_err()),
];

#[test]
fn a_thread_of_the_pool_is_in_time_where_it_has_to_be_free() {
    crate::configure();
    for mode in MODES {
        for (way, fails) in ON_POOL {
            for failing in [0, 1, 2] {
                within(&format!("{}, {way}, part {failing}", mode.name), move || {
                    let gate = Gate::new();
                    let parts = [0, 1, 2].map(|index| {
                        if index == failing { (mode.panics)(1) } else { (mode.gated)(gate.port()) }
                    });
                    let check = move || assert!(fails(parts), "{way}");
                    // Because of the deadline, no joiner runs it.
                    on_pool(Box::new(check)).timeout(LONG).join().unwrap();
                    drop(gate);
                });
            }
        }
    }
}
