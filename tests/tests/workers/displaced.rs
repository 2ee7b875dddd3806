//! Calls that are on their way to a process when that is killed.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use trine::{ErrorKind, Task, concurrent, gather};
use trine_tests::checks::wait_until;
use trine_tests::gate::Gate;

use crate::counters::pass;

struct Target(u64);

#[concurrent(process, restarts = 100)]
impl Target {
    /// Waits at a gate if there is one.
    pub(crate) fn new(gate: Option<u16>) -> Self {
        gate.into_iter().for_each(pass);
        Self(0)
    }
    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }
    /// Notes that it has run, and how often this value was asked.
    pub(crate) fn note(&mut self, notes: &Path) -> u64 {
        fs::OpenOptions::new().append(true).open(notes).unwrap().write_all(b"x").unwrap();
        self.0 += 1;
        self.0
    }
    #[concurrent(timeout = 500ms)]
    pub(crate) fn hurry(&self) -> u32 {
        std::process::id()
    }
}

/// A method that may run once at a time, and one other may wait for that.
struct Narrow;

#[concurrent(process, restarts = 100)]
impl Narrow {
    pub(crate) fn new() -> Self {
        Self
    }
    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }
    #[concurrent(limit = 1, queue = 1)]
    pub(crate) fn take_place(&self, gate: Option<u16>) {
        gate.into_iter().for_each(pass);
    }
}

/// Waits until so many calls of that method have places, and have gone to a process with them.
fn await_places(taken: u64) {
    wait_until(|| {
        let functions = trine::stats().functions;
        let of_method = functions.iter().find(|method| method.name == "take_place");
        of_method.map_or(0, |method| method.running) == taken
    });
}

/// The same without restarts.
struct Once;

#[concurrent(process)]
impl Once {
    pub(crate) fn new() -> Self {
        Self
    }
    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }
}

fn signal(process: u32, signal: &str) {
    let sent = Command::new("kill").args([signal, &process.to_string()]).status();
    assert!(sent.unwrap().success());
}

/// From now on what is sent there waits.
fn hold(process: u32) {
    signal(process, "-STOP");
    let is_held = || {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        stat.rsplit(')').next().unwrap().trim_start().starts_with('T')
    };
    wait_until(is_held);
}

fn notes(name: &str) -> PathBuf {
    let notes = std::env::temp_dir().join(format!("trine-{name}-{}", std::process::id()));
    fs::write(&notes, "").unwrap();
    notes
}

#[test]
fn a_call_that_has_not_begun_runs_where_the_value_is_made_anew() {
    let target = TargetWorker::new(None);
    let notes = notes("displaced");
    for times in 1..=10 {
        let process = target.process().join().unwrap();
        hold(process);
        let sent = target.note(&notes);
        let behind = [target.note(&notes), target.note(&notes)];
        signal(process, "-KILL");
        // In order, and once each, at the new value.
        assert_eq!(sent.join().unwrap(), 1);
        assert_eq!(gather(behind).join().unwrap(), [2, 3]);
        assert_eq!(fs::read(&notes).unwrap().len(), 3 * times);
        assert_eq!(target.restarts() as usize, times);
    }
    fs::remove_file(&notes).unwrap();
}

#[test]
fn one_that_is_cancelled_on_its_way_leaves_the_turn_to_the_next() {
    let gate = Gate::new();
    let target = TargetWorker::new(Some(gate.port()));
    drop(gate.entered());
    let notes = notes("cancelled");
    let process = target.process().join().unwrap();
    hold(process);
    let (sent, behind) = (target.note(&notes), target.process());
    signal(process, "-KILL");
    // It has left the one, and cannot run at the other yet.
    let constructs = gate.entered();
    sent.cancel();
    assert!(sent.join().unwrap_err().is_cancelled());
    drop(constructs);
    assert_ne!(behind.join().unwrap(), process);
    assert_eq!(fs::read(&notes).unwrap().len(), 0);
    fs::remove_file(&notes).unwrap();
}

/// It had a place, which another worker's call has by the time that it comes back.
#[test]
fn one_that_is_cancelled_before_its_next_place_leaves_the_turn_to_the_next() {
    let (first, second) = (NarrowWorker::new(), NarrowWorker::new());
    let ends: [fn(Task<()>); 2] = [|task| task.cancel(), drop];
    for end in ends.into_iter().cycle().take(4) {
        await_places(0);
        let process = first.process().join().unwrap();
        hold(process);
        let (sent, behind) = (first.take_place(None), first.process());
        // Until the call before it has left its turn, it would have no place, and second would.
        await_places(1);
        let gate = Gate::new();
        let waits = second.take_place(Some(gate.port()));
        signal(process, "-KILL");
        let has_place = gate.entered();
        wait_until(|| first.is_alive() && first.restarts() > 0);
        end(sent);
        let behind = behind.join_timeout(Duration::from_secs(20)).expect("it waits for a place");
        assert_ne!(behind.unwrap(), process);
        drop(has_place);
        waits.join().unwrap();
    }
    // Each has been counted as long as it waited, and no longer.
    let gate = Gate::new();
    let runs = first.take_place(Some(gate.port()));
    let held = gate.entered();
    let waits = second.take_place(None);
    assert!(matches!(second.take_place(None).join().unwrap_err().kind(), ErrorKind::Busy));
    drop(held);
    gather([runs, waits]).join().unwrap();
}

#[test]
fn without_restarts_it_ends_as_all_behind_it() {
    let once = OnceWorker::new();
    let process = once.process().join().unwrap();
    hold(process);
    let sent = [(); 3].map(|()| once.process());
    signal(process, "-KILL");
    for task in sent {
        assert!(task.join().unwrap_err().is_stopped());
    }
    assert!(!once.is_alive());
}

#[test]
fn its_time_counts_from_its_new_start() {
    let gate = Gate::new();
    let target = TargetWorker::new(Some(gate.port()));
    drop(gate.entered());
    let process = target.process().join().unwrap();
    hold(process);
    let sent = target.hurry();
    signal(process, "-KILL");
    let constructs = gate.entered();
    // For longer than it may take.
    let sent = sent.join_timeout(Duration::from_millis(600)).unwrap_err();
    drop(constructs);
    assert_ne!(sent.join().unwrap(), process);
}
