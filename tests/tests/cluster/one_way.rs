//! Connections in which nothing goes in one direction for a while, in the middle of streams and of
//! calls of workers with state, counted. The same for plain calls is in `faults` and `network`.

use std::process::Stdio;
use std::thread::{self, sleep};
use std::time::Duration;
use std::{fs, iter};

use super::faults::{be_hasty, be_patient, lengths, machine};
use super::parts::{folder, tell};
use super::relay::Relay;
use super::residents::over;
use super::stateful::CALLS;
use super::world::{Process, World, wait_until};
use super::yielding::noted;

pub(crate) const CHECKS: &[super::Check] =
    &[("nothing goes in one direction for a moment", for_a_moment)];

/// Only with `TRINE_FAULTS=all`.
pub(crate) const MORE: &[super::Check] = &[
    ("a reader of streams is not heard", || streams(Whose::Callers, true)),
    ("a reader of streams hears nothing", || streams(Whose::Callers, false)),
    ("a machine that yields is not heard", || streams(Whose::Machines, true)),
    ("a machine that yields hears nothing", || streams(Whose::Machines, false)),
    ("a caller of a worker with state is not heard", || workers(Whose::Callers, true)),
    ("a caller of a worker with state hears nothing", || workers(Whose::Callers, false)),
    ("a machine with a value is not heard", || workers(Whose::Machines, true)),
    ("a machine with a value hears nothing", || workers(Whose::Machines, false)),
];

/// Plays a part, if there is one of that name.
pub(crate) fn play(name: &str) -> bool {
    match name {
        "part-reads" => reads(),
        _ => return false,
    }
    true
}

const STREAMS: u64 = 6;
const ITEMS: u64 = 1_500;

/// Reads some streams at once, and tells of each how many items came and how it ended.
fn reads() {
    let streams = (0..STREAMS).map(|stream| {
        let folder = folder().join(stream.to_string());
        fs::create_dir_all(&folder).unwrap();
        noted(&folder, ITEMS)
    });
    let readers: Vec<_> = (0..)
        .zip(streams)
        .map(|(index, stream)| {
            thread::spawn(move || {
                let mut read = 0;
                for item in stream {
                    match item {
                        Ok(item) => assert_eq!(item, read),
                        Err(error) if error.is_worker_lost() => return (read, "lost"),
                        Err(error) => panic!("{index}: {error}"),
                    }
                    read += 1;
                    if index == 0 && read == ITEMS / 4 {
                        tell("middle");
                    }
                }
                (read, "over")
            })
        })
        .collect();
    for reader in readers {
        let (read, end) = reader.join().unwrap();
        tell(format!("{read} {end}"));
    }
}

/// What the streams have yielded so far: each of them in order, and nothing twice.
fn yielded(world: &World) -> Vec<u64> {
    let of_one = |stream: u64| {
        let notes = super::functions::notes(&world.folder.join(stream.to_string()), "yielded");
        assert!((0..).zip(&notes).all(|(index, item)| index == *item), "stream {stream}");
        notes.len() as u64
    };
    (0..STREAMS).map(of_one).collect()
}

/// How many streams came to their end, and how many were lost.
fn ended(world: &World, reader: Process) -> [usize; 2] {
    let rest = reader.rest();
    let mut ends = [0; 2];
    for (line, yielded) in rest.lines().zip(yielded(world)) {
        let (read, end) = line.split_once(' ').unwrap();
        let read = read.parse::<u64>().unwrap();
        assert!(read <= yielded && (end == "lost" || read == ITEMS), "{line}, of {yielded}");
        ends[usize::from(end == "lost")] += 1;
    }
    assert_eq!(ends.iter().sum::<usize>() as u64, STREAMS, "{rest}");
    ends
}

/// How many calls of a worker with state were answered and lost, and how often it was made anew.
fn counted(world: &World, mut caller: Process) -> [u64; 3] {
    caller.tell();
    let rest = caller.rest();
    let mut counts = rest.trim().split(' ').map(|count| count.parse().unwrap());
    let counts: [u64; 3] = std::array::from_fn(|_| counts.next().unwrap());
    let pushed = world.notes("pushed");
    assert!(pushed.is_sorted_by(|one, next| one < next), "one ran twice, or too early");
    assert_eq!(counts[0] + counts[1], CALLS);
    assert!((counts[0]..=CALLS).contains(&(pushed.len() as u64)), "{counts:?}");
    assert_eq!(world.notes("made").len() as u64, 1 + counts[2]);
    counts
}

#[derive(PartialEq)]
enum Whose {
    Callers,
    Machines,
}

/// A machine and a caller in this part that is in the middle, one of them over a connection in
/// which nothing goes out, or comes in, for a while; another machine; and what `so_far` counts.
fn in_one_way(
    (whose, out): (&Whose, bool),
    seconds: u64,
    part: &str,
    so_far: impl Fn(&World) -> u64,
    all: u64,
) -> (World, [Process; 2], Process) {
    let world = World::new();
    let relay = Relay::to(world.port());
    let [mut first, mut caller] = ["machine", part].map(|part| world.part(part));
    be_hasty(&mut first);
    let cut = if *whose == Whose::Machines { &mut first } else { &mut caller };
    cut.env("TRINE_CLUSTER", relay.address());
    let first = world.machine_of(first, 2);
    let mut caller = Process(be_patient(&mut caller).stdin(Stdio::piped()).spawn().unwrap());
    assert_eq!(caller.line(), "middle");
    let machines = [first, machine(&world)];
    relay.stick(out, !out);
    sleep(Duration::from_secs(seconds));
    assert!(so_far(&world) < all, "it was over before");
    relay.stick(false, false);
    (world, machines, caller)
}

/// A stream is lost if its machine may not go on by itself, and none of it is yielded elsewhere.
fn streams(whose: Whose, out: bool) {
    for &seconds in lengths() {
        let so_far = |world: &World| yielded(world).iter().sum();
        let (world, _machines, reader) =
            in_one_way((&whose, out), seconds, "reads", so_far, STREAMS * ITEMS);
        let ends = ended(&world, reader);
        println!("  {seconds} s: over, lost: {ends:?}");
        assert!(seconds != 2 || ends[1] == 0, "a lease is longer");
    }
}

/// At most the one call is lost that the value had; what waited behind it runs on the next one.
fn workers(whose: Whose, out: bool) {
    for &seconds in lengths() {
        let so_far = |world: &World| world.notes("pushed").len() as u64;
        // Where its machine can do without, the first value serves the rest of the calls.
        let all = if whose == Whose::Machines { CALLS + 1 } else { CALLS };
        let (world, _machines, caller) = in_one_way((&whose, out), seconds, "pushes", so_far, all);
        let counts = counted(&world, caller);
        println!("  {seconds} s: answered, lost, made anew: {counts:?}");
        assert!(counts[1] <= counts[2] && counts[2] <= 1, "{counts:?}");
        assert!(seconds != 2 || counts[2] == 0, "a lease is longer");
    }
}

/// For less than a lease, so nothing is lost: for the machine and for the caller, out and in.
fn for_a_moment() {
    let world = World::new();
    let relays = [(); 2].map(|()| Relay::to(world.port()));
    let _machine = world.machine_of(over(&world, &relays[0], "machine"), 2);
    let mut callers =
        ["pushes", "reads"].map(|part| Process(over(&world, &relays[1], part).spawn().unwrap()));
    callers.iter_mut().for_each(|caller| assert_eq!(caller.line(), "middle"));
    for (relay, out) in iter::zip(relays.iter().cycle(), [true, true, false, false]) {
        relay.stick(out, !out);
        sleep(Duration::from_millis(300));
        let seen = world.notes("pushed").len() + 1;
        relay.stick(false, false);
        wait_until(|| world.notes("pushed").len() >= seen.min(CALLS as usize));
    }
    let [caller, reader] = callers;
    assert_eq!(ended(&world, reader), [STREAMS as usize, 0]);
    assert_eq!(counted(&world, caller), [CALLS, 0, 0]);
}
