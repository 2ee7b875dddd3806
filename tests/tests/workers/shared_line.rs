//! One line before several copies: what becomes of those that wait when one of them ends.

use trine::{ErrorKind, concurrent, gather};
use trine_tests::gate::Gate;

use crate::counters::pass;

struct Mortal;

#[concurrent(process, copies = 2)]
impl Mortal {
    pub(crate) fn new() -> Self {
        Self
    }
    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }
    pub(crate) fn wait(&self, port: u16) -> u32 {
        pass(port);
        std::process::id()
    }
    pub(crate) fn abort(&self) {
        std::process::abort();
    }
}

#[test]
fn what_waits_when_a_copy_ends_for_good_is_run_by_the_other() {
    let mortal = MortalWorker::new();
    let gates = [Gate::new(), Gate::new()];
    let run = [0, 1].map(|index| mortal.wait(gates[index].port()));
    let [survives, ends] = gates.each_ref().map(Gate::entered);
    let abort = mortal.abort();
    let waits = [(); 6].map(|()| mortal.process());
    drop(ends);
    assert!(matches!(abort.join().unwrap_err().kind(), ErrorKind::Crashed { .. }));
    drop(survives);
    let [survivor, ended] = run.map(|task| task.join().unwrap());
    assert_ne!(survivor, ended);
    assert_eq!(gather(waits).join().unwrap(), [survivor; 6]);
    assert!(mortal.is_alive());
    // With the last copy all that waits has ended.
    let (abort, behind) = (mortal.abort(), mortal.process());
    assert!(matches!(abort.join().unwrap_err().kind(), ErrorKind::Crashed { .. }));
    assert!(behind.join().unwrap_err().is_stopped());
    assert!(!mortal.is_alive());
}

#[test]
fn a_copy_that_has_stopped_and_is_restarted_takes_what_waits_for_one_that_is_stuck() {
    let mortal = MortalWorker::new();
    let gate = Gate::new();
    let stuck = mortal.wait(gate.port());
    let held = gate.entered();
    assert!(mortal.abort().join().is_err());
    let waits = mortal.process();
    mortal.restart();
    let process = waits.join().unwrap();
    drop(held);
    assert_ne!(stuck.join().unwrap(), process);
}
