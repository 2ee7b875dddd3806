//! The option `renew`: another value takes the place of one that has served for long enough.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use trine::{concurrent, gather};
use trine_tests::checks::wait_until;
use trine_tests::gate::Gate;
use trine_tests::system::is_alive;

use crate::counters::pass;

/// Where a value lives, and how many calls it has had.
type Served = (i32, u32);

struct Renewed(u32);

#[concurrent(process, renew = 5)]
impl Renewed {
    /// Notes where it is, waits at a gate if there is one, and fails while there is such a file.
    pub(crate) fn new(gate: Option<u16>, obstacle: &Path) -> Result<Self, String> {
        let log = fs::OpenOptions::new().create(true).append(true).open(log_of(obstacle));
        writeln!(log.unwrap(), "{}", std::process::id()).unwrap();
        gate.into_iter().for_each(pass);
        if obstacle.exists() { Err("an obstacle".to_owned()) } else { Ok(Self(0)) }
    }
    pub(crate) fn serve(&mut self) -> Served {
        self.0 += 1;
        (std::process::id().cast_signed(), self.0)
    }
    pub(crate) fn fail(&mut self) {
        panic!("in a change");
    }
}

fn obstacle(name: &str) -> PathBuf {
    let obstacle = std::env::temp_dir().join(format!("trine-{name}-{}", std::process::id()));
    for left in [&obstacle, &log_of(&obstacle)] {
        let _ = fs::remove_file(left);
    }
    obstacle
}

fn log_of(obstacle: &Path) -> PathBuf {
    obstacle.with_extension("log")
}

#[test]
fn it_is_replaced_again_and_again_and_no_call_is_lost() {
    let renewed = RenewedWorker::new(None, &obstacle("no"));
    let mut seen: Vec<Served> = Vec::new();
    wait_until(|| {
        let served = gather((0..10).map(|_| renewed.serve())).join().unwrap();
        seen.extend(served);
        renewed.restarts() >= 5
    });
    // Each value has counted from one, in a process of its own, for five calls at least.
    let firsts: Vec<_> = seen.iter().filter(|(_, number)| *number == 1).collect();
    let processes: BTreeSet<_> = seen.iter().map(|(process, _)| *process).collect();
    assert_eq!(firsts.len(), processes.len());
    for pair in seen.windows(2) {
        let [(process, number), (next, after)] = pair else { unreachable!() };
        let goes_on = next == process && *after == number + 1;
        assert!(goes_on || *after == 1 && *number >= 5, "{seen:?}");
    }
    let (last, _) = renewed.serve().join().unwrap();
    wait_until(|| processes.iter().filter(|process| is_alive(**process)).all(|id| *id == last));
}

#[test]
fn the_old_value_serves_while_the_new_one_is_made() {
    let gate = Gate::new();
    let renewed = RenewedWorker::new(Some(gate.port()), &obstacle("none"));
    drop(gate.entered());
    let served = gather((0..5).map(|_| renewed.serve())).join().unwrap();
    let (old, _) = served[0];
    let constructs = gate.entered();
    for number in 6..50 {
        assert_eq!(renewed.serve().join().unwrap(), (old, number));
    }
    assert_eq!(renewed.restarts(), 0);
    drop(constructs);
    // What nobody calls is replaced too.
    wait_until(|| renewed.restarts() == 1);
    wait_until(|| !is_alive(old));
    let (new, number) = renewed.serve().join().unwrap();
    assert!(new != old && number == 1);
}

#[test]
fn what_cannot_be_replaced_serves_on_and_is_tried_again() {
    let obstacle = obstacle("an-obstacle");
    let renewed = RenewedWorker::new(None, &obstacle);
    let (old, _) = renewed.serve().join().unwrap();
    fs::write(&obstacle, "").unwrap();
    for number in 2..50 {
        assert_eq!(renewed.serve().join().unwrap(), (old, number));
    }
    assert!(renewed.is_alive());
    fs::remove_file(&obstacle).unwrap();
    wait_until(|| renewed.serve().join().unwrap().0 != old);
    wait_until(|| !is_alive(old));
}

#[test]
fn a_value_that_would_come_too_late_is_called_off() {
    for end in [|worker: RenewedWorker| worker.stop(), drop] {
        let gate = Gate::new();
        let obstacle = obstacle("late");
        let renewed = RenewedWorker::new(Some(gate.port()), &obstacle);
        drop(gate.entered());
        gather((0..5).map(|_| renewed.serve())).join().unwrap();
        let constructs = gate.entered();
        end(renewed);
        let log = fs::read_to_string(log_of(&obstacle)).unwrap();
        let made: Vec<i32> = log.lines().map(|line| line.parse().unwrap()).collect();
        let [old, new] = made[..] else { panic!("{made:?}") };
        // Nobody waits for its constructor.
        wait_until(|| !is_alive(old) && !is_alive(new));
        drop(constructs);
    }
}

#[test]
fn a_value_that_is_lost_meanwhile_stays_lost() {
    let gate = Gate::new();
    let renewed = RenewedWorker::new(Some(gate.port()), &obstacle("lost"));
    drop(gate.entered());
    gather((0..5).map(|_| renewed.serve())).join().unwrap();
    let constructs = gate.entered();
    assert!(renewed.fail().join().unwrap_err().is_panic());
    // There are no restarts, so it has stopped.
    assert!(renewed.serve().join().unwrap_err().is_stopped());
    drop(constructs);
    assert!(renewed.serve().join().unwrap_err().is_stopped());
}

struct Grown(Vec<Vec<u8>>);

#[concurrent(process, renew = 64MiB, copies = 2)]
impl Grown {
    pub(crate) fn new() -> Self {
        Self(vec![vec![1; 1000]])
    }
    pub(crate) fn process(&self) -> i32 {
        std::process::id().cast_signed()
    }
    pub(crate) fn leak(&self, bytes: usize) -> i32 {
        assert_eq!(self.0.len(), 1);
        std::mem::forget(vec![1_u8; bytes]);
        std::process::id().cast_signed()
    }
}

#[test]
fn a_copy_that_has_grown_is_replaced_and_the_other_stays() {
    let grown = GrownWorker::new();
    for _ in 0..100 {
        grown.process().join().unwrap();
    }
    assert_eq!(grown.restarts(), 0);
    let large = grown.leak(100 << 20).join().unwrap();
    wait_until(|| grown.restarts() == 1);
    wait_until(|| !is_alive(large));
    assert_ne!(grown.process().join().unwrap(), large);
}
