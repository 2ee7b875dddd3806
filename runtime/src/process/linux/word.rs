//! Waiting for a word of shared memory to change, by futex.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use rustix::thread::futex::{self, Timespec};

/// Wakes everybody who waits on the word, in any process; returns how many there were.
pub(crate) fn wake(word: &AtomicU32) -> usize {
    futex::wake(word, futex::Flags::empty(), i32::MAX as u32).unwrap_or(0)
}

/// Waits while the word is `seen`, with a timeout. May return early.
pub(crate) fn wait(word: &AtomicU32, seen: u32, most: Option<Duration>) {
    let most = most.and_then(|most| Timespec::try_from(most).ok());
    // Interrupted, already changed, woken, or timed out: the caller checks again in each case.
    let _ = futex::wait(word, futex::Flags::empty(), seen, most.as_ref());
}
