//! The ends of processes, which a kqueue tells of.

#![allow(unsafe_code, reason = "the system's queue of events")]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::kqueue::{Event, EventFilter, EventFlags, ProcessEvents, kevent, kqueue};
use rustix::process::Pid;

use crate::process::posix::failed;
use crate::sync::Lock;

pub(super) struct Ends {
    queue: OwnedFd,
    /// The keys of those that had ended before they were watched.
    missed: Lock<Vec<u32>>,
}

impl Ends {
    pub(super) fn new() -> io::Result<Self> {
        let queue = kqueue().map_err(|error| failed("kqueue", error))?;
        Ok(Self { queue, missed: Lock::default() })
    }

    /// Watches a process, until its end.
    pub(super) fn add(&self, key: u32, process: u32) {
        let Some(process) = Pid::from_raw(process.cast_signed()) else { return };
        let filter = EventFilter::Proc { pid: process, flags: ProcessEvents::EXIT };
        let flags = EventFlags::ADD | EventFlags::ONESHOT;
        let event = Event::new(filter, flags, key as usize as *mut _);
        let none: &mut [Event] = &mut [];
        // SAFETY: a process is watched, and no file that might be closed meanwhile.
        if unsafe { kevent(&self.queue, &[event], none, Some(Duration::ZERO)) }.is_err() {
            self.missed.lock().push(key);
        }
    }

    /// The keys of those that have ended.
    pub(super) fn take(&self, mut ended: impl FnMut(u32)) {
        std::mem::take(&mut *self.missed.lock()).into_iter().for_each(&mut ended);
        let mut events = Vec::with_capacity(32);
        // SAFETY: it watches nothing more.
        let taken = unsafe {
            let room = rustix::buffer::spare_capacity(&mut events);
            kevent(&self.queue, &[], room, Some(Duration::ZERO))
        };
        if taken.is_ok() {
            events.iter().for_each(|event: &Event| ended(event.udata() as usize as u32));
        }
    }
}

impl AsFd for Ends {
    /// Readable after an end.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}
