//! Waits for events of many workers with epoll: packets on their sockets, and their ends.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};

use crate::process::posix::child::Process;
use crate::process::posix::failed;
use crate::process::posix::identity::Identity;
use crate::process::posix::socket::Socket;

const WAKE: u64 = u64::MAX;

pub(crate) struct Watcher {
    epoll: OwnedFd,
    wake: OwnedFd,
}

/// Something happened with the worker that has this key.
pub(crate) struct Event {
    pub(crate) key: u32,
    /// Its end of the socket is closed.
    pub(crate) hung_up: bool,
}

impl Watcher {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll =
            epoll::create(CreateFlags::CLOEXEC).map_err(|error| failed("epoll_create1", error))?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| failed("eventfd2", error))?;
        let watcher = Self { epoll, wake };
        watcher.listen_to(watcher.wake.as_fd(), WAKE)?;
        Ok(watcher)
    }

    fn listen_to(&self, file: BorrowedFd<'_>, key: u64) -> io::Result<()> {
        let data = EventData::new_u64(key);
        epoll::add(&self.epoll, file, data, EventFlags::IN | EventFlags::ET)
            .map_err(|error| failed("epoll_ctl", error))
    }

    /// Starts to watch a worker.
    pub(crate) fn add(&self, key: u32, process: &Process, socket: &Socket) -> io::Result<()> {
        self.listen_to(socket.as_fd(), key.into())?;
        process.pidfd.as_ref().map_or(Ok(()), |pidfd| self.listen_to(pidfd.as_fd(), key.into()))
    }

    pub(crate) fn remove(&self, process: &Process, socket: &Socket) {
        let _ = epoll::delete(&self.epoll, socket);
        if let Some(pidfd) = &process.pidfd {
            let _ = epoll::delete(&self.epoll, pidfd);
        }
    }

    /// Waits until something happens, [`wake`](Self::wake) is called, or the time has passed;
    /// appends the events to the list. An interruption adds none.
    pub(crate) fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs().cast_signed(),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let mut space = [std::mem::MaybeUninit::uninit(); 32];
        let Ok((happened, _)) = epoll::wait(&self.epoll, &mut space, timeout.as_ref()) else {
            // Perhaps by a change of rights, in which the C library involves every thread.
            Identity::doubt();
            return;
        };
        events.extend(happened.iter().filter(|event| event.data.u64() != WAKE).map(|event| {
            let flags = event.flags;
            Event { key: event.data.u64() as u32, hung_up: flags.contains(EventFlags::HUP) }
        }));
    }

    pub(crate) fn wake(&self) {
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}
