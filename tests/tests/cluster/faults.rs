//! Faults that last longer than a lease, in the middle of 10,000 calls, counted: every call gets
//! one answer, none runs twice, none that was reported as never begun runs at all, and none begins
//! once all have their answers.
//!
//! A lease is two seconds here, and a fault lasts six. With `TRINE_FAULTS=all` each fault is tried
//! for 2, 30 and 90 seconds, with the default lease.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use super::parts::MANY;
use super::relay::Relay;
use super::world::{Process, World, wait_until};

pub(crate) const CHECKS: &[super::Check] = &[
    ("a caller hears nobody and nobody hears it", || caller_stuck(true, true)),
    ("a machine is not heard", || machine_stuck(true, false)),
    ("a machine is stopped and goes on", machine_stopped),
    ("machines are replaced one by one", rolling_restart),
    ("a caller ends with calls under way", caller_gone),
    ("the leader of three brokers is lost", leader_lost),
    ("many large values leave nothing behind", many_large),
];

/// Only with `TRINE_FAULTS=all`.
pub(crate) const MORE: &[super::Check] = &[
    ("a caller is not heard", || caller_stuck(true, false)),
    ("a caller hears nothing", || caller_stuck(false, true)),
    ("a machine hears nobody and nobody hears it", || machine_stuck(true, true)),
    ("a machine hears nothing", || machine_stuck(false, true)),
    ("the broker is stopped and goes on", broker_stopped),
    ("the broker is away for longer than a lease", broker_away),
];

/// Whether everything is tried, however long it takes.
pub(crate) fn all() -> bool {
    std::env::var("TRINE_FAULTS").is_ok_and(|which| which == "all")
}

/// How long faults last.
fn lengths() -> &'static [u64] {
    if all() { &[2, 30, 90] } else { &[6] }
}

fn machine(world: &World) -> Process {
    if all() { world.machine(2) } else { world.hasty_machine(2) }
}

fn machine_over(world: &World, relay: &Relay) -> Process {
    let mut command = world.part("machine");
    command.env("TRINE_CLUSTER", relay.address());
    if !all() {
        command.env("TRINE_CLUSTER_LEASE", "2");
    }
    world.machine_of(command, 2)
}

/// Causes a fault while a caller is in the middle of its calls, and then counts.
fn counted<W: Borrow<World>>(
    mut place: W,
    caller: Process,
    fault: impl FnOnce(&mut W),
) -> [usize; 3] {
    let mut caller = caller;
    assert_eq!(caller.line(), "middle");
    fault(&mut place);
    let world = place.borrow();
    assert_eq!(caller.rest(), "over\n");
    let ends = ["answered", "lost", "nobody"].map(|end| world.notes(end));
    let ran_by_then = world.notes("ran");
    // Anything that is still going to begin does so in this time.
    sleep(Duration::from_secs(if all() { 15 } else { 4 }));
    let mut ran = world.notes("ran");
    assert_eq!(ran.len(), ran_by_then.len(), "some ran when all had their answers");
    let all: BTreeSet<_> = ends.iter().flatten().collect();
    let [answered, lost, nobody] = &ends;
    let counts = [answered.len(), lost.len(), nobody.len()];
    assert_eq!((all.len(), counts.iter().sum()), (MANY as usize, MANY as usize), "{counts:?}");
    ran.sort_unstable();
    let runs = ran.len();
    ran.dedup();
    assert_eq!(ran.len(), runs, "some ran twice");
    assert!(nobody.iter().all(|number| ran.binary_search(number).is_err()), "{counts:?}");
    assert!(answered.iter().all(|number| ran.binary_search(number).is_ok()), "{counts:?}");
    println!("  answered, lost, never begun: {counts:?}");
    counts
}

fn caller_stuck(out: bool, back: bool) {
    for &seconds in lengths() {
        let world = World::new();
        let _machines = [machine(&world), machine(&world)];
        let relay = Relay::to(world.port());
        let mut command = world.part("counted");
        let caller = Process(command.env("TRINE_CLUSTER", relay.address()).spawn().unwrap());
        let counts = counted(&world, caller, |_| {
            relay.stick(out, back);
            sleep(Duration::from_secs(seconds));
            relay.stick(false, false);
        });
        // The machines existed, and said what became of each call.
        assert_eq!(counts[2], 0);
    }
}

fn machine_stuck(out: bool, back: bool) {
    for &seconds in lengths() {
        let world = World::new();
        let relay = Relay::to(world.port());
        let _machines = [machine_over(&world, &relay), machine(&world)];
        let caller = Process(world.part("counted").spawn().unwrap());
        let counts = counted(&world, caller, |_| {
            relay.stick(out, back);
            sleep(Duration::from_secs(seconds));
            relay.stick(false, false);
        });
        assert_eq!(counts[2], 0);
    }
}

fn machine_stopped() {
    for &seconds in lengths() {
        let world = World::new();
        let (stops, _stays) = (machine(&world), machine(&world));
        let caller = Process(world.part("counted").spawn().unwrap());
        counted(&world, caller, |_| {
            stops.signal(libc::SIGSTOP);
            sleep(Duration::from_secs(seconds));
            stops.signal(libc::SIGCONT);
        });
    }
}

fn broker_stopped() {
    for &seconds in lengths() {
        let world = World::new();
        let _machines = [machine(&world), machine(&world)];
        let caller = Process(world.part("counted").spawn().unwrap());
        counted(&world, caller, |_| {
            world.signal(libc::SIGSTOP);
            sleep(Duration::from_secs(seconds));
            world.signal(libc::SIGCONT);
        });
    }
}

fn broker_away() {
    for &seconds in lengths() {
        let mut world = World::new();
        let _machines = [machine(&world), machine(&world)];
        let caller = Process(world.part("counted").spawn().unwrap());
        counted(&mut world, caller, |world: &mut &mut World| {
            world.crash();
            sleep(Duration::from_secs(seconds));
            world.lose_and_restart();
        });
    }
}

fn rolling_restart() {
    let world = World::new();
    let mut machines = vec![machine(&world), machine(&world)];
    let caller = Process(world.part("counted").spawn().unwrap());
    let counts = counted(&world, caller, |_| {
        for _ in 0..2 {
            machines.push(machine(&world));
            let ends = machines.remove(0);
            ends.signal(libc::SIGTERM);
            assert_eq!(ends.rest(), "");
        }
    });
    assert_eq!(counts, [MANY as usize, 0, 0]);
}

fn caller_gone() {
    let world = World::new();
    let _machine = world.hasty_machine(1);
    let mut caller = world.caller("cancelled");
    assert_eq!(caller.line(), "running");
    let worker = world.notes("began")[0];
    let is_there = || std::path::Path::new(&format!("/proc/{worker}")).exists();
    assert!(is_there());
    drop(caller);
    // What runs for nobody is killed, and what was queued never begins.
    wait_until(|| !is_there());
    assert_eq!(world.caller("values").rest(), "well\n");
    assert!(world.notes("ran").is_empty());
}

fn leader_lost() {
    let brokers = World::three();
    let world = &brokers[0];
    let addresses: Vec<_> = brokers.iter().map(World::address).collect();
    let everywhere = addresses.join(",");
    let part = |name: &str| {
        let mut command = world.part(name);
        command.env("TRINE_CLUSTER", &everywhere).env("TRINE_CLUSTER_REPLICAS", "3");
        command
    };
    let _machines = [world.machine_of(part("machine"), 2), world.machine_of(part("machine"), 2)];
    // One stream for the values, and one for the limit.
    assert_eq!(Process(part("long").spawn().unwrap()).rest(), "3000000\n");
    assert_eq!(Process(part("limited").spawn().unwrap()).rest(), "1\n");
    let caller = Process(part("counted").spawn().unwrap());
    let leader = super::world::leader(&everywhere, "TRINE_VALUES");
    let index = leader.strip_prefix("broker-").unwrap().parse::<usize>().unwrap();
    let counts = counted(world, caller, |_| brokers[index].signal(libc::SIGKILL));
    assert_eq!(counts[0] + counts[1], MANY as usize);
    let again = |name: &str, expected: &str| {
        wait_until(|| Process(part(name).spawn().unwrap()).rest() == expected);
    };
    again("long", "3000000\n");
    again("limited", "1\n");
}

fn many_large() {
    let world = World::with("max_payload: 65536");
    let _machines = [world.machine(2), world.machine(2)];
    let mut command = world.part("many-large");
    command.env("COUNT", if all() { "5000" } else { "500" });
    assert_eq!(Process(command.spawn().unwrap()).rest(), "well\n");
    wait_until(|| super::world::stored(&world.address(), "TRINE_VALUES") == (0, 0));
}
