//! What is special about tasks on tokio: runtimes that end.

use std::sync::mpsc;

use tokio::runtime::Builder;
use trine::concurrent;

#[concurrent(async)]
async fn waits(started: mpsc::Sender<()>, _kept: mpsc::Sender<()>) {
    started.send(()).unwrap();
    std::future::pending().await
}

#[test]
fn a_task_of_a_runtime_that_ended_before_it_started_is_cancelled() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let (started, starts) = mpsc::channel();
    // Never polled: nobody drives the runtime.
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
