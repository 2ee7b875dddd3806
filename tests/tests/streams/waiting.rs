//! Bodies that are slower than whoever reads, and sides that wait for each other.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use trine::{Stream, concurrent};
use trine_tests::gate::Gate;
use trine_tests::programs::alone;

use crate::contract::{Read, ways};
use crate::functions::MODES;

const PAUSE: Duration = Duration::from_millis(1);

#[concurrent(threads)]
fn slow(count: u64) -> impl Iterator<Item = u64> {
    (0..count).inspect(|_| std::thread::sleep(PAUSE))
}

#[concurrent(process)]
fn slow_in_a_worker(count: u64) -> impl Iterator<Item = u64> {
    (0..count).inspect(|_| std::thread::sleep(PAUSE))
}

#[concurrent(async)]
fn slow_awaited(count: u64) -> impl futures::Stream<Item = u64> {
    futures::stream::unfold(0, move |number| async move {
        tokio::time::sleep(PAUSE).await;
        (number < count).then_some((number, number + 1))
    })
}

/// A reader that is faster waits for each item, and gets it when it comes.
#[test]
fn a_reader_waits_for_a_slow_body() {
    for function in [slow, slow_in_a_worker, slow_awaited] {
        for (way, read) in ways() {
            let (items, error): Read<u64> = read(function(40));
            assert!(items.into_iter().eq(0..40) && error.is_none(), "{way}");
        }
        assert!(function(40).gather().join().unwrap().into_iter().eq(0..40));
    }
}

/// The processor time of this program's threads and of its workers.
fn used() -> Duration {
    let tasks = |process: &str| {
        let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
        tasks.map(|task| task.path()).collect::<Vec<_>>()
    };
    let mut all = tasks("self");
    let children = all.iter().filter_map(|task| fs::read_to_string(task.join("children")).ok());
    let children: Vec<_> = children.collect();
    all.extend(children.iter().flat_map(|children| children.split_whitespace()).flat_map(tasks));
    // One that has ended meanwhile counts no more.
    let times = all.iter().filter_map(|task| fs::read_to_string(task.join("schedstat")).ok());
    Duration::from_nanos(
        times.map(|time| time.split(' ').next().unwrap().parse::<u64>().unwrap()).sum(),
    )
}

/// All wait at the same time, since a loop of any of them would show in what all of them use.
#[test]
fn nobody_looks_in_a_loop_while_it_waits() {
    alone(nobody_looks_in_a_loop_while_it_waits, &[], || {
        // Bodies that wait for their readers.
        let mut unread: Vec<_> = MODES.iter().map(|mode| (mode.count)(u64::MAX)).collect();
        for stream in &mut unread {
            assert_eq!(stream.into_iter().next().unwrap().unwrap(), 0);
        }
        // Readers that wait for a body: in a thread, in an executor, and through others.
        let gate = Gate::new();
        let (mut readers, mut bodies) = (Vec::new(), Vec::new());
        for function in [gated, gated_in_a_worker, gated_awaited] {
            for read in [iterates, awaits, gathers] {
                let stream = function(gate.port());
                readers.push(thread::spawn(move || read(stream)));
                bodies.push(gate.entered());
            }
        }
        // The first look finds some on their way to rest, and workers that still start.
        let looks = (0..10).map(|_| used_beside_a_loop()).take_while(|&used| used > LOOP / 4);
        let looks: Vec<_> = looks.collect();
        assert!(looks.len() < 10, "{looks:?}");
        drop((unread, bodies));
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
}

/// How much processor time this thread uses in a loop, however long that takes on a busy machine.
const LOOP: Duration = Duration::from_millis(60);

/// What all others use meanwhile. One of them that looked in a loop would get as much.
fn used_beside_a_loop() -> Duration {
    let own = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
    };
    let (began, before) = (own(), used());
    while own() - began < LOOP {
        std::hint::spin_loop();
    }
    let looped = own() - began;
    used().saturating_sub(before).saturating_sub(looped)
}

fn iterates(stream: Stream<u64>) {
    assert_eq!(stream.into_iter().count(), 1);
}

fn awaits(stream: Stream<u64>) {
    assert_eq!(trine::block_on(futures::StreamExt::count(stream)), 1);
}

fn gathers(stream: Stream<u64>) {
    assert_eq!(stream.gather().join().unwrap(), [1]);
}

/// Comes to the gate, and says 1 once it may go on.
fn pass(port: u16) -> u64 {
    let mut gate = TcpStream::connect(("127.0.0.1", port)).unwrap();
    trine::blocking(|| gate.read(&mut [0])).unwrap();
    1
}

#[concurrent(threads)]
fn gated(port: u16) -> impl Iterator<Item = u64> {
    std::iter::once_with(move || pass(port))
}

#[concurrent(process)]
fn gated_in_a_worker(port: u16) -> impl Iterator<Item = u64> {
    std::iter::once_with(move || pass(port))
}

#[concurrent(async)]
fn gated_awaited(port: u16) -> impl futures::Stream<Item = u64> {
    futures::stream::once(
        async move { tokio::task::spawn_blocking(move || pass(port)).await.unwrap() },
    )
}
