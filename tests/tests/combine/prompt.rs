//! A joiner of many tasks reacts promptly when one fails, and does not wait for a queue either.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use trine::{Error, Task, concurrent, gather};
use trine_tests::gate::Gate;
use trine_tests::modes::MODES;

/// Only against a hang.
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
                    // The others end only when the join has.
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
