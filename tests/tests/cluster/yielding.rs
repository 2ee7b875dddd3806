//! Functions that yield on other machines, and the parts in which this program reads them.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, process, thread};

use trine::process::Shared;
use trine::{ErrorKind, Stream, concurrent};

use super::functions::{double, machine, note, notes};
use super::parts::{folder, hear, tell};

/// How many items are read where something is killed in the middle.
pub(crate) const ITEMS: u64 = 20_000;

/// Plays a part, if there is one of that name.
pub(crate) fn play(name: &str) -> bool {
    match name {
        "part-streams" => streams(),
        "part-ends-of-streams" => ends(),
        "part-more-streams-than-workers" => more_than_workers(),
        "part-backpressure" => backpressure(),
        "part-dropped" => dropped(),
        "part-stuck" => stuck(),
        "part-read" => read(),
        "part-drained-streams" => drained(),
        _ => return super::one_way::play(name),
    }
    true
}

#[concurrent(process)]
fn machine_and(count: u64) -> impl Iterator<Item = u64> {
    [std::os::unix::process::parent_id().into()].into_iter().chain(0..count)
}

#[concurrent(process)]
fn texts(count: usize, length: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |number| format!("{number} {}", "x".repeat(length)))
}

#[concurrent(process)]
fn polled(count: u64) -> impl futures_util::Stream<Item = u64> {
    futures_util::stream::iter(0..count)
}

#[concurrent(process)]
fn slices(count: u64) -> impl Iterator<Item = Shared<[u64]>> {
    (0..count).map(|number| (0..10_000).map(|step| number + step).collect())
}

/// Each leaves a note before it is yielded.
#[concurrent(process, ahead = 4)]
pub(crate) fn noted(folder: &Path, count: u64) -> impl Iterator<Item = u64> {
    let folder = folder.to_path_buf();
    (0..count).inspect(move |number| note(&folder, "yielded", *number))
}

#[concurrent(process)]
fn boom(after: u64) -> impl Iterator<Item = u64> {
    (0..).inspect(move |number| assert_ne!(*number, after, "it went off"))
}

#[concurrent(process)]
fn leave(after: u64) -> impl Iterator<Item = u64> {
    (0..).inspect(move |number| {
        if *number == after {
            process::exit(3);
        }
    })
}

#[concurrent(process, timeout = 300ms)]
fn too_long(after: u64) -> impl Iterator<Item = u64> {
    (0..).inspect(move |number| {
        if *number == after {
            loop {
                thread::park();
            }
        }
    })
}

/// Notes its process, and when it is dropped.
struct Numbers(PathBuf, u64);

impl Iterator for Numbers {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.1 += 1;
        Some(self.1 - 1)
    }
}

impl Drop for Numbers {
    fn drop(&mut self) {
        note(&self.0, "dropped", self.1);
    }
}

#[concurrent(process)]
fn endless(folder: &Path) -> impl Iterator<Item = u64> {
    note(folder, "began", process::id().into());
    Numbers(folder.to_path_buf(), 0)
}

#[concurrent(process)]
fn never_yields(folder: &Path) -> impl Iterator<Item = u64> {
    note(folder, "began", process::id().into());
    std::iter::from_fn(|| {
        loop {
            thread::park();
        }
    })
}

fn is_all<T: PartialEq>(stream: Stream<T>, expected: impl Iterator<Item = T>) -> bool {
    stream.into_iter().map(Result::unwrap).eq(expected)
}

fn streams() {
    let here = process::id();
    let there = machine().join().unwrap();
    assert_ne!(there, here);
    assert!(is_all(machine_and(10_000), [there.into()].into_iter().chain(0..10_000)));
    assert!(is_all(machine_and(0), [there.into()].into_iter()));
    let text = |length: usize| move |number: usize| format!("{number} {}", "x".repeat(length));
    for (count, length) in [(500, 0), (300, 5_000), (20, 70_000), (3, 3_000_000)] {
        assert!(is_all(texts(count, length), (0..count).map(text(length))), "{length}");
    }
    assert!(is_all(polled(1000), 0..1000));
    for (number, slice) in (0..).zip(slices(5)) {
        assert!(slice.unwrap().iter().copied().eq(number..number + 10_000));
    }
    let all = trine::gather([1_u64, 2, 3].map(|count| polled(count).gather())).join().unwrap();
    assert_eq!(all, [vec![0], vec![0, 1], vec![0, 1, 2]]);
    let read = trine::block_on(async {
        let mut stream = polled(5);
        let mut read = Vec::new();
        while let Some(item) = futures_util::StreamExt::next(&mut stream).await {
            read.push(item.unwrap());
        }
        read
    });
    assert_eq!(read, [0, 1, 2, 3, 4]);
    tell("well");
}

/// What a stream yields before its last item, which is an error.
fn until_error(stream: Stream<u64>) -> (u64, ErrorKind) {
    let mut stream = stream.into_iter();
    let mut read = 0;
    loop {
        match stream.next().unwrap() {
            Ok(item) => assert_eq!(item, read),
            Err(error) => {
                assert!(stream.next().is_none());
                return (read, error.kind().clone());
            }
        }
        read += 1;
    }
}

fn ends() {
    let (read, why) = until_error(boom(1000));
    let ErrorKind::Panicked { message, location } = why else { panic!("{why:?}") };
    assert!(read == 1000 && message.contains("it went off"), "{read}: {message}");
    assert!(location.is_some_and(|location| location.contains("yielding.rs:")));
    let left = ErrorKind::Crashed { signal: None, code: Some(3) };
    assert_eq!(until_error(leave(1000)), (1000, left));
    let late = ErrorKind::TimedOut { after: Duration::from_millis(300) };
    assert_eq!(until_error(too_long(10)), (10, late));
    let after = Duration::from_millis(50);
    let (_, why) = until_error(endless(&folder()).timeout(after));
    assert_eq!(why, ErrorKind::TimedOut { after });
    let cancelled = endless(&folder());
    cancelled.cancel();
    assert_eq!(until_error(cancelled).1, ErrorKind::Cancelled);
    assert_eq!(double(4).join().unwrap(), 8);
    tell("well");
}

/// On a machine with one worker: none of them is in the way of another, or of a call.
fn more_than_workers() {
    let mut all: Vec<_> = (0..4).map(|_| endless(&folder()).into_iter()).collect();
    // The last one first, which has to begin before any other ends.
    for stream in all.iter_mut().rev() {
        assert_eq!(stream.next().unwrap().unwrap(), 0);
    }
    assert_eq!(double(21).join().unwrap(), 42);
    for number in 1..1000 {
        let next = all.iter_mut().map(|stream| stream.next().unwrap().unwrap());
        assert!(next.eq([number; 4]));
    }
    tell("well");
}

fn backpressure() {
    let folder = folder();
    let mut read = 0;
    for item in noted(&folder, 2000) {
        assert_eq!(item.unwrap(), read);
        read += 1;
        if read % 500 == 1 {
            // Time to go further, in which other calls come and go.
            super::world::wait_until(|| notes(&folder, "yielded").len() as u64 > read);
            (0..200).for_each(|number| assert_eq!(double(number).join().unwrap(), number * 2));
        }
        let yielded = notes(&folder, "yielded").len() as u64;
        // One more waits in its yield.
        assert!(yielded <= read + 4 + 1, "{yielded} yielded, {read} read");
    }
    assert_eq!(read, 2000);
    tell("well");
}

fn dropped() {
    let folder = folder();
    let mut stream = endless(&folder);
    assert_eq!((&mut stream).into_iter().next().unwrap().unwrap(), 0);
    drop(stream);
    super::world::wait_until(|| notes(&folder, "dropped").len() == 1);
    assert!(Path::new(&format!("/proc/{}", notes(&folder, "began")[0])).exists(), "it was killed");
    let stream = never_yields(&folder);
    super::world::wait_until(|| notes(&folder, "began").len() == 2);
    let worker = format!("/proc/{}", notes(&folder, "began")[1]);
    drop(stream);
    super::world::wait_until(|| !Path::new(&worker).exists());
    tell("well");
}

/// Reads until a word comes, and then the rest.
fn read() {
    let mut read = 0;
    let mut end = "over".to_owned();
    for item in noted(&folder(), ITEMS) {
        match item {
            Ok(item) => assert_eq!(item, read),
            Err(error) => {
                end = error.to_string();
                break;
            }
        }
        read += 1;
        if read == ITEMS / 4 {
            tell("middle");
            hear();
        }
    }
    tell(format!("{read} {end}"));
}

/// Holds a stream that nobody reads on.
fn stuck() {
    let mut stream = endless(&folder()).into_iter();
    assert_eq!(stream.next().unwrap().unwrap(), 0);
    tell("middle");
    hear();
    let last = stream.find_map(Result::err).unwrap();
    tell(last);
}

/// One that runs and two that have not begun, when their machine is told to end.
fn drained() {
    let folder = folder();
    let mut first = noted(&folder, 1000).into_iter();
    assert_eq!(first.next().unwrap().unwrap(), 0);
    tell("middle");
    hear();
    let others = [machine_and(0), machine_and(0)];
    let others = others.map(|stream| stream.gather().join().unwrap()[0]);
    assert!(first.map(Result::unwrap).eq(1..1000));
    fs::write(folder.join("go"), "").unwrap();
    tell(format!("{} {}", others[0], others[1]));
}
