//! `trine::drain`. In a binary of its own, because it waits for the calls of the whole program.

use std::time::Duration;

use trine::drain;
use trine_tests::gate::Gate;
use trine_tests::modes::MODES;

#[test]
fn it_waits_for_what_runs_and_what_is_queued() {
    assert!(drain(Duration::ZERO), "nothing was called");
    for mode in MODES {
        let gate = Gate::new();
        let (first, second) = ((mode.limited)(gate.port()), (mode.limited)(gate.port()));
        first.detach();
        second.detach();
        for left in ["two calls", "one call"] {
            let entered = gate.entered();
            assert!(!drain(Duration::from_millis(1)), "{left} in {mode:?}");
            drop(entered);
        }
        assert!(drain(Duration::from_secs(60)), "{mode:?}");

        // What is cancelled has ended, whether or not it had started.
        let (running, queued) = ((mode.limited)(gate.port()), (mode.limited)(gate.port()));
        let entered = gate.entered();
        drop((queued, running));
        drop(entered);
        assert!(drain(Duration::from_secs(60)), "{mode:?}");
    }
}
