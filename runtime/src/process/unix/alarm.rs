//! Waiting for a word of shared memory to change, where the system has no way to sleep on one: for
//! a byte that comes through a pair of sockets.
//!
//! A byte stays until it is read, so one that is sent between a sleeper's last check and its sleep
//! is not lost. One that was sent too late for a sleep ends the next one early, which then checks
//! again.
//!
//! A worker has its socket too, and may fill it, empty it or close it. So the parent blocks in no
//! send and no receive, whatever the worker has set, and only polls; on a closed one for a moment
//! only.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use super::files;

/// How often to look at a word whose sockets are closed.
const MOMENT: Duration = Duration::from_millis(1);

/// What one side of a channel has of it.
pub(crate) struct Alarm {
    /// What the parent reads. In a worker it is not known.
    parents: Option<OwnedFd>,
    /// What the worker reads; the parent has it to wake threads of its own.
    workers: OwnedFd,
}

/// A reference to it for the sleepers of one side.
#[derive(Clone, Copy)]
pub(crate) struct Ringer<'a> {
    /// What the sleeper reads, and what it is written to.
    to_read: Option<&'a OwnedFd>,
    to_write: Option<&'a OwnedFd>,
}

impl Alarm {
    /// The parent's, and the one that its worker gets.
    pub(crate) fn pair() -> io::Result<[Self; 2]> {
        let (parents, workers) = files::pair()?;
        let theirs = Self { parents: None, workers: workers.try_clone()? };
        Ok([Self { parents: Some(parents), workers }, theirs])
    }

    /// What its worker has to get.
    pub(crate) fn files(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.workers.as_fd()]
    }

    /// A worker's, of what it got.
    pub(crate) fn from_files(files: Vec<OwnedFd>) -> Option<Self> {
        let [workers] = <[OwnedFd; 1]>::try_from(files).ok()?;
        Some(Self { parents: None, workers })
    }

    /// For words that the parent sleeps on.
    pub(crate) fn of_parent(&self) -> Ringer<'_> {
        Ringer { to_read: self.parents.as_ref(), to_write: Some(&self.workers) }
    }

    /// For words that the worker sleeps on.
    pub(crate) fn of_worker(&self) -> Ringer<'_> {
        Ringer { to_read: Some(&self.workers), to_write: self.parents.as_ref() }
    }
}

impl Ringer<'_> {
    /// Wakes whoever sleeps on the word; returns whether that is certain, as a number of sleepers.
    pub(crate) fn wake(self, _: &AtomicU32) -> usize {
        let Some(file) = self.to_write else { return 0 };
        let flags = files::SEND | SendFlags::DONTWAIT;
        match rustix::io::retry_on_intr(|| rustix::net::send(file, &[0], flags)) {
            // If it is full, there is more than enough to wake the sleeper.
            Ok(_) | Err(Errno::AGAIN | Errno::NOBUFS) => 1,
            // Then nobody sleeps for longer than a moment.
            Err(_) => 1,
        }
    }

    /// Waits while the word is `seen`, with a timeout. May return early.
    pub(crate) fn wait(self, word: &AtomicU32, seen: u32, most: Option<Duration>) {
        let Some(file) = self.to_read else { return thread::yield_now() };
        if word.load(Ordering::Relaxed) != seen {
            return;
        }
        let most = most.and_then(|most| Timespec::try_from(most).ok());
        if !matches!(poll(&mut [PollFd::new(file, PollFlags::IN)], most.as_ref()), Ok(1..)) {
            return;
        }
        match rustix::net::recv(file, &mut [0; 64][..], RecvFlags::DONTWAIT) {
            Ok((1.., _)) | Err(Errno::AGAIN | Errno::INTR) => {}
            Ok(_) | Err(_) => thread::sleep(MOMENT),
        }
    }
}

#[cfg(all(test, not(trine_loom)))]
mod tests {
    use super::*;

    const ASLEEP: Option<Duration> = Some(Duration::from_secs(60));

    #[test]
    fn a_wake_before_a_sleep_ends_it() {
        let [parent, worker] = Alarm::pair().unwrap();
        let word = AtomicU32::new(0);
        for _ in 0..100 {
            assert_eq!(worker.of_parent().wake(&word), 1);
            parent.of_parent().wait(&word, 0, ASLEEP);
            // So does a thread of the parent's own.
            parent.of_parent().wake(&word);
            parent.of_parent().wait(&word, 0, ASLEEP);
            parent.of_worker().wake(&word);
            worker.of_worker().wait(&word, 0, ASLEEP);
        }
        parent.of_parent().wait(&word, 1, None);
    }

    #[test]
    fn a_worker_that_fills_or_closes_its_socket_stops_nobody() {
        let [parent, worker] = Alarm::pair().unwrap();
        let word = AtomicU32::new(0);
        (0..100_000).for_each(|_| _ = worker.of_parent().wake(&word));
        (0..100_000).for_each(|_| _ = parent.of_worker().wake(&word));
        assert_eq!(parent.of_parent().wake(&word), 1);
        parent.of_parent().wait(&word, 0, ASLEEP);
        rustix::net::shutdown(&worker.workers, rustix::net::Shutdown::Both).unwrap();
        assert_eq!(parent.of_parent().wake(&word), 1);
        (0..2_000).for_each(|_| parent.of_parent().wait(&word, 0, ASLEEP));
    }
}
