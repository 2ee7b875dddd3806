//! Workers with state on other machines whose values are still being made when something goes away:
//! each call gets one answer, a value that is lost is made anew where there is a machine, and that
//! is what counts as a restart, not a message that has to be sent again.

use std::path::{Path, PathBuf};
use std::process;

use trine::concurrent;

use super::functions::{double, note, notes};
use super::parts::{folder, hear, tell};
use super::relay::Relay;
use super::residents::{is_gone, over, waiting};
use super::stateful::parent;
use super::world::{Process, World, wait_until};

pub(crate) const CHECKS: &[super::Check] = &[
    ("a machine is killed while it makes a value", || lost(|goes, _| goes.signal(libc::SIGKILL))),
    ("a machine is stopped while it makes a value", || lost(|goes, _| goes.signal(libc::SIGSTOP))),
    ("a machine is silent while it makes a value", || lost(|_, relay| relay.stick(true, true))),
    ("a machine is not heard while it makes a value", || {
        lost(|_, relay| relay.stick(true, false));
    }),
    ("a machine hears nothing while it makes a value", || {
        lost(|_, relay| relay.stick(false, true));
    }),
    ("a value that is lost too often while it is made stops its worker", lost_too_often),
    ("what a machine says of a value that it has made is lost", word_lost),
    ("the broker is killed while a value is made", broker_killed),
    ("connections are cut while values are made", cut),
    ("a machine that ends makes a value and lets it go", drained),
    ("a value that nobody wants is not made to the end", called_off),
    ("a caller ends while its value is made", caller_gone),
];

/// Plays a part, if there is one of that name.
pub(crate) fn play(name: &str) -> bool {
    match name {
        "part-makes" => makes(),
        "part-makes-once" => makes_once(),
        "part-makes-many" => makes_many(),
        "part-calls-off" => calls_off(),
        _ => return false,
    }
    true
}

/// Its first value waits for the test before it is there.
struct Slow(PathBuf);

impl Slow {
    fn make(folder: &Path) -> Self {
        note(folder, "on", parent());
        note(folder, "making", process::id().into());
        if notes(folder, "making").len() == 1 {
            wait_until(|| folder.join("go").exists());
        }
        note(folder, "made", parent());
        Self(folder.to_path_buf())
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        note(&self.0, "dropped", parent());
    }
}

#[concurrent(process, restarts = 1)]
impl Slow {
    pub(crate) fn new(folder: &Path) -> Self {
        Self::make(folder)
    }

    pub(crate) fn push(&mut self, number: u64) -> u64 {
        note(&self.0, "pushed", number);
        parent()
    }
}

/// One that is not made anew.
struct Single;

#[concurrent(process)]
impl Single {
    pub(crate) fn new(folder: &Path) -> Self {
        drop(Slow::make(folder));
        Self
    }

    pub(crate) fn get(&self) -> u64 {
        parent()
    }
}

/// Some calls that wait for the value; where each ran, and how often it was made anew.
fn makes() {
    let slow = SlowWorker::new(&folder());
    let calls: Vec<_> = (0..4).map(|number| slow.push(number)).collect();
    tell("called");
    let on: Vec<_> = calls.into_iter().map(|call| call.join().unwrap()).collect();
    tell(format!("{on:?} {}", slow.restarts()));
}

fn makes_once() {
    let single = SingleWorker::new(&folder());
    let calls = [single.get(), single.get()];
    tell("called");
    assert!(calls.into_iter().all(|call| call.join().unwrap_err().is_stopped()));
    assert!(!single.is_alive() && single.restarts() == 0);
    tell("well");
}

/// How many values are made where connections are cut.
const VALUES: u64 = 60;

/// One after the other, each for one call.
fn makes_many() {
    tell("called");
    for number in 0..VALUES {
        let slow = SlowWorker::new(&folder());
        slow.push(number).join().unwrap();
        assert_eq!(slow.restarts(), 0);
    }
    tell("well");
}

/// One that is wanted anew while it is made, and one that is not wanted any more.
fn calls_off() {
    let folder = folder();
    let slow = SlowWorker::new(&folder);
    tell("called");
    hear();
    slow.restart();
    let first = || notes(&folder, "making")[0];
    slow.push(0).join().unwrap();
    assert_eq!(slow.restarts(), 1);
    wait_until(|| is_gone(first()));
    drop(slow);
    wait_until(|| notes(&folder, "dropped").len() == 1);
    std::fs::remove_file(folder.join("making")).unwrap();
    let slow = SlowWorker::new(&folder);
    wait_until(|| notes(&folder, "making").len() == 1);
    drop(slow);
    wait_until(|| is_gone(first()));
    // There is one place, and it is free.
    assert_eq!(double(21).join().unwrap(), 42);
    tell("well");
}

/// What its calls say if the first machine has the value, or if the other one made it anew.
fn all_on(machine: &Process, restarts: u32) -> String {
    format!("{:?} {restarts}\n", [machine.id(); 4])
}

fn ids<const N: usize>(machines: [&Process; N]) -> [u64; N] {
    machines.map(|machine| machine.id().into())
}

/// Its machine is gone, or is given up: by the time that another one makes the value, nobody there
/// does, unless that cannot be known.
fn lost(fault: impl FnOnce(&Process, &Relay)) {
    let world = World::new();
    let relay = Relay::to(world.port());
    let mut command = over(&world, &relay, "machine");
    command.env("TRINE_CLUSTER_LEASE", "2");
    let goes = world.machine_of(command, 1);
    let caller = waiting(&world, "makes", "making");
    let stays = world.machine(1);
    fault(&goes, &relay);
    assert_eq!(caller.rest(), all_on(&stays, 1));
    relay.stick(false, false);
    goes.signal(libc::SIGCONT);
    wait_until(|| is_gone(world.notes("making")[0]));
    assert_eq!(world.notes("on"), ids([&goes, &stays]));
    assert_eq!(world.notes("made"), ids([&stays]));
    assert_eq!(world.notes("pushed"), [0, 1, 2, 3]);
}

fn lost_too_often() {
    let world = World::new();
    let goes = world.hasty_machine(1);
    let caller = waiting(&world, "makes-once", "making");
    let _stays = world.machine(1);
    goes.signal(libc::SIGKILL);
    assert_eq!(caller.rest(), "well\n");
    assert_eq!(world.notes("on"), ids([&goes]));
}

/// The machine has the value, which its caller learns when it is connected again.
fn word_lost() {
    let world = World::new();
    let relay = Relay::to(world.port());
    let machine = world.machine_of(over(&world, &relay, "machine"), 1);
    let caller = waiting(&world, "makes", "making");
    relay.stick(true, false);
    world.go();
    wait_until(|| world.notes("made").len() == 1);
    assert!(relay.cut() > 0);
    relay.stick(false, false);
    assert_eq!(caller.rest(), all_on(&machine, 0));
    assert_eq!(world.notes("on"), ids([&machine]));
}

fn broker_killed() {
    for loses_all in [false, true] {
        let mut world = World::new();
        let machine = world.machine(1);
        let caller = waiting(&world, "makes", "making");
        match loses_all {
            true => world.lose_and_restart(),
            false => world.crash_and_restart(),
        }
        world.go();
        assert_eq!(caller.rest(), all_on(&machine, 0));
        assert_eq!(world.notes("on"), ids([&machine]));
    }
}

/// The order to make one is lost, or the answer, or what drops it.
fn cut() {
    let world = World::new();
    world.go();
    let relays = [(); 2].map(|()| Relay::to(world.port()));
    let _machine = world.machine_of(over(&world, &relays[0], "machine"), 1);
    let mut caller = Process(over(&world, &relays[1], "makes-many").spawn().unwrap());
    assert_eq!(caller.line(), "called");
    for (step, relay) in (1..=4).zip(relays.iter().cycle()) {
        wait_until(|| world.notes("making").len() as u64 >= step * VALUES / 5);
        assert!(relay.cut() > 0);
    }
    assert_eq!(caller.rest(), "well\n");
    assert_eq!(world.notes("making").len() as u64, VALUES);
    assert!(world.notes("pushed").into_iter().eq(0..VALUES));
}

/// What is being made comes to its end there, and is made once more elsewhere.
fn drained() {
    let world = World::new();
    let ends = world.machine(1);
    let caller = waiting(&world, "makes", "making");
    ends.signal(libc::SIGTERM);
    let stays = world.machine(1);
    world.go();
    // It may have had its first calls before its caller heard that it has to leave.
    let (ids, said) = (ids([&ends, &stays]), caller.rest());
    let on = |left: usize| [0, 1, 2, 3].map(|number| ids[usize::from(number >= left)]);
    assert!((0..4).any(|left| said == format!("{:?} 1\n", on(left))), "{ids:?} {said}");
    assert_eq!(ends.rest(), "");
    assert_eq!(world.notes("made"), ids);
    assert_eq!(world.notes("pushed"), [0, 1, 2, 3]);
}

fn called_off() {
    let world = World::new();
    let _machine = world.machine(1);
    let mut caller = waiting(&world, "calls-off", "making");
    caller.tell();
    assert_eq!(caller.rest(), "well\n");
    assert_eq!(world.notes("made").len(), 1);
}

fn caller_gone() {
    let world = World::new();
    let machine = world.hasty_machine(1);
    let caller = waiting(&world, "makes", "making");
    drop(caller);
    wait_until(|| is_gone(world.notes("making")[0]));
    assert_eq!(world.caller("one").rest(), "8\n");
    assert!(world.notes("made").is_empty());
    drop(machine);
}
