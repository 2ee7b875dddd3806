//! Faults that last longer than a lease, in the middle of 10,000 calls, counted: every call gets
//! one answer, none runs twice, none that was reported as never begun runs at all, and none begins
//! once all have their answers.
//!
//! A lease is two seconds here, and a fault lasts six. With `TRINE_FAULTS=all` each fault is tried
//! for 2, 30 and 90 seconds, with the default lease.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::process::Command;
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
    ("machines of another build take over", other_build),
    ("the store is full all the while", store_full),
    ("the broker takes small messages only", small_messages),
    ("a machine that is cut off with much to say kills what runs", cut_off_and_full),
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
pub(crate) fn lengths() -> &'static [u64] {
    if all() { &[2, 30, 90] } else { &[6] }
}

/// Shortens a machine's leases to what faults outlast here.
pub(crate) fn be_hasty(machine: &mut Command) {
    if !all() {
        machine.env("TRINE_CLUSTER_LEASE", "2");
    }
}

/// Lets a caller wait longer for a machine than any fault lasts, so that no call ends for that.
pub(crate) fn be_patient(caller: &mut Command) -> &mut Command {
    caller.env("TRINE_CLUSTER_WAIT", "300")
}

pub(crate) fn machine(world: &World) -> Process {
    let mut command = world.part("machine");
    be_hasty(&mut command);
    world.machine_of(command, 2)
}

fn machine_over(world: &World, relay: &Relay) -> Process {
    let mut command = world.part("machine");
    be_hasty(command.env("TRINE_CLUSTER", relay.address()));
    world.machine_of(command, 2)
}

/// Causes a fault while a caller is in the middle of its calls, and then counts.
pub(crate) fn counted<W: Borrow<World>>(
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
        be_patient(command.env("TRINE_CLUSTER", relay.address()));
        let caller = Process(command.spawn().unwrap());
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

/// A new build takes the place of the old one while a program of the old one has calls.
fn other_build() {
    let world = World::new();
    let (goes, _stays) = (machine(&world), machine(&world));
    let caller = Process(world.part("counted").spawn().unwrap());
    let mut new = None;
    let counts = counted(&world, caller, |_| {
        let command = world.part_of_another_build("machine");
        new = Some(world.machine_of(command, 2));
        goes.signal(libc::SIGTERM);
        assert_eq!(goes.rest(), "");
    });
    assert_eq!(counts, [MANY as usize, 0, 0]);
}

/// Small calls need no store, and large ones say what is wrong with it.
fn store_full() {
    let world = World::new();
    let _machines = [machine(&world), machine(&world)];
    let part = |name: &str| {
        let mut command = world.part(name);
        Process(command.env("TRINE_CLUSTER_STORE", "1000000").spawn().unwrap())
    };
    assert!(part("long").rest().contains("maximum bytes exceeded"));
    let caller = part("counted");
    let counts = counted(&world, caller, |_| {
        assert!(part("long").rest().contains("maximum bytes exceeded"));
    });
    assert_eq!(counts, [MANY as usize, 0, 0]);
}

fn small_messages() {
    let world = World::with("max_payload: 4096");
    let _machines = [machine(&world), machine(&world)];
    let caller = Process(world.part("counted").spawn().unwrap());
    assert_eq!(counted(&world, caller, |_| {}), [MANY as usize, 0, 0]);
    assert_eq!(world.caller("large").rest(), "well\n");
}

/// A client that has no connection accepts messages until its queue is full, and then blocks.
fn cut_off_and_full() {
    let world = World::new();
    let relay = Relay::to(world.port());
    let mut command = world.part("serves-a-little");
    command.env("ADDRESS", relay.address()).env("TRINE_CLUSTER_LEASE", "4");
    command.env_remove("TRINE_CLUSTER").env_remove("TRINE_CLUSTER_KEY");
    let _machine = Process(command.spawn().unwrap());
    let mut caller = world.caller("two-holds");
    assert_eq!(caller.line(), "called");
    wait_until(|| world.notes("began").len() == 8);
    let worker = world.notes("last")[0];
    assert!(relay.break_off() > 0);
    // Their answers are more than the client's queue holds.
    world.go();
    wait_until(|| world.notes("ran").len() == 7);
    // It is lost once no machine can be running it any more.
    assert_eq!(caller.line(), "lost");
    assert!(!std::path::Path::new(&format!("/proc/{worker}")).exists(), "it runs on");
    drop(caller);
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
    // One broker that is alone can store nothing: an error, and no wait without a bound.
    brokers[(index + 1) % 3].signal(libc::SIGKILL);
    for name in ["long", "limited"] {
        let mut command = part(name);
        let said = Process(command.env("TRINE_CLUSTER_WAIT", "1").spawn().unwrap()).rest();
        assert!(said.contains("the broker") && said.contains("could not start"), "{said}");
    }
    assert_eq!(Process(part("one").spawn().unwrap()).rest(), "8\n");
}

fn many_large() {
    let world = World::with("max_payload: 65536");
    let _machines = [world.machine(2), world.machine(2)];
    let mut command = world.part("many-large");
    command.env("COUNT", if all() { "5000" } else { "500" });
    assert_eq!(Process(command.spawn().unwrap()).rest(), "well\n");
    wait_until(|| super::world::stored(&world.address(), "TRINE_VALUES") == (0, 0));
}
