//! Values and methods that do not come to an end, or go too deep: that costs their own worker, and
//! no other.

use trine::{ErrorKind, Task, concurrent};
use trine_tests::gate::Gate;

use crate::counters::{Supervised, pass};

/// A worker whose value waits at a gate when it is dropped, if there is one.
struct Ends {
    read: Box<dyn Fn() -> Task<u64>>,
    worker: Box<dyn Supervised>,
}

macro_rules! ends {
    ($($module:ident: $mode:ident $(, $async:ident)?;)*) => {
        $(
            mod $module {
                use super::{Ends, concurrent, pass};

                pub(super) struct Value(Option<u16>);

                impl Drop for Value {
                    fn drop(&mut self) {
                        self.0.into_iter().for_each(|port| trine::blocking(|| pass(port)));
                    }
                }

                #[concurrent($mode)]
                impl Value {
                    pub(crate) $($async)? fn new(gate: Option<u16>) -> Self {
                        Self(gate)
                    }
                    pub(crate) $($async)? fn read(&self) -> u64 {
                        7
                    }
                }

                pub(super) fn start(gate: Option<u16>) -> Ends {
                    let worker = ValueWorker::new(gate);
                    let read = worker.clone();
                    Ends {
                        read: Box::new(move || read.read()),
                        worker: Box::new((*worker).clone()),
                    }
                }
            }
        )*
    };
}

ends! {
    on_threads: threads;
    on_processes: process;
    on_async: async, async;
}

type Start = fn(Option<u16>) -> Ends;

const IN_EVERY_MODE: [(&str, Start); 3] =
    [("threads", on_threads::start), ("process", on_processes::start), ("async", on_async::start)];

#[test]
fn a_destructor_that_waits_holds_up_its_own_worker_alone() {
    for (mode, start) in IN_EVERY_MODE {
        let gate = Gate::new();
        let (waits, other) = (start(Some(gate.port())), start(None));
        assert_eq!((waits.read)().join().unwrap(), 7, "{mode}");
        waits.worker.restart();
        let held = gate.entered();
        let behind = (waits.read)();
        for _ in 0..20 {
            assert_eq!((other.read)().join().unwrap(), 7, "{mode}");
        }
        other.worker.restart();
        assert_eq!((other.read)().join().unwrap(), 7, "{mode}");
        assert!(!behind.is_finished(), "{mode}");
        drop(held);
        assert_eq!(behind.join().unwrap(), 7, "{mode}");
        // Nobody waits for the last one, and it may go on.
        drop(waits);
        drop(gate.entered());
    }
}

/// Calls itself.
struct Deep;

impl Deep {
    fn down(depth: u64) -> u64 {
        let room = std::hint::black_box([depth; 64]);
        if depth == 0 { 0 } else { Self::down(depth - 1) + room[0] / depth }
    }
}

#[concurrent(process, restarts = 2)]
impl Deep {
    pub(crate) fn new() -> Self {
        Self
    }
    pub(crate) fn dive(&mut self, depth: u64) -> u64 {
        Self::down(depth)
    }
}

#[test]
fn a_method_that_recurses_too_deeply_costs_its_value() {
    let deep = DeepWorker::new();
    for restarts in 1..=2 {
        assert_eq!(deep.dive(100).join().unwrap(), 100);
        let error = deep.dive(u64::MAX).join().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::StackOverflow), "{error}");
        assert_eq!(deep.dive(100).join().unwrap(), 100);
        assert_eq!(deep.restarts(), restarts);
    }
}

struct Link(Option<LinkWorker>);

#[concurrent(threads)]
impl Link {
    pub(crate) fn new(next: Option<LinkWorker>) -> Self {
        Self(next)
    }
    pub(crate) fn length(&self) -> u64 {
        1 + self.0.as_ref().map_or(0, |next| next.length().join().unwrap())
    }
}

/// Each call waits for one of the next, and each value has the handle of the next.
#[test]
fn a_row_of_workers_waits_for_its_end_and_is_dropped() {
    let row = (0..1000).fold(None, |next, _| Some(LinkWorker::new(next)));
    assert_eq!(row.unwrap().length().join().unwrap(), 1000);
}
