//! Bodies that are slower than whoever reads, and sides that wait for each other.

use std::fs;
use std::time::Duration;

use trine::{Stream, concurrent};
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

/// The processor time of this program and its workers.
fn used() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let workers = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let workers: Vec<_> = workers.collect();
    let ticks = |process: &str| -> u64 {
        let Ok(line) = fs::read_to_string(format!("/proc/{process}/stat")) else { return 0 };
        // After the name, which may have anything in it.
        let fields: Vec<_> = line.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    };
    let workers = workers.iter().flat_map(|children| children.split_whitespace());
    Duration::from_millis(10 * workers.chain(["self"]).map(ticks).sum::<u64>())
}

/// What is waited for does not come in that time.
const LONG: Duration = Duration::from_millis(500);

#[test]
fn nobody_looks_in_a_loop_while_it_waits() {
    alone(nobody_looks_in_a_loop_while_it_waits, &[], || {
        for mode in MODES {
            // A body that waits for its reader.
            let mut stream = (mode.count)(u64::MAX);
            assert_eq!((&mut stream).into_iter().next().unwrap().unwrap(), 0);
            uses_little(&format!("{}: a body", mode.name), || std::thread::sleep(LONG));
            drop(stream);
        }
        // A reader that waits for a body, in a thread, in an executor, and through others.
        for function in [slow_to_begin, slow_to_begin_in_a_worker] {
            for read in [iterates, awaits, gathers] {
                uses_little("a reader", || read(function()));
            }
        }
    });
}

/// Checks what a wait of that length costs. A loop costs as much each time; once it may be somebody
/// else, such as a worker that ends meanwhile, whose time is then counted here.
fn uses_little(what: &str, wait: impl Fn()) {
    let cost = |_| {
        let before = used();
        wait();
        // Less if a worker has ended.
        used().saturating_sub(before)
    };
    assert!((0..5).map(cost).any(|cost| cost < LONG / 4), "{what}");
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

#[concurrent(threads)]
fn slow_to_begin() -> impl Iterator<Item = u64> {
    std::iter::once_with(|| {
        std::thread::sleep(LONG);
        1
    })
}

#[concurrent(process)]
fn slow_to_begin_in_a_worker() -> impl Iterator<Item = u64> {
    std::iter::once_with(|| {
        std::thread::sleep(LONG);
        1
    })
}
