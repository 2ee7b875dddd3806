//! What is special about tasks on tokio: runtimes that end.

use std::sync::mpsc;

use tokio::runtime::Builder;
use trine::{Error, Task, TaskIterator, concurrent, gather};

#[concurrent(async)]
async fn waits(started: mpsc::Sender<()>, _kept: mpsc::Sender<()>) {
    started.send(()).unwrap();
    std::future::pending().await
}

#[test]
fn a_task_of_a_runtime_that_ended_before_it_started_is_cancelled() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let (started, starts) = mpsc::channel();
    // Never polled: nothing drives the runtime.
    let task = {
        let _context = runtime.enter();
        waits(started.clone(), started)
    };
    drop(runtime);
    assert!(task.join().unwrap_err().is_cancelled());
    assert!(starts.recv().is_err(), "its arguments are gone");
}

#[test]
fn a_task_of_a_runtime_that_has_ended_already_is_cancelled() {
    let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let handle = runtime.handle().clone();
    runtime.shutdown_background();
    let (started, starts) = mpsc::channel();
    let _context = handle.enter();
    assert!(waits(started.clone(), started).join().unwrap_err().is_cancelled());
    assert!(starts.recv().is_err(), "its arguments are gone");
}

#[test]
fn a_waiting_task_ends_with_its_runtime() {
    let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (started, starts) = mpsc::channel();
    let (kept, keeps) = mpsc::channel();
    let task = {
        let _context = runtime.enter();
        waits(started, kept)
    };
    starts.recv().unwrap();
    drop(runtime);
    assert!(task.join().unwrap_err().is_cancelled());
    assert!(keeps.recv().is_err(), "its arguments are gone");
}

#[concurrent(async, limit = 1)]
async fn one_at_a_time() {
    std::future::pending::<()>().await;
}

/// Many calls that wait for a place; each hands it to the next as it ends.
#[test]
fn calls_under_a_limit_end_with_their_runtime() {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let tasks: Vec<_> = {
        let _context = runtime.enter();
        (0..20_000).map(|_| one_at_a_time()).collect()
    };
    // On a stack that would overflow if they nested.
    let small = std::thread::Builder::new().stack_size(128 << 10);
    small.spawn(move || drop(runtime)).unwrap().join().unwrap();
    for task in tasks {
        assert!(task.join().unwrap_err().is_cancelled());
    }
}

type Waits = fn(Task<()>) -> Result<(), Error>;

/// Whoever waits, in whatever way, gets an answer when the runtime ends.
#[test]
fn waits_end_with_the_runtime() {
    let ways: [Waits; 6] = [
        Task::join,
        |task| futures::executor::block_on(task),
        |task| task.map(|()| ()).join(),
        |task| task.outcome().join().and_then(|outcome| outcome),
        |task| gather([task, ready()]).join().map(|_| ()),
        |task| std::iter::once(task).buffer_unordered(1).next().unwrap(),
    ];
    for wait in ways {
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (started, starts) = mpsc::channel();
        let (kept, _keeps) = mpsc::channel();
        let task = {
            let _context = runtime.enter();
            waits(started, kept)
        };
        starts.recv().unwrap();
        let waiter = std::thread::spawn(move || wait(task));
        drop(runtime);
        assert!(waiter.join().unwrap().unwrap_err().is_cancelled());
    }
}

#[concurrent(threads)]
fn ready() {}

#[concurrent(async, priority = high)]
async fn waits_first(_kept: mpsc::Sender<()>) {
    std::future::pending().await
}

#[concurrent(async, priority = low)]
async fn waits_last(_kept: mpsc::Sender<()>) {
    std::future::pending().await
}

/// Wherever they are: never polled, started, given up, or on a runtime that is gone before.
#[test]
fn calls_with_a_priority_end_with_their_runtime_and_no_other() {
    let other = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    for is_driven in [true, false, true, false] {
        let runtime = Builder::new_current_thread().build().unwrap();
        let (kept, keeps) = mpsc::channel();
        let make = || {
            let rest = [waits_first(kept.clone()), waits_last(kept.clone())];
            drop(waits_first(kept.clone()));
            rest
        };
        let tasks: Vec<_> = {
            let _context = runtime.enter();
            (0..100).flat_map(|_| make()).collect()
        };
        let elsewhere = {
            let _context = other.enter();
            make()
        };
        if is_driven {
            runtime.block_on(tokio::task::yield_now());
        }
        drop(runtime);
        for task in tasks {
            assert!(task.join().unwrap_err().is_cancelled());
        }
        assert!(!elsewhere.iter().any(Task::is_finished));
        drop((elsewhere, kept));
        assert!(keeps.recv().is_err(), "their arguments are gone");
    }
    let handle = other.handle().clone();
    other.shutdown_background();
    let (kept, keeps) = mpsc::channel();
    let _context = handle.enter();
    assert!(waits_first(kept.clone()).join().unwrap_err().is_cancelled());
    assert!(waits_last(kept).join().unwrap_err().is_cancelled());
    assert!(keeps.recv().is_err(), "their arguments are gone");
}
