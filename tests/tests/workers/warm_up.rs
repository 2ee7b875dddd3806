//! The time that a constructor takes is no part of a call's `timeout`.

use std::time::Duration;

use trine::{Task, concurrent};
use trine_tests::gate::Gate;

macro_rules! slow {
    ($($mode:ident: $word:ident $($async:ident)?;)*) => {
        $(
            mod $mode {
                use super::{Task, concurrent};

                pub(super) struct Slow(u64);

                #[concurrent($word)]
                impl Slow {
                    /// Waits at a gate.
                    pub(crate) $($async)? fn new(port: u16) -> Self {
                        crate::counters::pass(port);
                        Self(7)
                    }
                    #[concurrent(timeout = 300ms)]
                    pub(crate) $($async)? fn hurry(&self) -> u64 {
                        self.0
                    }
                }

                pub(super) fn hurry(port: u16) -> Task<u64> {
                    SlowWorker::new(port).hurry()
                }
            }
        )*
    };
}

slow! {
    on_threads: threads;
    on_processes: process;
    on_async: async async;
}

#[test]
fn a_constructor_takes_nothing_of_a_call_s_time() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let _inside = runtime.enter();
    for hurry in [on_threads::hurry, on_processes::hurry, on_async::hurry] {
        let gate = Gate::new();
        let task = hurry(gate.port());
        let constructs = gate.entered();
        // For longer than it may take.
        let task = task.join_timeout(Duration::from_millis(400)).unwrap_err();
        drop(constructs);
        assert_eq!(task.join().unwrap(), 7);
    }
}
