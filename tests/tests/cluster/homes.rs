//! Where the values of workers with state live, and that they are made anew there in time.

use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use trine::concurrent;

use super::functions::{note, notes};
use super::parts::{folder, hear, tell};
use super::stateful::{LogWorker, parent};
use super::world::wait_until;

/// Plays a part, if there is one of that name.
pub(crate) fn play(name: &str) -> bool {
    match name {
        "part-renewed" => renewed(),
        "part-grows" => grows(),
        "part-placed" => placed(),
        "part-spreads" => spreads(),
        "part-spreads-by-label" => spreads_by_label(),
        "part-gives-up" => gives_up(),
        _ => return super::making::play(name),
    }
    true
}

struct Counter(u64);

#[concurrent(process, renew = 10)]
impl Counter {
    pub(crate) fn new() -> Self {
        Self(0)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// One that lives where a label says.
struct Placed(u64);

#[concurrent(process, on = "gpu")]
impl Placed {
    pub(crate) fn new() -> Self {
        Self(parent())
    }

    pub(crate) fn made_on(&self) -> u64 {
        self.0
    }

    pub(crate) fn serves_on(&self) -> u64 {
        parent()
    }
}

/// One that becomes large.
struct Hoard(Vec<Vec<u8>>);

#[concurrent(process, renew = 128MiB)]
impl Hoard {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// How many pieces it has, each of 8 MiB.
    pub(crate) fn take(&mut self) -> usize {
        self.0.push(vec![1; 8 << 20]);
        self.0.len()
    }
}

fn renewed() {
    let counter = CounterWorker::new();
    let mut values = Vec::new();
    while counter.restarts() < 3 {
        values.push(counter.next().join().unwrap());
    }
    assert!(values.len() >= 30 && values.iter().filter(|value| **value == 1).count() >= 3);
    assert!(values.windows(2).all(|two| two[1] == two[0] + 1 || two[1] == 1));
    tell("well");
}

fn placed() {
    let placed = PlacedWorker::new();
    tell("called");
    let on = [placed.made_on().join().unwrap(), placed.serves_on().join().unwrap()];
    tell(format!("{on:?}"));
}

/// Says where each value is of those that it makes one after the other, for as long as it is told
/// to go on, and then of eight made at once.
fn spreads() {
    let place = |log: &LogWorker| tell(log.push(0).join().unwrap().1);
    let mut logs = Vec::new();
    while hear() == "go" {
        logs.push(LogWorker::open(&folder()));
        place(&logs[logs.len() - 1]);
    }
    logs.clear();
    let logs: Vec<_> = (0..8).map(|_| LogWorker::open(&folder())).collect();
    logs.iter().for_each(place);
}

/// Says where each value is of those that it makes one after the other.
fn spreads_by_label() {
    let mut all = Vec::new();
    while hear() == "go" {
        let placed = PlacedWorker::new();
        tell(placed.made_on().join().unwrap());
        all.push(placed);
    }
}

/// One whose second value waits for the test.
struct Again(PathBuf);

#[concurrent(process, restarts = 1)]
impl Again {
    pub(crate) fn new(folder: &Path) -> Self {
        note(folder, "making", process::id().into());
        if notes(folder, "making").len() == 2 {
            wait_until(|| folder.join("go").exists());
        }
        Self(folder.to_path_buf())
    }

    pub(crate) fn push(&self, number: u64) {
        note(&self.0, "pushed", number);
    }

    pub(crate) fn numbers(&self, from: u64) -> impl Iterator<Item = u64> {
        note(&self.0, "pushed", from);
        from..from + 1
    }
}

/// A call whose value was gone when it came there waits once more, for another one to be made; now
/// nobody wants it any more.
fn gives_up() {
    let again = AgainWorker::new(&folder());
    again.push(0).join().unwrap();
    tell("alive");
    hear();
    let how = std::env::var("HOW").unwrap();
    let given_up = match &*how {
        "yields" => again.numbers(1).gather().map(drop),
        _ => again.push(1),
    };
    let behind = again.push(2);
    tell("called");
    hear();
    match &*how {
        "late" => tell(given_up.timeout(Duration::from_millis(20)).join().unwrap_err()),
        "dropped" => {
            drop(given_up);
            tell(&how);
        }
        _ => {
            given_up.cancel();
            tell(given_up.join().unwrap_err());
        }
    }
    behind.join().unwrap();
    tell(again.restarts());
}

/// It is made anew before it would be too large, and no call fails.
fn grows() {
    let hoard = HoardWorker::new();
    let mut most = 0;
    while hoard.restarts() < 2 {
        most = most.max(hoard.take().join().unwrap());
    }
    assert!((8..40).contains(&most), "{most} pieces of 8 MiB");
    tell("well");
}
