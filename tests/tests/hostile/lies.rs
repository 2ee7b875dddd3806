//! A worker that lies about which of its calls it has begun. Its parent asks that to cancel a call,
//! to give what waits behind one to another worker, and to find a worker that does nothing.
//!
//! A worker holds calls of one function at a time, so a lie can only decide about those.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use trine::{Config, concurrent, gather};
use trine_tests::gate::Gate;
use trine_tests::programs::alone;

use super::{Others, TOO_LONG, ended, raw};

/// How far the word is from the truth: nothing has ever begun, the call has not, the one before it
/// runs, the one behind it does, or one far behind.
const LIES: &[i32] = &[i32::MIN, -1, -2, 2, 1000];

/// Comes to a gate, lies, and never ends.
#[concurrent(process, fresh, pool = "liars")]
fn lie_and_stay(port: u16, away: i32) {
    let _gate = TcpStream::connect(("127.0.0.1", port)).unwrap();
    raw::say_runs(away);
    raw::sleep();
}

/// A call that was cancelled holds its worker for a few seconds at most, whatever the worker says
/// that it runs.
#[test]
fn a_worker_that_lies_about_a_cancelled_call_is_replaced() {
    alone(a_worker_that_lies_about_a_cancelled_call_is_replaced, &[], || {
        Config::new().pool("liars", LIES.len()).apply().unwrap();
        let gate = Gate::new();
        let lies: Vec<_> = LIES.iter().map(|&away| lie_and_stay(gate.port(), away)).collect();
        let entered: Vec<_> = lies.iter().map(|_| gate.entered()).collect();
        let others = Others::call();
        lies.iter().for_each(trine::Task::cancel);
        for lie in lies {
            assert!(ended("a lie", lie).unwrap_err().is_cancelled());
        }
        others.check("beside lies");
        for mut worker in entered {
            worker.set_read_timeout(Some(TOO_LONG)).unwrap();
            // Its end is the end of the connection, by a reset perhaps.
            let held = worker.read(&mut [0]).map_err(|error| error.kind());
            assert!(!matches!(held, Err(ErrorKind::WouldBlock)), "a worker is held");
        }
    });
}

/// Notes that it runs, lies, and waits at the gate if there is one.
#[concurrent(process)]
fn note(notes: &str, index: u32, away: i32, gate: Option<u16>) -> u32 {
    let mut file = fs::OpenOptions::new().append(true).open(notes).unwrap();
    // In one piece, since others write at the same time.
    file.write_all(format!("{index}\n").as_bytes()).unwrap();
    raw::say_runs(away);
    if let Some(port) = gate {
        let mut gate = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let _ = gate.read(&mut [0]);
    }
    index
}

/// Calls that wait behind another go to a worker that has nothing to do, also if theirs lies, and
/// none of them runs twice.
#[test]
fn calls_behind_a_liar_are_shared_and_run_once() {
    let test = calls_behind_a_liar_are_shared_and_run_once;
    alone(test, &[("TRINE_PROCESSES", "2")], || {
        [0].iter().chain(LIES).for_each(|&away| share_from_behind(away));
    });
}

fn share_from_behind(away: i32) {
    let notes = std::env::temp_dir().join(format!("trine-shared-{}", std::process::id()));
    fs::write(&notes, "").unwrap();
    let path = notes.to_str().unwrap();
    let [first, second] = [Gate::new(), Gate::new()];
    // The honest one first, or it could wait behind the other, which claims that it has begun.
    let honest = note(path, 1, 0, Some(second.port()));
    let entered = second.entered();
    let liar = note(path, 0, away, Some(first.port()));
    let held = first.entered();
    let behind: Vec<_> = (2..12).map(|index| note(path, index, 0, None)).collect();
    drop(entered);
    assert_eq!(ended("honest", honest).unwrap(), 1, "{away}");
    let indexes: Vec<u32> = if away > 0 {
        // It says that it has begun some of them, which therefore stay with it.
        drop(held);
        ended("behind a liar", gather(behind)).unwrap()
    } else {
        let indexes = ended("behind a liar", gather(behind)).unwrap();
        drop(held);
        indexes
    };
    assert!(indexes.into_iter().eq(2..12), "{away}");
    assert_eq!(ended("the liar", liar).unwrap(), 0, "{away}");
    let noted = fs::read_to_string(&notes).unwrap();
    fs::remove_file(&notes).unwrap();
    let mut noted: Vec<u32> = noted.lines().map(|line| line.parse().unwrap()).collect();
    noted.sort_unstable();
    assert!(noted.into_iter().eq(0..12), "{away}");
}

/// A value in a worker that lies.
struct Liar(u32);

#[concurrent(process)]
impl Liar {
    pub(crate) fn new(number: u32) -> Self {
        Self(number)
    }
    pub(crate) fn lie_and_stay(&self, port: u16, away: i32) {
        let _gate = TcpStream::connect(("127.0.0.1", port)).unwrap();
        raw::say_runs(away);
        raw::sleep();
    }
    pub(crate) fn lie(&self, away: i32) -> u32 {
        raw::say_runs(away);
        self.0
    }
    pub(crate) fn read(&self) -> u32 {
        self.0
    }
}

/// Its own line is all that it harms, and `restart` is the end of the worst of it.
#[test]
fn a_value_s_worker_that_lies_harms_its_own_calls() {
    let gate = Gate::new();
    let honest = LiarWorker::new(7);
    let liars: Vec<_> = LIES.iter().map(|_| LiarWorker::new(8)).collect();
    let lies = liars.iter().zip(LIES);
    let lies: Vec<_> = lies.map(|(liar, &away)| liar.lie_and_stay(gate.port(), away)).collect();
    let _entered: Vec<_> = lies.iter().map(|_| gate.entered()).collect();
    let others = Others::call();
    lies.iter().for_each(trine::Task::cancel);
    for lie in lies {
        assert!(ended("a lie", lie).unwrap_err().is_cancelled());
    }
    others.check("beside lies");
    assert_eq!(ended("another value", honest.read()).unwrap(), 7);
    for liar in &liars {
        liar.restart();
    }
    for liar in liars {
        assert_eq!(ended("made anew", liar.read()).unwrap(), 8);
    }
}

#[test]
fn a_lie_with_an_answer_is_that_call_s_alone() {
    for &away in LIES {
        let liar = LiarWorker::new(9);
        let _ = ended("a lie", liar.lie(away));
        liar.restart();
        assert_eq!(ended("made anew", liar.read()).unwrap(), 9, "{away}");
    }
}
