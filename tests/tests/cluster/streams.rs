//! Functions that yield on other machines, and what goes away while they do.

use super::relay::Relay;
use super::world::{Process, World, wait_until};
use super::yielding::ITEMS;

pub(crate) const CHECKS: &[super::Check] = &[
    ("items come from another machine", || well("streams", "", 2)),
    ("large items go through the store", || well("streams", "max_payload: 65536", 2)),
    ("every end of a stream is told apart", || well("ends-of-streams", "", 2)),
    ("streams that wait for their readers need no worker", || {
        well("more-streams-than-workers", "", 1);
    }),
    ("a body is not further ahead than it may be", || well("backpressure", "", 1)),
    ("a stream that is dropped ends there", || well("dropped", "", 1)),
    ("a machine is killed while it yields", machine_killed),
    ("the broker is killed while items come", broker_killed),
    ("connections are cut while items come", cut),
    ("a machine is silent while it yields", silent),
    ("a reader ends and so does what it read", reader_gone),
    ("a machine that ends yields to the last", drained),
];

fn well(part: &str, settings: &str, workers: u32) {
    let world = World::with(settings);
    let _machine = world.machine(workers);
    assert_eq!(world.caller(part).rest(), "well\n");
}

const LOST: &str = "was lost with the machine that ran it";

/// How many items a reader has read, all in order and none twice, and how that ended.
fn read(mut reader: Process) -> (u64, String) {
    reader.tell();
    let rest = reader.rest();
    let (count, end) = rest.trim().split_once(' ').unwrap();
    (count.parse().unwrap(), end.to_owned())
}

fn reader(world: &World) -> Process {
    let mut reader = world.caller("read");
    assert_eq!(reader.line(), "middle");
    reader
}

fn machine_killed() {
    let world = World::new();
    let machine = world.hasty_machine(1);
    let reader = reader(&world);
    machine.signal(libc::SIGKILL);
    let (count, end) = read(reader);
    assert!((ITEMS / 4..ITEMS).contains(&count), "{count}");
    assert!(end.ends_with(LOST), "{end}");
    assert!(world.notes("yielded").len() as u64 <= ITEMS / 4 + 5);
}

/// All of them, each once, and each yielded once.
fn is_whole(world: &World, reader: Process) {
    assert_eq!(read(reader), (ITEMS, "over".to_owned()));
    assert!(world.notes("yielded").into_iter().eq(0..ITEMS));
}

fn broker_killed() {
    for loses_all in [false, true] {
        let mut world = World::new();
        let _machine = world.machine(1);
        let reader = reader(&world);
        match loses_all {
            true => world.lose_and_restart(),
            false => world.crash_and_restart(),
        }
        is_whole(&world, reader);
    }
}

fn cut() {
    let world = World::new();
    let relays = [(); 2].map(|()| Relay::to(world.port()));
    let over = |relay: &Relay, part: &str| {
        let mut command = world.part(part);
        command.env("TRINE_CLUSTER", relay.address());
        command
    };
    let _machine = world.machine_of(over(&relays[0], "machine"), 1);
    let mut command = over(&relays[1], "read");
    let mut reader = Process(command.stdin(std::process::Stdio::piped()).spawn().unwrap());
    assert_eq!(reader.line(), "middle");
    // While it reads on: it takes some hundred milliseconds for the rest.
    reader.tell();
    let mut seen = ITEMS as usize / 4;
    for _ in 0..5 {
        for relay in &relays {
            assert!(relay.cut() > 0);
            let next = (seen + 1000).min(ITEMS as usize);
            wait_until(|| world.notes("yielded").len() >= next);
            seen = next;
        }
    }
    is_whole(&world, reader);
}

/// For longer than its lease: the stream is lost, and by then it has ended there.
fn silent() {
    let world = World::new();
    let relay = Relay::to(world.port());
    let mut command = world.part("machine");
    command.env("TRINE_CLUSTER", relay.address()).env("TRINE_CLUSTER_LEASE", "2");
    let _machine = world.machine_of(command, 1);
    let mut reader = world.caller("stuck");
    assert_eq!(reader.line(), "middle");
    let worker = format!("/proc/{}", world.notes("began")[0]);
    relay.stick(true, true);
    reader.tell();
    assert!(reader.line().ends_with(LOST));
    assert!(!std::path::Path::new(&worker).exists(), "it runs on");
    relay.stick(false, false);
}

fn reader_gone() {
    let world = World::new();
    let _machine = world.hasty_machine(1);
    let mut reader = world.caller("stuck");
    assert_eq!(reader.line(), "middle");
    let worker = format!("/proc/{}", world.notes("began")[0]);
    drop(reader);
    wait_until(|| !std::path::Path::new(&worker).exists());
    assert_eq!(world.caller("values").rest(), "well\n");
}

fn drained() {
    let world = World::new();
    let ends = world.machine(1);
    let mut reader = world.caller("drained-streams");
    assert_eq!(reader.line(), "middle");
    ends.signal(libc::SIGTERM);
    let takes_over = world.machine(1);
    reader.tell();
    let other = takes_over.id();
    assert_eq!(reader.rest(), format!("{other} {other}\n"));
    assert_eq!(ends.rest(), "");
}
