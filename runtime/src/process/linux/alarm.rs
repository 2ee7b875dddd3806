//! Waiting for a word of shared memory to change, by futex: it needs nothing but the word, so an
//! alarm is empty here.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use rustix::thread::futex::{self, Timespec};

/// What one side of a channel has of it.
pub(crate) struct Alarm;

/// A reference to it for the sleepers of one side, which takes no room.
#[derive(Clone, Copy)]
pub(crate) struct Ringer<'a>(PhantomData<&'a Alarm>);

impl Alarm {
    /// The parent's, and the one that its worker gets.
    pub(crate) fn pair() -> io::Result<[Self; 2]> {
        Ok([Self, Self])
    }

    /// What its worker has to get.
    pub(crate) fn files(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    /// A worker's, of what it got.
    pub(crate) fn from_files(files: Vec<OwnedFd>) -> Option<Self> {
        files.is_empty().then_some(Self)
    }

    /// For words that the parent sleeps on.
    pub(crate) fn of_parent(&self) -> Ringer<'_> {
        Ringer(PhantomData)
    }

    /// For words that the worker sleeps on.
    pub(crate) fn of_worker(&self) -> Ringer<'_> {
        Ringer(PhantomData)
    }
}

impl Ringer<'_> {
    /// Wakes everybody who waits on the word, in any process; returns how many there were.
    pub(crate) fn wake(self, word: &AtomicU32) -> usize {
        futex::wake(word, futex::Flags::empty(), i32::MAX as u32).unwrap_or(0)
    }

    /// Waits while the word is `seen`, with a timeout. May return early.
    pub(crate) fn wait(self, word: &AtomicU32, seen: u32, most: Option<Duration>) {
        let most = most.and_then(|most| Timespec::try_from(most).ok());
        // Interrupted, already changed, woken, or timed out: the caller checks again in each case.
        let _ = futex::wait(word, futex::Flags::empty(), seen, most.as_ref());
    }
}
