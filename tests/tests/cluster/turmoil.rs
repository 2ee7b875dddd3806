//! Machines, brokers and connections that go away in the middle of 10,000 calls: every call gets
//! one answer or one error, and none runs twice.

use super::parts::MANY;
use super::relay::Relay;
use super::world::{Process, World, wait_until};

pub(crate) const CHECKS: &[super::Check] = &[
    ("a machine is killed", machine_killed),
    ("the broker is killed and comes back", broker_killed),
    ("the connection of the caller is cut", caller_cut),
    ("the connection of a machine is cut", machine_cut),
    ("the last machine is killed", last_machine_killed),
    ("a call with retries outlives its machine", retried),
    ("the broker comes back with nothing", broker_lost_all),
    ("a machine that is told to end hands back what it has not begun", drained),
];

/// How many were answered, and how many were lost; there was no other ending.
fn ended(caller: Process) -> (u64, u64) {
    let rest = caller.rest();
    let (answered, lost) = rest.trim().split_once(' ').unwrap();
    (answered.parse().unwrap(), lost.parse().unwrap())
}

/// None ran twice, and all that were answered ran.
fn ran_once(world: &World, answered: u64) {
    let mut ran = world.notes("ran");
    let runs = ran.len();
    ran.sort_unstable();
    ran.dedup();
    assert_eq!(ran.len(), runs, "some ran twice");
    assert!(answered <= runs as u64 && runs as u64 <= MANY, "{answered} of {runs}");
}

fn machine_killed() {
    let world = World::new();
    let _stays = world.machine(2);
    let goes = world.hasty_machine(2);
    let mut caller = world.caller("many");
    assert_eq!(caller.line(), "middle");
    goes.signal(libc::SIGKILL);
    let (answered, lost) = ended(caller);
    assert_eq!(answered + lost, MANY);
    ran_once(&world, answered);
}

fn broker_killed() {
    let mut world = World::new();
    let _machines = [world.machine(2), world.machine(2)];
    let mut caller = world.caller("many");
    assert_eq!(caller.line(), "middle");
    world.crash_and_restart();
    let (answered, lost) = ended(caller);
    // The machines were there all the time.
    assert_eq!((answered, lost), (MANY, 0));
    ran_once(&world, answered);
}

fn caller_cut() {
    let world = World::new();
    let _machines = [world.machine(2), world.machine(2)];
    let relay = Relay::to(world.port());
    let mut command = world.part("many");
    command.env("TRINE_CLUSTER", format!("nats://127.0.0.1:{}", relay.port));
    let mut caller = Process(command.spawn().unwrap());
    assert_eq!(caller.line(), "middle");
    assert!(relay.cut() > 0);
    assert_eq!(ended(caller), (MANY, 0));
    ran_once(&world, MANY);
}

fn machine_cut() {
    let world = World::new();
    let relay = Relay::to(world.port());
    let mut command = world.part("machine");
    command.env("TRINE_CLUSTER", format!("nats://127.0.0.1:{}", relay.port));
    let _machines = [world.machine_of(command, 2), world.machine(2)];
    let mut caller = world.caller("many");
    assert_eq!(caller.line(), "middle");
    assert!(relay.cut() > 0);
    assert_eq!(ended(caller), (MANY, 0));
    ran_once(&world, MANY);
}

fn broker_lost_all() {
    let mut world = World::new();
    let _machine = world.machine(1);
    let mut caller = world.caller("held");
    assert_eq!(caller.line(), "called");
    wait_until(|| world.notes("began").len() == 1);
    world.lose_and_restart();
    // There was nothing of it to lose.
    world.go();
    assert_eq!(caller.rest(), "7\n");
    assert_eq!(world.notes("began").len(), 1);
    assert_eq!(world.caller("values").rest(), "well\n");
}

fn last_machine_killed() {
    let world = World::new();
    let machine = world.hasty_machine(1);
    let mut command = world.part("held");
    command.env("TRINE_CLUSTER_WAIT", "1");
    let mut caller = Process(command.spawn().unwrap());
    assert_eq!(caller.line(), "called");
    wait_until(|| world.notes("began").len() == 1);
    machine.signal(libc::SIGKILL);
    assert_eq!(caller.rest(), "task `held` was lost with the machine that ran it\n");
    assert!(world.notes("ran").is_empty());
}

fn retried() {
    let world = World::new();
    let goes = world.hasty_machine(1);
    let caller = world.caller("held-once");
    wait_until(|| world.notes("began").len() == 1);
    let _stays = world.machine(1);
    goes.signal(libc::SIGKILL);
    assert_eq!(caller.rest(), "8\n");
    assert_eq!(world.notes("began").len(), 2);
}

fn drained() {
    let world = World::new();
    let ends = world.machine(2);
    let mut caller = world.caller("drained");
    assert_eq!(caller.line(), "called");
    wait_until(|| world.notes("began").len() == 2);
    ends.signal(libc::SIGTERM);
    let _takes_over = world.machine(1);
    // The new one takes what the old one has not begun, while calls still run there.
    wait_until(|| world.notes("began").len() == 3);
    world.go();
    assert_eq!(caller.rest(), "all\n");
    assert_eq!(ends.rest(), "");
    let mut ran = world.notes("ran");
    ran.sort_unstable();
    assert_eq!(ran, [0, 1, 2, 3, 4, 5]);
}
