//! Tubes: what a worker may do to one, and what is left of it.

use std::fs;
use std::os::fd::RawFd;

use trine::process::Shared;
use trine::{Sender, Stream, channel, concurrent};
use trine_tests::checks::wait_until;
use trine_tests::programs::alone;

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

fn files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[concurrent(process)]
fn sends_slices(count: u32, sender: Sender<Shared<[u32]>>) -> u32 {
    (0..count).take_while(|number| sender.send([*number].into_iter().collect()).is_ok()).count()
        as u32
}

#[concurrent(process, ahead = 100_000)]
fn yields_slices(count: u32) -> impl Iterator<Item = [Shared<[u32]>; 4]> {
    (0..count).map(|number| std::array::from_fn(|_| [number].into_iter().collect()))
}

#[concurrent(process)]
fn sends_long(count: u32, sender: Sender<Vec<u8>>) {
    (0..count).for_each(|_| sender.send(vec![1; 40_000]).unwrap());
}

/// Each unread one of them is a file of this program.
#[test]
fn unread_slices_leave_files_for_others() {
    alone(unread_slices_leave_files_for_others, &[], || {
        let most = files() + 400;
        // All that fit come, and then an error that says what to do.
        let (sender, stream) = channel(100_000);
        let task = sends_slices(2_000, sender);
        assert!((256..2_000).contains(&task.join().unwrap()));
        assert!(files() < most, "{} files", files());
        let mut items: Vec<_> = stream.into_iter().collect();
        let error = items.pop().unwrap().unwrap_err().to_string();
        assert!(
            error.contains("more than 256 shared slices and long values: read them"),
            "{error}"
        );
        assert_eq!(items.len(), 256);
        for (number, item) in (0..).zip(items) {
            assert_eq!(item.unwrap()[..], [number]);
        }
        // As many as a reader takes in time.
        let (sender, stream) = channel(100_000);
        let task = sends_slices(200, sender);
        assert_eq!(stream.into_iter().map(Result::unwrap).count(), 200);
        assert_eq!(task.join().unwrap(), 200);
        // What yields them waits.
        let mut stream = yields_slices(1_000);
        let first = (&mut stream).into_iter().next().unwrap().unwrap();
        assert_eq!(first[3][..], [0]);
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(files() < most, "{} files", files());
        let rest = stream.into_iter().map(Result::unwrap);
        assert!(rest.zip(1..).all(|(item, number)| item[0][..] == [number]));
        // Long values that are not very long are none.
        let (sender, stream) = channel(1_000);
        sends_long(900, sender).join().unwrap();
        assert!(files() < most, "{} files", files());
        assert_eq!(
            stream.into_iter().map(Result::unwrap).map(|item| item.len()).sum::<usize>(),
            36_000_000
        );
    });
}

/// Its child has a copy, which is not what was lent.
#[concurrent(process)]
fn forks_between(sender: Sender<u64>) {
    sender.send(1).unwrap();
    let mut sender = Some(sender);
    // SAFETY: the child drops its copy and exits.
    let child = unsafe { libc::fork() };
    if child == 0 {
        drop(sender.take());
        // SAFETY: ends the child.
        unsafe { libc::_exit(0) };
    }
    // SAFETY: a child of this process.
    assert_eq!(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }, child);
    sender.unwrap().send(2).unwrap();
}

#[test]
fn a_child_that_a_body_forks_does_not_end_its_channel() {
    let (sender, stream) = channel(4);
    let task = forks_between(sender);
    assert_eq!(stream.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [1, 2]);
    task.join().unwrap();
}
