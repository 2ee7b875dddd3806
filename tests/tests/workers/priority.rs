//! `priority` at methods and at the `impl`: of calls to several workers that wait for a thread,
//! those with a high one start first and those with a low one last. Calls of one worker stay in
//! order, whatever they have.

use std::io::{Read, Write};
use std::net::TcpStream;

use futures::future::join_all;
use trine::{Task, block_on, concurrent};
use trine_tests::gate::Gate;
use trine_tests::programs::alone;

/// A worker. Each call, but for that which waits, returns how many have run before.
struct Ranked {
    high: Box<dyn Fn() -> Task<u32>>,
    usual: Box<dyn Fn() -> Task<u32>>,
    low: Box<dyn Fn() -> Task<u32>>,
    /// The same at a worker of another type, whose `impl` says so.
    also_low: Box<dyn Fn() -> Task<u32>>,
    /// Waits at a gate.
    wait: Box<dyn Fn(u16) -> Task<()>>,
}

macro_rules! ranked {
    ($module:ident, $mode:ident $(, $async:ident $aside:ident)?) => {
        mod $module {
            use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

            use super::{Ranked, concurrent};
            use crate::counters::pass;

            static RAN: AtomicU32 = AtomicU32::new(0);

            pub(crate) struct Some;

            #[concurrent($mode)]
            impl Some {
                pub(crate) $($async)? fn new() -> Self {
                    Self
                }
                #[concurrent(priority = high)]
                pub(crate) $($async)? fn high(&self) -> u32 {
                    RAN.fetch_add(1, SeqCst)
                }
                pub(crate) $($async)? fn usual(&self) -> u32 {
                    RAN.fetch_add(1, SeqCst)
                }
                #[concurrent(priority = low)]
                pub(crate) $($async)? fn low(&mut self) -> u32 {
                    RAN.fetch_add(1, SeqCst)
                }
                pub(crate) $($async)? fn wait(&self, port: u16) {
                    ranked!(port $($aside)?);
                }
            }

            pub(crate) struct Other;

            #[concurrent($mode, priority = low)]
            impl Other {
                pub(crate) $($async)? fn new() -> Self {
                    Self
                }
                pub(crate) $($async)? fn low(&self) -> u32 {
                    RAN.fetch_add(1, SeqCst)
                }
            }

            pub(super) fn start() -> Ranked {
                let (worker, other) = (SomeWorker::new(), OtherWorker::new());
                let with = || worker.clone();
                let (high, usual, low, wait) = (with(), with(), with(), with());
                Ranked {
                    high: Box::new(move || high.high()),
                    usual: Box::new(move || usual.usual()),
                    low: Box::new(move || low.low()),
                    also_low: Box::new(move || other.low()),
                    wait: Box::new(move |port| wait.wait(port)),
                }
            }
        }
    };
    ($port:ident) => { pass($port) };
    // Threads of the runtime are few, and not to be blocked.
    ($port:ident aside) => {
        tokio::task::spawn_blocking(move || pass($port)).await.unwrap()
    };
}

ranked!(on_threads, threads);
ranked!(on_processes, process);
ranked!(on_async, async, async aside);

/// What a connected body does: it keeps its thread busy without a wait, in which the pool would let
/// others run, until it is let go.
fn occupy(mut gate: TcpStream) {
    gate.set_nonblocking(true).unwrap();
    gate.write_all(&[0]).unwrap();
    while gate.read(&mut [0]).is_err() {
        std::hint::spin_loop();
    }
}

#[concurrent(threads)]
fn occupies_a_thread(gate: TcpStream) {
    occupy(gate);
}

#[concurrent(async)]
async fn occupies_a_runtime(gate: TcpStream) {
    occupy(gate);
}

fn places(tasks: Vec<Task<u32>>) -> Vec<u32> {
    // Awaited, since a join would lend a hand.
    block_on(join_all(tasks)).into_iter().map(Result::unwrap).collect()
}

fn starts_in_order(start: fn() -> Ranked, occupies: fn(TcpStream) -> Task<()>) {
    let [first, second, third] = [start(), start(), start()];
    // In the mode `async` the order begins with the first call of a function with a priority.
    let before = vec![(second.usual)(), (third.high)(), (first.low)(), (first.also_low)()];
    let mut ran = places(before).into_iter().max().unwrap();
    for _ in 0..10 {
        let gate = Gate::new();
        let long = occupies(TcpStream::connect(("127.0.0.1", gate.port())).unwrap());
        let mut inside = gate.entered();
        inside.read_exact(&mut [0]).unwrap();
        let calls = [&first.also_low, &first.low, &second.usual, &third.high];
        let tasks = calls.map(|call| call()).into();
        drop(inside);
        assert_eq!(places(tasks), [3, 4, 2, 1].map(|place| ran + place));
        long.join().unwrap();
        ran += 4;
    }
}

const ONE_THREAD: &[(&str, &str)] = &[("TRINE_THREADS", "1")];

#[test]
fn of_workers_that_wait_for_a_thread_a_high_one_starts_first_and_a_low_one_last() {
    let test = of_workers_that_wait_for_a_thread_a_high_one_starts_first_and_a_low_one_last;
    alone(test, ONE_THREAD, || {
        starts_in_order(on_threads::start, occupies_a_thread);
        starts_in_order(on_async::start, occupies_a_runtime);
    });
}

fn stay_in_order(start: fn() -> Ranked) {
    let ranked = start();
    let gate = Gate::new();
    let runs = (ranked.wait)(gate.port());
    let held = gate.entered();
    let in_turn = [&ranked.low, &ranked.usual, &ranked.high];
    let tasks = (0..30).map(|number| in_turn[number % 3]()).collect();
    drop(held);
    let places = places(tasks);
    assert_eq!(places, Vec::from_iter(places[0]..places[0] + 30));
    runs.join().unwrap();
}

#[test]
fn calls_of_one_worker_stay_in_order_on_threads() {
    alone(calls_of_one_worker_stay_in_order_on_threads, &[], || stay_in_order(on_threads::start));
}

#[test]
fn calls_of_one_worker_stay_in_order_in_its_process() {
    stay_in_order(on_processes::start);
}

#[test]
fn calls_of_one_worker_stay_in_order_on_tokio() {
    alone(calls_of_one_worker_stay_in_order_on_tokio, &[], || stay_in_order(on_async::start));
}

/// Each has a process of its own, for which no other call waits.
#[test]
fn a_low_one_in_a_process_waits_for_no_other_worker() {
    let [busy, idle] = [on_processes::start(), on_processes::start()];
    let gate = Gate::new();
    let runs = (busy.wait)(gate.port());
    let held = gate.entered();
    let waits: Vec<_> = (0..30).map(|_| (busy.high)()).collect();
    assert_eq!(places(vec![(idle.low)(), (idle.also_low)()])[0], 0);
    drop(held);
    places(waits);
    runs.join().unwrap();
}
