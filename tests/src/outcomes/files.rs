//! What a body does to the files of its worker.

use std::io::Write;
use std::thread;
use std::time::Duration;

use trine::{ErrorKind, concurrent};

use crate::checks::part;
use crate::process::double;

fn close_all() {
    for file in 0..1000 {
        // SAFETY: none, since some of them belong to others. That is what this test tries.
        unsafe { libc::close(file) };
    }
}

#[concurrent(process)]
fn closes_all_files() {
    close_all();
    loop {
        thread::park();
    }
}

pub(super) fn closed() {
    let error = closes_all_files().join().unwrap_err();
    assert!(error.to_string().contains("closed the socket to its parent"), "{error}");
    assert_eq!(double(2).join().unwrap(), 4);
}

/// As every worker does that dies, but slowly, as where it gets no processor.
#[concurrent(process)]
fn closes_all_files_and_dies() {
    close_all();
    thread::sleep(Duration::from_millis(200));
    std::process::abort();
}

pub(super) fn closed_before_the_end() {
    let error = closes_all_files_and_dies().join().unwrap_err();
    let died = ErrorKind::Crashed { signal: Some(libc::SIGABRT), code: None };
    assert_eq!(*error.kind(), died);
}

#[concurrent(process)]
pub(super) fn writes_garbage() -> u32 {
    std::io::stdout().write_all(&garbage()).unwrap();
    3
}

fn garbage() -> Vec<u8> {
    (0..4096_u32).map(|number| (number * 31) as u8).collect()
}

pub(super) fn garbage_on_stdout() {
    let output = part("garbage").output().unwrap();
    assert!(output.status.success() && output.stdout == garbage(), "{output:?}");
}
