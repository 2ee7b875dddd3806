//! `priority` where calls wait for threads and not for cores.

use std::sync::mpsc::{Receiver, Sender, channel};

use trine::{Error, Task, concurrent};
use trine_tests::programs::alone;

#[concurrent(threads)]
fn usual(until: Receiver<()>, ran: Sender<&'static str>) {
    _ = until.recv();
    ran.send("usual").unwrap();
}

#[concurrent(threads, priority = high)]
fn high(until: Receiver<()>, ran: Sender<&'static str>) {
    _ = until.recv();
    ran.send("high").unwrap();
}

#[concurrent(threads, priority = low)]
fn low(until: Receiver<()>, ran: Sender<&'static str>) {
    _ = until.recv();
    ran.send("low").unwrap();
}

type Blocks = fn(Receiver<()>, Sender<&'static str>) -> Task<()>;

/// Calls of functions that are known to wait get a thread at once. Where there is none, they get
/// the next one in order.
#[test]
fn calls_that_wait_get_a_thread_in_order() {
    let variables = [("TRINE_THREADS", "1"), ("TRINE_MAX_THREADS", "2")];
    alone(calls_that_wait_get_a_thread_in_order, &variables, || get_threads().unwrap());
}

fn get_threads() -> Result<(), Error> {
    let functions: [Blocks; 3] = [low, usual, high];
    let (ran, runs) = channel();
    for function in functions {
        // Until it is known.
        for _ in 0..10 {
            let (let_go, until) = channel();
            let task = function(until, ran.clone());
            std::thread::sleep(std::time::Duration::from_millis(10));
            drop(let_go);
            trine::block_on(task)?;
            runs.recv().unwrap();
        }
    }
    for _ in 0..10 {
        let held: Vec<_> = (0..2).map(|_| held()).collect();
        let waiting: Vec<_> = functions
            .iter()
            .flat_map(|function| (0..3).map(|_| function(channel().1, ran.clone())))
            .collect();
        let (first, second): (Vec<_>, Vec<_>) = held.into_iter().unzip();
        let mut first = first.into_iter();
        // One of the threads goes on.
        drop(first.next());
        for name in ["high", "usual", "low"] {
            for _ in 0..3 {
                assert_eq!(runs.recv().unwrap(), name);
            }
        }
        drop(first);
        for task in waiting.into_iter().chain(second) {
            trine::block_on(task)?;
        }
    }
    Ok(())
}

#[concurrent(threads)]
fn holds(started: Sender<()>, until: Receiver<()>) {
    started.send(()).unwrap();
    _ = trine::blocking(|| until.recv());
}

/// A thread that waits in a body: what lets it go on, and the task.
fn held() -> (Sender<()>, Task<()>) {
    let (started, starts) = channel();
    let (let_go, until) = channel();
    let task = holds(started, until);
    starts.recv().unwrap();
    (let_go, task)
}
