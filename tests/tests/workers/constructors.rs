//! Constructors that do not end: what ends them, and the calls that wait for them.

use std::io::Read as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use trine::{ErrorKind, Task, concurrent};
use trine_tests::checks::wait_until;
use trine_tests::gate::Gate;

use crate::counters::{Supervised, pass};

/// A worker whose constructor comes to a gate and waits there.
struct Stuck {
    read: Box<dyn Fn() -> Task<u64>>,
    worker: Box<dyn Supervised>,
}

/// Whether the constructor that came has been ended, and not let go on.
fn is_ended(gate: &mut TcpStream) -> bool {
    gate.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    trine::blocking(|| gate.read(&mut [0])).is_ok_and(|length| length == 0)
}

macro_rules! stuck {
    ($($module:ident: $mode:ident, $wait:ident $(, $async:ident $await:tt)?;)*) => {
        $(
            mod $module {
                use super::{Gate, Stuck, concurrent, $wait};

                pub(super) struct Type;

                #[concurrent($mode)]
                impl Type {
                    pub(crate) $($async)? fn new(port: u16) -> Self {
                        stuck!($wait(port) $($await)?);
                        Self
                    }
                    #[concurrent(timeout = 50ms)]
                    pub(crate) $($async)? fn in_time(port: u16) -> Self {
                        stuck!($wait(port) $($await)?);
                        Self
                    }
                    pub(crate) $($async)? fn read(&self) -> u64 {
                        7
                    }
                }

                fn with(worker: TypeWorker) -> Stuck {
                    let read = worker.clone();
                    let worker = Box::new((*worker).clone());
                    Stuck { read: Box::new(move || read.read()), worker }
                }

                pub(super) fn start(gate: &Gate) -> Stuck {
                    with(TypeWorker::new(gate.port()))
                }

                pub(super) fn start_in_time(gate: &Gate) -> Stuck {
                    with(TypeWorker::in_time(gate.port()))
                }
            }
        )*
    };
    ($wait:ident($port:ident)) => { $wait($port) };
    ($wait:ident($port:ident) await) => { $wait($port).await };
}

/// A future that ends when it may go on, and whose end the gate sees.
async fn wait_aside(port: u16) {
    let gate = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    gate.readable().await.unwrap();
}

stuck! {
    on_threads: threads, pass;
    on_processes: process, pass;
    on_async: async, wait_aside, async await;
}

type Start = fn(&Gate) -> Stuck;

const IN_EVERY_MODE: [(&str, Start, Start); 3] = [
    ("threads", on_threads::start, on_threads::start_in_time),
    ("process", on_processes::start, on_processes::start_in_time),
    ("async", on_async::start, on_async::start_in_time),
];

#[test]
fn stop_ends_what_waits_for_it_and_itself() {
    for (mode, start, _) in IN_EVERY_MODE {
        let gate = Gate::new();
        let stuck = start(&gate);
        let waits = [(); 3].map(|()| (stuck.read)());
        let mut held = gate.entered();
        stuck.worker.stop();
        for task in waits {
            assert!(task.join().unwrap_err().is_stopped(), "{mode}");
        }
        assert!((stuck.read)().join().unwrap_err().is_stopped(), "{mode}");
        assert!(mode == "threads" || is_ended(&mut held), "{mode}");
    }
}

#[test]
fn restart_makes_another_value_for_what_waits() {
    for (mode, start, _) in IN_EVERY_MODE {
        let gate = Gate::new();
        let stuck = start(&gate);
        let waits = (stuck.read)();
        let mut first = gate.entered();
        stuck.worker.restart();
        // On a thread the first one runs on.
        let second = gate.entered();
        assert!(mode == "threads" || is_ended(&mut first), "{mode}");
        drop(second);
        assert_eq!(waits.join().unwrap(), 7, "{mode}");
        assert_eq!(stuck.worker.restarts(), 1, "{mode}");
    }
}

#[test]
fn it_ends_once_nobody_wants_its_value() {
    for (mode, start, _) in IN_EVERY_MODE {
        let gate = Gate::new();
        let Stuck { read, worker } = start(&gate);
        let waits = read();
        let mut held = gate.entered();
        drop((read, worker));
        assert!(!waits.is_finished(), "{mode}");
        drop(waits);
        assert!(mode == "threads" || is_ended(&mut held), "{mode}");
    }
}

#[test]
fn it_ends_with_the_last_handle_if_nothing_waits() {
    for (mode, start, _) in IN_EVERY_MODE {
        let gate = Gate::new();
        let stuck = start(&gate);
        let mut held = gate.entered();
        drop(stuck);
        assert!(mode == "threads" || is_ended(&mut held), "{mode}");
    }
}

#[test]
fn its_timeout_is_what_calls_are_told() {
    for (mode, _, start) in IN_EVERY_MODE {
        let gate = Gate::new();
        let stuck = start(&gate);
        let waits = (stuck.read)();
        let mut held = gate.entered();
        for error in [waits, (stuck.read)()].map(|task| task.join().unwrap_err()) {
            let said = error.to_string();
            assert!(matches!(error.kind(), ErrorKind::Worker { .. }), "{mode}: {said}");
            assert!(said.contains("`in_time`") && said.contains("50ms"), "{mode}: {said}");
        }
        assert!(mode == "threads" || is_ended(&mut held), "{mode}");
    }
}

/// Counts the values that there are.
struct Late(Arc<AtomicUsize>);

impl Drop for Late {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[concurrent(threads)]
impl Late {
    pub(crate) fn new(values: Arc<AtomicUsize>, port: u16, ends: mpsc::Sender<()>) -> Self {
        pass(port);
        values.fetch_add(1, Ordering::SeqCst);
        let _ = ends.send(());
        Self(values)
    }
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[test]
fn on_a_thread_it_runs_on_and_what_it_makes_is_dropped() {
    let (values, gate) = (Arc::new(AtomicUsize::new(0)), Gate::new());
    let (ends, ended) = mpsc::channel();
    let late = LateWorker::new(Arc::clone(&values), gate.port(), ends);
    let counts = late.count();
    let first = gate.entered();
    late.restart();
    drop(gate.entered());
    assert_eq!(counts.join().unwrap(), 1);
    ended.recv().unwrap();
    drop(first);
    ended.recv().unwrap();
    // Nobody says when the other is dropped.
    trine::blocking(|| {
        while values.load(Ordering::SeqCst) > 1 {
            std::thread::yield_now();
        }
    });
    assert_eq!((late.count().join().unwrap(), late.restarts()), (1, 1));
}

/// Nobody may be left in the processes of values that were to take another one's place.
struct Renewed;

#[concurrent(process, renew = 1)]
impl Renewed {
    pub(crate) fn new(port: u16) -> Self {
        pass(port);
        Self
    }
    pub(crate) fn read(&self) -> u64 {
        7
    }
}

#[test]
fn that_of_a_successor_ends_with_its_worker() {
    let gate = Gate::new();
    let renewed = RenewedWorker::new(gate.port());
    drop(gate.entered());
    assert_eq!(renewed.read().join().unwrap(), 7);
    let mut successor = gate.entered();
    assert_eq!(renewed.read().join().unwrap(), 7);
    drop(renewed);
    assert!(is_ended(&mut successor));
}

/// Its process may be the one in which the next value is made: that is not to be ended with it.
#[test]
fn one_that_is_called_off_before_it_is_sent_takes_no_other_with_it() {
    for _ in 0..20 {
        let gate = Gate::new();
        let stuck = on_processes::start(&gate);
        stuck.worker.restart();
        let read = (stuck.read)();
        // The first may come there too.
        wait_until(|| {
            drop(gate.entered_already());
            read.is_finished()
        });
        assert_eq!(read.join().unwrap(), 7);
    }
}
