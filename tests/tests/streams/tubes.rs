//! Tubes: what a worker may do to one, and what is left of it.

use std::fs;
use std::os::fd::RawFd;

use trine::{Sender, Stream, channel, concurrent};
use trine_tests::checks::wait_until;

#[concurrent(process)]
fn send(numbers: Vec<u64>, sender: Sender<u64>) {
    numbers.into_iter().for_each(|number| sender.send(number).unwrap());
}

#[concurrent(process)]
fn sum(numbers: Stream<u64>) -> u64 {
    numbers.into_iter().map(Result::unwrap).sum()
}

#[concurrent(process)]
fn crashes(_sender: Sender<u64>) {
    std::process::abort();
}

/// The descriptor of its tube, for a worker that means harm.
fn tube() -> RawFd {
    let names = fs::read_dir("/proc/self/fd").unwrap().filter_map(Result::ok);
    let files = names.filter_map(|name| name.file_name().to_str()?.parse::<RawFd>().ok());
    let is_socket = |file: &RawFd| {
        let target = fs::read_link(format!("/proc/self/fd/{file}"));
        target.is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
    };
    // The other one is older.
    files.filter(is_socket).max().unwrap()
}

#[concurrent(process, fresh)]
fn writes(frames: Vec<Vec<u8>>, sender: Sender<u64>) {
    let tube = tube();
    for frame in frames {
        // SAFETY: bytes to a socket.
        unsafe { libc::send(tube, frame.as_ptr().cast(), frame.len(), 0) };
    }
    std::mem::forget(sender);
    // SAFETY: it ends without any destructor.
    unsafe { libc::_exit(0) };
}

#[test]
fn what_a_worker_writes_into_a_tube_harms_only_its_stream() {
    let frames: [Vec<u8>; 12] = [
        vec![],
        vec![0, 1],
        vec![0, 255, 255, 255, 255],
        vec![0, 9, 0, 0, 0, 1],
        vec![1],
        vec![2, 1],
        vec![2, 255, 255, 255, 255, 255, 255, 255, 127],
        vec![4, 1, 2, 3, 4, 5, 6, 7, 8],
        vec![5],
        vec![6],
        vec![6, 1, 2, 3],
        vec![7; 200_000],
    ];
    for frame in frames {
        let (sender, stream) = channel(4);
        let (other, numbers) = channel(4);
        let beside = send((0..500).collect(), other);
        let task = writes(vec![frame.clone()], sender);
        let read: Vec<_> = stream.into_iter().collect();
        assert!(read.last().unwrap().is_err(), "{:?}", &frame[..frame.len().min(12)]);
        assert!(task.join().is_err());
        assert!(numbers.into_iter().map(Result::unwrap).eq(0..500));
        beside.join().unwrap();
    }
}

/// It says that others have dropped their senders, which it cannot name.
#[test]
fn a_worker_ends_nobody_elses_sender() {
    let (sender, mut stream) = channel(4);
    let forged = (0..200_u64).map(|number| [&[4][..], &number.to_ne_bytes()].concat());
    let task = writes(forged.collect(), sender.clone());
    assert!(task.join().is_err());
    sender.send(1).unwrap();
    assert_eq!((&mut stream).into_iter().next().unwrap().unwrap(), 1);
}

#[test]
fn tubes_leave_nothing_behind() {
    let files = || fs::read_dir("/proc/self/fd").unwrap().count();
    let threads = || fs::read_dir("/proc/self/task").unwrap().count();
    let round = || {
        let (sender, stream) = channel(4);
        let task = send(vec![1, 2, 3], sender);
        assert_eq!(sum(stream).join().unwrap(), 6);
        task.join().unwrap();
        let (sender, stream) = channel(4);
        let task = crashes(sender);
        drop(stream);
        assert!(task.join().is_err());
    };
    round();
    let (before, threads_before) = (files(), threads());
    (0..40).for_each(|_| round());
    // Other tests of this program have theirs at the same time; forty rounds would have 160.
    wait_until(|| files() < before + 80 && threads() < threads_before + 60);
}
