//! Calls that are sent to a process ahead of their turns: whatever ends the one before them, they
//! run once, in order, and on a whole value.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use trine::{Error, Task, concurrent, gather};
use trine_tests::checks::wait_until;
use trine_tests::gate::Gate;
use trine_tests::system::{is_abort, kill};

use crate::counters::pass;

/// Keeps what it was told, and notes it in a file as well.
struct Scribe {
    notes: PathBuf,
    told: Vec<u64>,
}

impl Scribe {
    fn write(&self, line: &str) {
        let mut notes = fs::OpenOptions::new().append(true).open(&self.notes).unwrap();
        notes.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn push(&mut self, number: u64) -> Vec<u64> {
        self.write(&number.to_string());
        self.told.push(number);
        self.told.clone()
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        self.write("dropped");
    }
}

#[concurrent(process, restarts = 1000)]
impl Scribe {
    pub(crate) fn new(notes: &Path) -> Self {
        Self { notes: notes.to_owned(), told: Vec::new() }
    }
    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }
    pub(crate) fn wait(&self, gate: u16) {
        pass(gate);
    }
    pub(crate) fn note(&mut self, number: u64) -> Vec<u64> {
        self.push(number)
    }
    pub(crate) fn spoil(&mut self) {
        self.told.push(u64::MAX);
        panic!("in the middle of a change");
    }
    pub(crate) fn stumble(&self) {
        panic!("while looking");
    }
    pub(crate) fn abort(&self) {
        std::process::abort();
    }
    #[concurrent(timeout = 1h)]
    pub(crate) fn note_in_time(&mut self, number: u64) -> Vec<u64> {
        self.push(number)
    }
    #[concurrent(limit = 1)]
    pub(crate) fn note_alone(&mut self, number: u64) -> Vec<u64> {
        self.push(number)
    }
    #[concurrent(priority = high)]
    pub(crate) fn note_first(&mut self, number: u64) -> Vec<u64> {
        self.push(number)
    }
    pub(crate) fn note_with(&mut self, number: u64, more: &[u8]) -> Vec<u64> {
        assert_eq!(more.len(), 100_000);
        self.push(number)
    }
    pub(crate) fn note_items(&mut self, number: u64) -> impl Iterator<Item = u64> {
        self.push(number).into_iter()
    }
}

/// A worker, and the file of what it was told.
struct Scene {
    scribe: ScribeWorker,
    notes: PathBuf,
}

impl Scene {
    fn new(name: &str) -> Self {
        let notes = std::env::temp_dir().join(format!("trine-{name}-{}", std::process::id()));
        fs::write(&notes, "").unwrap();
        Self { scribe: ScribeWorker::new(&notes), notes }
    }

    /// What was noted, without the ends of values.
    fn noted(&self) -> Vec<u64> {
        let notes = fs::read_to_string(&self.notes).unwrap();
        notes.lines().filter_map(|line| line.parse().ok()).collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.notes);
    }
}

/// How many calls are sent ahead, and some more.
const MANY: u64 = 300;

fn up_to(last: u64) -> Vec<u64> {
    (1..=last).collect()
}

/// A call that ends its value, and the error that it has.
type Row = (&'static str, fn(&ScribeWorker, &Gate) -> Task<()>, fn(&Error) -> bool);

const ENDS: &[Row] = &[
    ("a panic", |scribe, _| scribe.spoil(), Error::is_panic),
    ("a crash", |scribe, _| scribe.abort(), is_abort),
    ("a cancel", |scribe, gate| scribe.wait(gate.port()), Error::is_cancelled),
    ("a timeout of the handle", |scribe, gate| scribe.wait(gate.port()), Error::is_timeout),
    ("a kill", |scribe, gate| scribe.wait(gate.port()), Error::is_crash),
];

#[test]
fn whatever_ends_the_value_they_run_on_another_once_and_in_order() {
    for (name, call, is_right) in ENDS {
        let scene = Scene::new("ends");
        let scribe = &scene.scribe;
        let process = scribe.process().join().unwrap();
        let (gate, later) = (Gate::new(), Gate::new());
        let runs = scribe.wait(gate.port());
        let held = gate.entered();
        let mut ends = call(scribe, &later);
        let behind: Vec<_> = (1..=MANY).map(|number| scribe.note(number)).collect();
        drop(held);
        // Those that end from outside do when they have begun.
        let waits = !matches!(*name, "a panic" | "a crash");
        let held = waits.then(|| later.entered());
        match *name {
            "a cancel" => ends.cancel(),
            "a timeout of the handle" => ends = ends.timeout(Duration::from_millis(1)),
            "a kill" => kill(process.cast_signed()),
            _ => {}
        }
        runs.join().unwrap();
        let error = ends.join().unwrap_err();
        assert!(is_right(&error), "{name}: {error}");
        drop(held);
        let told = gather(behind).join().unwrap();
        let expected: Vec<_> = (1..=MANY).map(up_to).collect();
        assert_eq!(told, expected, "{name}");
        assert_eq!(scene.noted(), up_to(MANY), "{name}");
        assert_eq!(scribe.restarts(), 1, "{name}");
    }
}

/// Those behind are taken back again and again, and that is no fault of theirs.
#[test]
fn one_after_the_other_may_end_its_value() {
    let scene = Scene::new("again");
    let calls = (1..=20).map(|number| {
        let ends = if number % 4 == 0 { scene.scribe.abort() } else { scene.scribe.spoil() };
        (ends, scene.scribe.stumble(), scene.scribe.note(number))
    });
    for (number, (ends, stumble, note)) in (1..).zip(calls.collect::<Vec<_>>()) {
        assert!(ends.join().is_err());
        assert!(stumble.join().unwrap_err().is_panic());
        assert_eq!(note.join().unwrap(), [number]);
    }
    assert_eq!(scene.noted(), up_to(20));
    assert_eq!(scene.scribe.restarts(), 20);
}

#[test]
fn stop_takes_them_back_at_once() {
    let scene = Scene::new("stop");
    let gate = Gate::new();
    let runs = scene.scribe.wait(gate.port());
    let held = gate.entered();
    let behind: Vec<_> = (1..=MANY).map(|number| scene.scribe.note(number)).collect();
    scene.scribe.stop();
    wait_until(|| behind.iter().all(Task::is_finished));
    for task in behind {
        assert!(task.join().unwrap_err().is_stopped());
    }
    drop(held);
    runs.join().unwrap();
    assert!(scene.scribe.note(0).join().unwrap_err().is_stopped());
    assert!(scene.noted().is_empty());
}

#[test]
fn restart_takes_them_back_and_they_run_with_the_new_value() {
    let scene = Scene::new("restart");
    assert_eq!(scene.scribe.note(7).join().unwrap(), [7]);
    let gate = Gate::new();
    let runs = scene.scribe.wait(gate.port());
    let held = gate.entered();
    let behind: Vec<_> = (1..=MANY).map(|number| scene.scribe.note(number)).collect();
    scene.scribe.restart();
    let later = scene.scribe.note(MANY + 1);
    assert!(!behind[0].is_finished());
    drop(held);
    runs.join().unwrap();
    assert_eq!(later.join().unwrap(), up_to(MANY + 1));
    assert_eq!(gather(behind).join().unwrap().len() as u64, MANY);
    assert_eq!(scene.noted()[1..], up_to(MANY + 1));
    assert_eq!(scene.scribe.restarts(), 1);
}

#[test]
fn one_that_is_given_up_does_not_run_and_the_others_do() {
    let scene = Scene::new("given-up");
    let gate = Gate::new();
    let runs = scene.scribe.wait(gate.port());
    let held = gate.entered();
    let mut stay = Vec::new();
    for number in 1..=MANY {
        let task = scene.scribe.note(number);
        match number % 3 {
            0 => task.cancel(),
            1 => drop(task),
            _ => stay.push(task),
        }
    }
    drop(held);
    runs.join().unwrap();
    gather(stay).join().unwrap();
    let expected: Vec<_> = (1..=MANY).filter(|number| number % 3 == 2).collect();
    assert_eq!(scene.noted(), expected);
    assert_eq!(scene.scribe.restarts(), 0);
}

#[test]
fn with_the_last_handle_gone_they_run_before_the_value_is_dropped() {
    let scene = Scene::new("last");
    // The scene keeps a handle of its own worker.
    scene.scribe.process().join().unwrap();
    scene.scribe.stop();
    wait_until(|| fs::read_to_string(&scene.notes).unwrap() == "dropped\n");
    let other = ScribeWorker::new(&scene.notes);
    let gate = Gate::new();
    let runs = other.wait(gate.port());
    let held = gate.entered();
    let behind: Vec<_> = (1..=MANY).map(|number| other.note(number)).collect();
    drop(other);
    drop(held);
    runs.join().unwrap();
    gather(behind).join().unwrap();
    let is_dropped = || fs::read_to_string(&scene.notes).unwrap().ends_with("300\ndropped\n");
    wait_until(is_dropped);
    assert_eq!(scene.noted(), up_to(MANY));
}

/// Calls with options, large arguments or items are sent alone, and keep their places.
#[test]
fn those_that_are_not_sent_ahead_stand_in_the_same_line() {
    let scene = Scene::new("kinds");
    let scribe = &scene.scribe;
    let more = vec![1; 100_000];
    let gate = Gate::new();
    let runs = scribe.wait(gate.port());
    let held = gate.entered();
    let (mut tasks, mut streams) = (Vec::new(), Vec::new());
    for number in 1..=MANY {
        tasks.push(match number % 11 {
            1 => scribe.note_in_time(number),
            3 => scribe.note_alone(number),
            5 => scribe.note_first(number),
            7 => scribe.note_with(number, &more),
            9 => {
                streams.push(scribe.note_items(number));
                continue;
            }
            _ => scribe.note(number),
        });
    }
    drop(held);
    runs.join().unwrap();
    for stream in streams {
        assert!(stream.gather().join().unwrap().len() > 8);
    }
    gather(tasks).join().unwrap();
    assert_eq!(scene.noted(), up_to(MANY));
    assert_eq!(scribe.restarts(), 0);
}

/// Whoever calls sends for others as well, and none of them overtakes another.
#[test]
fn many_callers_with_crashes_between_them_lose_and_repeat_nothing() {
    const EACH: u64 = 300;
    let scene = Scene::new("callers");
    thread::scope(|scope| {
        for caller in 1..=4 {
            let scribe = &scene.scribe;
            scope.spawn(move || {
                let mut tasks = Vec::new();
                for number in 1..=EACH {
                    tasks.push(scribe.note(caller * 1000 + number));
                    match number % 100 {
                        20 => scribe.spoil().detach(),
                        50 if caller == 1 => scribe.abort().detach(),
                        70 if caller == 2 => scribe.restart(),
                        _ => {}
                    }
                }
                gather(tasks).join().unwrap();
            });
        }
    });
    let mut of = HashMap::<_, Vec<_>>::new();
    for number in scene.noted() {
        of.entry(number / 1000).or_default().push(number % 1000);
    }
    assert_eq!(of.len(), 4);
    assert!(of.values().all(|noted| *noted == up_to(EACH)), "{of:?}");
}

/// It is over with the value that it found, and not with the one that is made after it.
#[test]
fn a_restart_beside_them_leaves_the_next_value_open() {
    let scene = Scene::new("beside");
    let scribe = &scene.scribe;
    thread::scope(|scope| {
        scope.spawn(|| (0..20).for_each(|_| scribe.restart()));
        for number in 1..=MANY {
            scribe.note(number).join().unwrap();
        }
    });
    assert_eq!(scene.noted(), up_to(MANY));
}
