//! Constructors that take their time: what calls do meanwhile, in every mode. That time is no part
//! of their `timeout`.

use std::time::Duration;

use trine::{Task, concurrent, gather};
use trine_tests::gate::Gate;

use crate::counters::pass;

/// A worker whose constructor waits at a gate.
struct Slow {
    add: Box<dyn Fn(u64) -> Task<u64>>,
    /// With a `timeout` of its own, and with that of the `impl`.
    hurry: Box<dyn Fn() -> Task<u64>>,
    read: Box<dyn Fn() -> Task<u64>>,
}

macro_rules! slow {
    ($($module:ident: $mode:ident $(, $async:ident)?;)*) => {
        $(
            mod $module {
                use super::{Slow, concurrent, pass};

                pub(super) struct Type(u64);

                #[concurrent($mode, timeout = 350ms)]
                impl Type {
                    #[concurrent(timeout = 1h)]
                    pub(crate) $($async)? fn new(port: u16) -> Self {
                        pass(port);
                        Self(7)
                    }
                    #[concurrent(timeout = 1h)]
                    pub(crate) $($async)? fn add(&mut self, number: u64) -> u64 {
                        self.0 += number;
                        self.0
                    }
                    #[concurrent(timeout = 300ms)]
                    pub(crate) $($async)? fn hurry(&self) -> u64 {
                        self.0
                    }
                    pub(crate) $($async)? fn read(&self) -> u64 {
                        self.0
                    }
                }

                pub(super) fn start(port: u16) -> Slow {
                    let worker = TypeWorker::new(port);
                    let with = || worker.clone();
                    let (add, hurry, read) = (with(), with(), with());
                    Slow {
                        add: Box::new(move |number| add.add(number)),
                        hurry: Box::new(move || hurry.hurry()),
                        read: Box::new(move || read.read()),
                    }
                }
            }
        )*
    };
}

slow! {
    on_threads: threads;
    on_processes: process;
    on_async: async, async;
}

const IN_EVERY_MODE: [fn(u16) -> Slow; 3] =
    [on_threads::start, on_processes::start, on_async::start];

/// With a runtime whose threads such constructors may block.
fn in_every_mode(check: impl Fn(&Gate, Slow)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let _inside = runtime.enter();
    for start in IN_EVERY_MODE {
        let gate = Gate::new();
        let slow = start(gate.port());
        check(&gate, slow);
    }
}

#[test]
fn a_constructor_takes_nothing_of_a_call_s_time() {
    in_every_mode(|gate, slow| {
        let tasks = [(slow.hurry)(), (slow.read)()];
        let constructs = gate.entered();
        // For longer than they may take.
        let [first, second] = tasks;
        let first = first.join_timeout(Duration::from_millis(400)).unwrap_err();
        drop(constructs);
        assert_eq!(gather([first, second]).join().unwrap(), [7, 7]);
    });
}

#[test]
fn calls_that_are_made_meanwhile_run_in_order_but_for_those_given_up() {
    in_every_mode(|gate, slow| {
        let calls = [1, 10, 100, 1000, 10_000].map(|number| (slow.add)(number));
        let constructs = gate.entered();
        let [first, cancelled, second, dropped, last] = calls;
        cancelled.cancel();
        drop(dropped);
        // Somebody who is told at once waits for no value.
        assert!(cancelled.join().unwrap_err().is_cancelled());
        // So does a handle whose own time is over.
        let late = (slow.add)(100_000).timeout(Duration::from_millis(1));
        assert!(late.join().unwrap_err().is_timeout());
        assert!(!first.is_finished());
        drop(constructs);
        assert_eq!(gather([first, second, last]).join().unwrap(), [8, 108, 10_108]);
    });
}

#[test]
fn the_last_handle_may_go_meanwhile() {
    in_every_mode(|gate, slow| {
        let waits = [(slow.add)(1), (slow.read)()];
        let constructs = gate.entered();
        drop(slow);
        drop(constructs);
        assert_eq!(gather(waits).join().unwrap(), [8, 8]);
    });
}
