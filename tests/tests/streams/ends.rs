//! The ends of channels and streams in worker processes: what only another process can do to them.

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use trine::process::Shared;
use trine::{ErrorKind, Sender, Stream, channel, concurrent, gather};
use trine_tests::checks::wait_until;
use trine_tests::process::double;

#[concurrent(process)]
fn send(numbers: Vec<u64>, sender: Sender<u64>) {
    numbers.into_iter().for_each(|number| sender.send(number).unwrap());
}

#[concurrent(process)]
fn sum(numbers: Stream<u64>) -> u64 {
    numbers.into_iter().map(Result::unwrap).sum()
}

#[concurrent(process)]
fn count(to: u64) -> impl Iterator<Item = u64> {
    0..to
}

#[concurrent(process)]
fn send_and_end(number: u64, sender: Sender<u64>, how: u8) {
    let _ = sender.send(number);
    match how {
        0 => std::process::abort(),
        1 => std::process::exit(0),
        _ => loop {
            std::thread::park();
        },
    }
}

#[test]
fn a_crash_with_the_only_sender_is_the_streams_last_error() {
    for how in [0, 1] {
        let (sender, stream) = channel(4);
        let task = send_and_end(7, sender, how);
        let read: Vec<_> = stream.into_iter().collect();
        assert_eq!(*read[0].as_ref().unwrap(), 7);
        let error = read[1].as_ref().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Crashed { .. }), "{error}");
        assert_eq!((error.function(), read.len()), ("channel", 2));
        assert!(task.join().is_err());
    }
    // One that is killed has crashed as well, for whoever reads.
    let (sender, mut stream) = channel(4);
    let task = send_and_end(7, sender, 2);
    assert_eq!((&mut stream).into_iter().next().unwrap().unwrap(), 7);
    task.cancel();
    assert!(stream.into_iter().next().unwrap().is_err());
    assert!(task.join().unwrap_err().is_cancelled());
}

#[test]
fn a_crash_beside_another_sender_is_its_tasks_alone() {
    let (sender, mut stream) = channel(4);
    let task = send_and_end(7, sender.clone(), 0);
    assert_eq!((&mut stream).into_iter().next().unwrap().unwrap(), 7);
    assert!(task.join().is_err());
    sender.send(8).unwrap();
    assert_eq!((&mut stream).into_iter().next().unwrap().unwrap(), 8);
    drop(sender);
}

#[concurrent(process, limit = 1)]
fn never_starts(sender: Sender<u64>, until: Stream<u64>) {
    until.into_iter().for_each(drop);
    drop(sender);
}

/// A call that never began had no sender to lose.
#[test]
fn a_call_that_never_began_just_drops_its_sender() {
    let (go, wait) = channel(1);
    let (unused, _stream) = channel(1);
    let first = never_starts(unused, wait);
    let (sender, stream) = channel::<u64>(1);
    let (_never, nothing) = channel(1);
    let second = never_starts(sender, nothing);
    second.cancel();
    assert_eq!(stream.into_iter().count(), 0);
    assert!(second.join().unwrap_err().is_cancelled());
    drop(go);
    first.join().unwrap();
}

#[concurrent(process)]
fn drops_early(sender: Sender<u64>, go: Stream<u64>) -> u64 {
    sender.send(1).unwrap();
    drop(sender);
    go.into_iter().map(Result::unwrap).sum()
}

#[test]
fn the_last_sender_ends_the_stream_while_its_call_goes_on() {
    let (sender, stream) = channel(1);
    let (go, wait) = channel(1);
    let task = drops_early(sender, wait);
    assert_eq!(stream.gather().join().unwrap(), [1]);
    assert!(!task.is_finished());
    go.send(5).unwrap();
    drop(go);
    assert_eq!(task.join().unwrap(), 5);
}

/// More calls than there may be descriptors, and than any queue holds.
#[test]
fn many_calls_share_a_channel() {
    let (sender, stream) = channel(16);
    let sum = stream.gather();
    gather((0..3000).map(|number| send(vec![number], sender.clone()))).join().unwrap();
    drop(sender);
    let mut numbers = sum.join().unwrap();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..3000));
}

#[test]
fn whoever_sends_is_never_far_ahead() {
    const COUNT: u64 = 100_000;
    let (sender, mut stream) = channel(1);
    let task = send((0..COUNT).collect(), sender);
    for expected in 0..100 {
        assert_eq!((&mut stream).into_iter().next().unwrap().unwrap(), expected);
    }
    // The kernel holds a few hundred.
    assert!(!task.is_finished());
    assert!(stream.into_iter().map(Result::unwrap).eq(100..COUNT));
    task.join().unwrap();
}

#[test]
fn a_pipeline_of_more_stages_than_there_are_workers() {
    #[concurrent(process)]
    fn add(numbers: Stream<u64>) -> impl Iterator<Item = u64> {
        numbers.into_iter().map(|number| number.unwrap() + 1)
    }
    let mut stream = count(1000);
    for _ in 0..8 {
        stream = add(stream);
    }
    assert_eq!(sum(stream).join().unwrap(), (8..1008).sum::<u64>());
    assert_eq!(double(2).join().unwrap(), 4);
}

#[concurrent(process)]
fn fails_after(count: u64) -> impl Iterator<Item = u64> {
    (0..=count).inspect(move |number| assert!(*number < count, "at {number}"))
}

#[concurrent(process)]
fn last_error(numbers: Stream<u64>) -> (usize, String) {
    let read: Vec<_> = numbers.into_iter().collect();
    (read.len(), read.last().unwrap().as_ref().unwrap_err().to_string())
}

#[test]
fn a_failure_comes_last_in_the_next_stage_too() {
    let (count, error) = last_error(fails_after(3)).join().unwrap();
    assert_eq!(count, 4);
    assert!(error.contains("`fails_after` panicked") && error.contains("at 3"), "{error}");
    let stream = count_forever();
    stream.cancel();
    let (_, error) = last_error(stream).join().unwrap();
    assert!(error.contains("cancelled"), "{error}");
}

#[concurrent(process)]
fn count_forever() -> impl Iterator<Item = u64> {
    0..
}

#[concurrent(process)]
fn reads(numbers: Stream<u64>, most: usize, crashes: bool) -> u64 {
    let sum = numbers.into_iter().take(most).map(Result::unwrap).sum();
    if crashes {
        std::process::abort();
    }
    sum
}

/// Says when it is dropped.
struct Held(mpsc::Sender<()>);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[test]
fn whoever_reads_no_more_ends_the_source() {
    #[concurrent(threads)]
    fn source(held: Held) -> impl Iterator<Item = u64> {
        (0..).inspect(move |_| _ = &held)
    }
    for crashes in [false, true] {
        let (held, dropped) = mpsc::channel();
        let task = reads(source(Held(held)), 10, crashes);
        dropped.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(task.join().ok(), (!crashes).then_some(45));
    }
    // One that nothing comes from is found to be unwanted all the same.
    let (sender, stream) = channel(1);
    let task = reads(stream, 0, false);
    assert_eq!(task.join().unwrap(), 0);
    wait_until(|| sender.send(1).is_err());
}

#[concurrent(process)]
fn sends_large(sender: Sender<Vec<u8>>, lengths: Vec<usize>) {
    for length in lengths {
        sender.send((0..length).map(|at| at as u8).collect()).unwrap();
    }
}

#[concurrent(process)]
fn lengths(stream: Stream<Vec<u8>>) -> impl Iterator<Item = (usize, bool)> {
    stream.into_iter().map(|bytes| {
        let bytes = bytes.unwrap();
        let is_right = bytes.iter().enumerate().all(|(at, byte)| *byte == at as u8);
        (bytes.len(), is_right)
    })
}

#[test]
fn items_of_all_lengths_cross() {
    let all = vec![0, 1, 46, 47, 32_000, 32_700, 32_763, 32_764, 32_768, 40_000, 3 << 20, 5];
    let (sender, stream) = channel(2);
    let task = sends_large(sender, all.clone());
    let seen = lengths(stream).gather().join().unwrap();
    assert!(seen.iter().copied().eq(all.into_iter().map(|length| (length, true))), "{seen:?}");
    task.join().unwrap();
}

#[concurrent(process)]
fn sends_shared(sender: Sender<Shared<[u32]>>, slices: Vec<Shared<[u32]>>) {
    slices.into_iter().for_each(|slice| sender.send(slice).unwrap());
}

#[test]
fn shared_slices_are_items_too() {
    #[concurrent(process)]
    fn sums(stream: Stream<Shared<[u32]>>) -> Vec<u32> {
        stream.into_iter().map(|slice| slice.unwrap().iter().sum()).collect()
    }
    let (sender, stream) = channel(2);
    let slices = (1..40).map(|length| (0..length).collect()).collect();
    let task = sends_shared(sender, slices);
    let expected: Vec<u32> = (1..40).map(|length| (0..length).sum()).collect();
    assert_eq!(sums(stream).join().unwrap(), expected);
    task.join().unwrap();
}

/// Fails to be encoded, or to be decoded.
#[derive(Deserialize)]
struct Odd(#[serde(deserialize_with = "refuse_2")] u8);

fn refuse_2<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    match u8::deserialize(deserializer)? {
        2 => Err(serde::de::Error::custom("two")),
        number => Ok(number),
    }
}

impl Serialize for Odd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            1 => Err(serde::ser::Error::custom("one")),
            3 => panic!("three"),
            number => number.serialize(serializer),
        }
    }
}

#[test]
fn what_cannot_cross_is_the_last_error_and_says_why() {
    #[concurrent(process)]
    fn sends(numbers: Vec<u8>, sender: Sender<Odd>) -> usize {
        numbers.into_iter().take_while(|number| sender.send(Odd(*number)).is_ok()).count()
    }
    #[concurrent(threads)]
    fn yields(numbers: Vec<u8>) -> impl Iterator<Item = Odd> {
        numbers.into_iter().map(Odd)
    }
    #[concurrent(process)]
    fn reads(stream: Stream<Odd>) -> (usize, String) {
        let read: Vec<_> = stream.into_iter().collect();
        let last = read.last().unwrap().as_ref().err();
        (read.len(), last.map(ToString::to_string).unwrap_or_default())
    }
    for (wrong, why) in [(1, "Odd`: one"), (2, "two")] {
        let (sender, stream) = channel(8);
        let task = sends(vec![0, wrong, 4], sender);
        let read: Vec<_> = stream.into_iter().map(|item| item.map(|odd| odd.0)).collect();
        assert_eq!(*read[0].as_ref().unwrap(), 0);
        let error = read[1].as_ref().unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("`channel`"), "{error}");
        assert_eq!(read.len(), 2);
        drop(task);
        let (count, error) = reads(yields(vec![0, wrong, 4])).join().unwrap();
        assert!(count == 2 && error.contains(why) && error.contains("`yields`"), "{error}");
    }
    let (count, error) = reads(yields(vec![0, 3, 4])).join().unwrap();
    assert!(count == 2 && error.contains("three"), "{error}");
}

#[test]
fn each_try_has_the_sender_and_a_stream_is_not_for_retries() {
    #[concurrent(process, retries = 2)]
    fn sends(sender: Sender<u32>, file: std::path::PathBuf) -> Result<(), String> {
        let tries = fs::read_to_string(&file).map_or(0, |text| text.len());
        fs::write(&file, "x".repeat(tries + 1)).unwrap();
        sender.send(tries as u32).unwrap();
        if tries < 2 { Err("again".to_owned()) } else { Ok(()) }
    }
    #[concurrent(process, retries = 2)]
    fn reads(numbers: Stream<u64>) -> u64 {
        numbers.into_iter().map(Result::unwrap).sum()
    }
    let file = std::env::temp_dir().join(format!("trine-tries-{}", std::process::id()));
    let (sender, stream) = channel(8);
    let task = sends(sender, file.clone());
    assert_eq!(stream.gather().join().unwrap(), [0, 1, 2]);
    task.join().unwrap().unwrap();
    fs::remove_file(file).unwrap();
    let error = reads(count(3)).join().unwrap_err().to_string();
    assert!(error.contains("cannot be an argument where there are `retries`"), "{error}");
}

#[test]
fn a_worker_lends_its_ends_to_its_own_workers() {
    #[concurrent(process)]
    fn lends(numbers: Stream<u64>, sender: Sender<u64>) {
        sender.send(1000).unwrap();
        send(vec![1, 2], sender.clone()).join().unwrap();
        sender.send(sum(numbers).join().unwrap()).unwrap();
    }
    let (sender, stream) = channel(1);
    let task = lends(count(10), sender);
    let mut numbers = stream.gather().join().unwrap();
    let place = |number| numbers.iter().position(|&read| read == number);
    // Only those of one sender are in order; another process relays those of the inner worker.
    assert!(place(1) < place(2) && place(1000) < place(45));
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 45, 1000]);
    task.join().unwrap();
}

#[test]
fn an_end_is_an_argument_and_nothing_else() {
    #[concurrent(process)]
    fn gives_back(sender: Sender<u64>) -> Sender<u64> {
        sender
    }
    let (sender, stream) = channel::<u64>(1);
    let error = gives_back(sender.clone()).join().unwrap_err().to_string();
    assert!(error.contains("only as an argument of a `process` function"), "{error}");
    let error = serde_json::to_string(&sender).unwrap_err().to_string();
    assert!(error.contains("a `Sender` can be encoded only as an argument"), "{error}");
    let error = serde_json::to_string(&stream).unwrap_err().to_string();
    assert!(error.contains("a `Stream` can be encoded only as an argument"), "{error}");
    let error = serde_json::from_str::<Stream<u64>>(r#"{"file":0,"name":"x"}"#).unwrap_err();
    assert!(error.to_string().contains("can be decoded only from"), "{error}");
    drop(sender);
    assert_eq!(stream.into_iter().count(), 0);
}
