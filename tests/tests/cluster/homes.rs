//! Where the values of workers with state live, and that they are made anew there in time.

use trine::concurrent;

use super::parts::{folder, tell};
use super::stateful::{LogWorker, parent};

/// Plays a part, if there is one of that name.
pub(crate) fn play(name: &str) -> bool {
    match name {
        "part-renewed" => renewed(),
        "part-grows" => grows(),
        "part-placed" => placed(),
        "part-spreads" => spreads(),
        _ => return false,
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

/// As many values made one after the other as at once.
fn spreads() {
    let mut logs = Vec::new();
    for _ in 0..8 {
        let log = LogWorker::open(&folder());
        tell(log.push(0).join().unwrap().1);
        logs.push(log);
    }
    logs.clear();
    let logs: Vec<_> = (0..8).map(|_| LogWorker::open(&folder())).collect();
    for log in &logs {
        tell(log.push(0).join().unwrap().1);
    }
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
