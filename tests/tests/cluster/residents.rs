//! Workers with state on other machines, and what goes away while they live there.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Stdio};

use super::deployment::machine;
use super::relay::Relay;
use super::stateful::CALLS;
use super::world::{Process, World, wait_until};

pub(crate) const CHECKS: &[super::Check] = &[
    ("a worker with state lives on another machine", || well("resident")),
    ("a worker with state is supervised on another machine", || well("supervised")),
    ("a worker with state is renewed on another machine", || well("renewed")),
    ("a worker with state is renewed for its size on another machine", || well("grows")),
    ("a worker with state lives where a label says", placed),
    ("workers with state spread over machines", spread),
    ("workers with state of several callers spread over machines with a label", spread_by_label),
    ("workers with state are counted where they live", counted),
    ("calls of a worker with state are tried again on other machines", tried_again),
    ("the machine of a worker with state is killed", machine_killed),
    ("the machine of a worker with state is stopped", stopped),
    ("a worker with state is not made anew for ever", not_made_anew),
    ("a call that waits for another value can be given up", given_up),
    ("the broker of a worker with state is killed", broker_killed),
    ("connections are cut between a worker with state and its calls", cut),
    ("the machine of a worker with state is silent", || silent(true, true)),
    ("the machine of a worker with state is not heard", || silent(true, false)),
    ("a machine that ends lets its workers with state go", drained),
    ("a caller ends and so do its workers with state", caller_gone),
];

fn well(part: &str) {
    let world = World::new();
    let _machine = world.machine(1);
    assert_eq!(world.caller(part).rest(), "well\n");
}

pub(crate) fn is_gone(process: u64) -> bool {
    !Path::new(&format!("/proc/{process}")).exists()
}

/// A caller in this part, one of whose calls waits on a machine and has noted that.
pub(crate) fn waiting(world: &World, part: &str, note: &str) -> Process {
    let mut caller = world.caller(part);
    assert_eq!(caller.line(), "called");
    wait_until(|| world.notes(note).len() == 1);
    caller
}

/// The one that runs is lost, and those behind it run where the value is made anew.
fn machine_killed() {
    let world = World::new();
    let goes = world.hasty_machine(1);
    let mut caller = waiting(&world, "holds", "held");
    let stays = world.machine(1);
    goes.signal(libc::SIGKILL);
    assert_eq!(caller.line(), "true");
    assert_eq!(caller.rest(), format!("{} 1\n", stays.id()));
    assert_eq!(world.notes("pushed"), [0, 1, 2, 3]);
    assert_eq!(world.notes("made"), [goes.id(), stays.id()].map(u64::from));
}

fn placed() {
    let world = World::new();
    let _plain = world.machine(1);
    let mut caller = world.caller("placed");
    assert_eq!(caller.line(), "called");
    let labelled = machine(&world, &[("TRINE_LABELS", "gpu")]);
    assert_eq!(caller.rest(), format!("{:?}\n", [labelled.id(); 2]));
}

/// How many values a caller makes at most until each machine has one.
const MANY: usize = 30;

/// Has values made, one after the other, until each of these machines has one of them. How evenly
/// they spread is for the model to say: callers take time to learn of a machine, and to make a
/// value may take long.
fn until_on_each(caller: &mut Process, machines: &[&Process]) {
    let mut missing: Vec<u32> = machines.iter().map(|machine| machine.id()).collect();
    let all = missing.clone();
    for _ in 0..MANY {
        caller.tell();
        let on = caller.line().parse().unwrap();
        assert!(all.contains(&on), "made on another machine");
        missing.retain(|machine| *machine != on);
        if missing.is_empty() {
            return;
        }
    }
    panic!("{MANY} values, and none on {missing:?} of {all:?}");
}

/// Also those that are made at once.
fn spread() {
    let world = World::new();
    let [one, two] = [(); 2].map(|()| world.machine(2));
    let mut caller = world.caller("spreads");
    until_on_each(&mut caller, &[&one, &two]);
    caller.say("at once");
    let made: HashSet<u32> = (0..8).map(|_| caller.line().parse().unwrap()).collect();
    assert_eq!(made, HashSet::from([one.id(), two.id()]));
}

/// Each caller spreads what it has over the machines with the label, and then gives some to one
/// that has come meanwhile.
fn spread_by_label() {
    let world = World::new();
    let _plain = world.machine(4);
    let with_label = || machine(&world, &[("TRINE_LABELS", "gpu")]);
    let [one, two] = [with_label(), with_label()];
    let mut callers = [(); 2].map(|()| world.caller("spreads-by-label"));
    callers.iter_mut().for_each(|caller| until_on_each(caller, &[&one, &two]));
    let three = with_label();
    callers.iter_mut().for_each(|caller| until_on_each(caller, &[&one, &two, &three]));
}

fn counted() {
    let world = World::new();
    let _machine = machine(&world, &[("TRINE_NAME", "here"), ("TRINE_CLUSTER_LEASE", "2")]);
    let machines = || world.caller("machines").rest();
    let has = |values| format!("here: 1 workers, 0 + 0 calls, {values} values, []\n");
    assert_eq!(machines(), has(0));
    let mut caller = world.caller("idle");
    caller.line();
    assert_eq!(machines(), has(1));
    drop(caller);
    wait_until(|| machines() == has(0));
}

fn tried_again() {
    let world = World::new();
    let goes = world.hasty_machine(1);
    let caller = waiting(&world, "tries", "waited");
    let stays = world.machine(1);
    goes.signal(libc::SIGKILL);
    wait_until(|| world.notes("waited").len() == 2);
    world.go();
    assert_eq!(caller.rest(), format!("{} 1\n", stays.id()));
    assert_eq!(world.notes("tried"), [goes.id(); 3].map(u64::from));
}

/// For longer than its lease. What its worker does meanwhile nobody can know; once it goes on, the
/// value there is gone, and it serves others.
fn stopped() {
    let world = World::new();
    let goes = world.hasty_machine(1);
    let mut caller = waiting(&world, "holds", "held");
    let stays = world.machine(1);
    goes.signal(libc::SIGSTOP);
    assert_eq!(caller.line(), "true");
    assert_eq!(caller.rest(), format!("{} 1\n", stays.id()));
    goes.signal(libc::SIGCONT);
    wait_until(|| is_gone(world.notes("held")[0]));
    assert_eq!(world.notes("pushed"), [0, 1, 2, 3]);
    stays.signal(libc::SIGKILL);
    let mut next = world.caller("tries");
    assert_eq!(next.line(), "called");
    world.go();
    assert_eq!(next.rest(), format!("{} 0\n", goes.id()));
}

fn not_made_anew() {
    let world = World::new();
    let goes = world.hasty_machine(1);
    let caller = waiting(&world, "stops", "held");
    let _stays = world.machine(1);
    goes.signal(libc::SIGKILL);
    assert_eq!(caller.rest(), "well\n");
    assert_eq!(world.notes("made").len(), 1);
}

/// It has left its line then, whichever way: it never runs, and the one behind it does.
fn given_up() {
    let ways = [
        ("cancelled", "task `push` was cancelled"),
        ("late", "task `push` timed out after 20ms"),
        ("dropped", "dropped"),
        ("yields", "task `numbers` was cancelled"),
    ];
    for (how, expected) in ways {
        let world = World::new();
        let relay = Relay::to(world.port());
        let _machine = world.machine_of(over(&world, &relay, "machine"), 1);
        let mut command = world.part("gives-up");
        let mut caller = Process(command.env("HOW", how).stdin(Stdio::piped()).spawn().unwrap());
        assert_eq!(caller.line(), "alive");
        // Its caller does not hear of it before it has sent the call.
        relay.stick(true, false);
        end(world.notes("making")[0]);
        caller.tell();
        assert_eq!(caller.line(), "called");
        relay.stick(false, false);
        wait_until(|| world.notes("making").len() == 2);
        caller.tell();
        assert_eq!(caller.line(), expected);
        world.go();
        assert_eq!(caller.rest(), "1\n");
        assert_eq!(world.notes("pushed"), [0, 2]);
    }
}

/// Kills a process.
fn end(process: u64) {
    // SAFETY: a signal.
    unsafe { libc::kill(i32::try_from(process).unwrap(), libc::SIGKILL) };
    wait_until(|| is_gone(process));
}

/// All of them, each once and in order, and by one value.
fn is_whole(world: &World, mut caller: Process) {
    caller.tell();
    assert_eq!(caller.rest(), format!("{CALLS} 0 0\n"));
    assert!(world.notes("pushed").into_iter().eq(0..CALLS));
    assert_eq!(world.notes("made").len(), 1);
}

fn broker_killed() {
    for loses_all in [false, true] {
        let mut world = World::new();
        let _machine = world.machine(1);
        let mut caller = world.caller("pushes");
        assert_eq!(caller.line(), "middle");
        match loses_all {
            true => world.lose_and_restart(),
            false => world.crash_and_restart(),
        }
        is_whole(&world, caller);
    }
}

pub(crate) fn over(world: &World, relay: &Relay, part: &str) -> Command {
    let mut command = world.part(part);
    command.env("TRINE_CLUSTER", relay.address()).stdin(Stdio::piped());
    command
}

fn cut() {
    let world = World::new();
    let relays = [(); 2].map(|()| Relay::to(world.port()));
    let _machine = world.machine_of(over(&world, &relays[0], "machine"), 1);
    let mut caller = Process(over(&world, &relays[1], "pushes").spawn().unwrap());
    assert_eq!(caller.line(), "middle");
    // While calls come and go.
    let mut seen = world.notes("pushed").len();
    for relay in relays.iter().cycle().take(4) {
        assert!(relay.cut() > 0);
        seen = (seen + 200).min(CALLS as usize);
        wait_until(|| world.notes("pushed").len() >= seen);
    }
    is_whole(&world, caller);
}

/// For longer than its lease: its call is lost, and the value is dropped there too. That it is by
/// then is for the model to say; here a machine that gets no processor would be late.
fn silent(out: bool, back: bool) {
    let world = World::new();
    let relay = Relay::to(world.port());
    let mut command = over(&world, &relay, "machine");
    command.env("TRINE_CLUSTER_LEASE", "2");
    let _goes = world.machine_of(command, 1);
    let mut caller = waiting(&world, "holds", "held");
    let stays = world.machine(1);
    relay.stick(out, back);
    assert_eq!(caller.line(), "true");
    let lived = world.notes("held")[0];
    wait_until(|| is_gone(lived));
    assert_eq!(caller.rest(), format!("{} 1\n", stays.id()));
    relay.stick(false, false);
    assert_eq!(world.notes("pushed"), [0, 1, 2, 3]);
}

/// The one that runs ends there. That the value moves counts as a restart, and not towards the
/// option.
fn drained() {
    let world = World::new();
    let ends = world.machine(1);
    let mut caller = waiting(&world, "holds", "held");
    ends.signal(libc::SIGTERM);
    let stays = world.machine(1);
    world.go();
    assert_eq!(caller.line(), "1");
    assert_eq!(caller.rest(), format!("{} 1\n", stays.id()));
    assert_eq!(ends.rest(), "");
    assert_eq!(world.notes("made").len(), 2);
    // The other one's may not run: its caller has ended, and with it the lease.
    assert_eq!(world.notes("dropped").first(), Some(&1));

    // One that has nothing to do leaves at once.
    let mut idle = world.caller("idle");
    let process = idle.line().parse().unwrap();
    stays.signal(libc::SIGTERM);
    let last = world.machine(1);
    assert_eq!(stays.rest(), "");
    assert!(is_gone(process));
    idle.tell();
    assert_eq!(idle.rest(), format!("1 {} 1\n", last.id()));
}

fn caller_gone() {
    let world = World::new();
    let machine = world.hasty_machine(1);
    let mut caller = world.caller("idle");
    let process = caller.line().parse().unwrap();
    assert!(!is_gone(process));
    drop(caller);
    wait_until(|| is_gone(process));
    drop(machine);
}
