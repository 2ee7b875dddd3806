//! The functions that are called. Each leaves a note of where and how often it ran.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use std::{process, thread};

use trine::process::Shared;
use trine::{Sender, Stream, concurrent};

#[concurrent(process)]
pub(crate) fn double(number: u64) -> u64 {
    number * 2
}

#[concurrent(process, fresh)]
pub(crate) fn worker_of_its_own() -> u32 {
    process::id()
}

/// The machine that runs it, as the parent of the worker.
#[concurrent(process)]
pub(crate) fn machine() -> u32 {
    std::os::unix::process::parent_id()
}

#[concurrent(process, local)]
pub(crate) fn machine_of_a_local_call() -> u32 {
    std::os::unix::process::parent_id()
}

#[concurrent(process)]
pub(crate) fn machine_that_yields() -> impl Iterator<Item = u32> {
    std::iter::once(std::os::unix::process::parent_id())
}

/// Functions with an end among their arguments. They are on this machine, which has the other end.
#[concurrent(process)]
pub(crate) fn machine_that_sends(sender: Sender<u32>) {
    sender.send(std::os::unix::process::parent_id()).unwrap();
}

#[concurrent(process)]
pub(crate) fn machine_that_reads(numbers: Stream<u32>) -> (u32, usize) {
    (std::os::unix::process::parent_id(), numbers.into_iter().count())
}

#[concurrent(process)]
pub(crate) fn machines_on_the_way(machines: Stream<u32>) -> impl Iterator<Item = u32> {
    let own = std::os::unix::process::parent_id();
    machines.into_iter().map(Result::unwrap).chain([own])
}

/// A call within a call.
#[concurrent(process)]
pub(crate) fn nested() -> (u32, u32) {
    (process::id(), machine().join().unwrap())
}

#[concurrent(process)]
pub(crate) fn boom(why: &str) {
    panic!("{why} went off")
}

#[concurrent(process)]
pub(crate) fn leave(code: i32) {
    process::exit(code)
}

#[concurrent(process, timeout = 200ms)]
pub(crate) fn too_long() {
    loop {
        thread::park();
    }
}

#[concurrent(process, memory = 256MiB)]
pub(crate) fn too_much() -> usize {
    std::hint::black_box(vec![1_u8; 1 << 30]).len()
}

#[concurrent(process)]
pub(crate) fn reversed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.reverse();
    bytes
}

#[concurrent(process)]
pub(crate) fn doubled(numbers: Shared<[u64]>) -> Shared<[u64]> {
    numbers.iter().map(|number| number * 2).collect()
}

/// Leaves a note that it ran.
#[concurrent(process)]
pub(crate) fn noted(folder: &Path, number: u64) -> u64 {
    note(folder, "ran", number);
    number
}

/// Leaves a note that it began, and waits until it may go on.
#[concurrent(process)]
pub(crate) fn held(folder: &Path, number: u64) -> u64 {
    note(folder, "began", process::id().into());
    wait_for(&folder.join("go"));
    note(folder, "ran", number);
    number
}

/// Leaves a note of its worker, and waits for something that does not come.
#[concurrent(process)]
pub(crate) fn held_to_the_last(folder: &Path) {
    note(folder, "last", process::id().into());
    note(folder, "began", process::id().into());
    wait_for(&folder.join("nothing"));
}

/// The same, with something that is long.
#[concurrent(process)]
pub(crate) fn held_long(folder: &Path, bytes: &[u8]) -> usize {
    note(folder, "began", process::id().into());
    wait_for(&folder.join("go"));
    bytes.len()
}

/// Waits until it may go on, the first time that it runs.
#[concurrent(process, retries = 2)]
pub(crate) fn held_once(folder: &Path, number: u64) -> u64 {
    note(folder, "began", process::id().into());
    if notes(folder, "began").len() == 1 {
        wait_for(&folder.join("go"));
    }
    number
}

/// Waits until it may go on, with a limit of one and a queue of one.
#[concurrent(process, limit = 1, queue = 1)]
pub(crate) fn held_in_turn(folder: &Path, number: u64) -> u64 {
    wait_for(&folder.join("go"));
    number
}

/// How many calls of this function run at the same time as it.
#[concurrent(process, limit = 2)]
pub(crate) fn crowd(folder: &Path, number: u64) -> usize {
    let own = folder.join(format!("crowd-{}-{number}", process::id()));
    fs::write(&own, "").unwrap();
    thread::sleep(Duration::from_millis(5));
    let files = fs::read_dir(folder).unwrap().filter_map(Result::ok);
    let crowd = files.filter(|file| file.file_name().to_string_lossy().starts_with("crowd-"));
    let count = crowd.count();
    fs::remove_file(own).unwrap();
    count
}

/// Appends a number to a file of notes, in one write, so that it does not matter who else does.
pub(crate) fn note(folder: &Path, name: &str, number: u64) {
    let mut file = OpenOptions::new().append(true).create(true).open(folder.join(name)).unwrap();
    file.write_all(&number.to_ne_bytes()).unwrap();
}

pub(crate) fn notes(folder: &Path, name: &str) -> Vec<u64> {
    let bytes = fs::read(folder.join(name)).unwrap_or_default();
    bytes.chunks_exact(8).map(|bytes| u64::from_ne_bytes(bytes.try_into().unwrap())).collect()
}

fn wait_for(file: &Path) {
    while !file.exists() {
        thread::sleep(Duration::from_millis(2));
    }
}
