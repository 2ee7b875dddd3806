//! Waits for events of many workers with `poll`: what comes through their sockets, and their ends.
//!
//! A process that ends closes its socket, unless a child of its has that too. So where there is a
//! kqueue, that tells of ends; otherwise such a one is found when the engine next looks.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::RecvFlags;

use super::ahead::Ahead;
use super::bell::Bell;
#[cfg(not(target_os = "linux"))]
use super::ends::Ends;
use crate::process::posix::child::Process;
use crate::process::posix::identity::Identity;
use crate::process::posix::packet;
use crate::process::posix::socket::Socket;
use crate::sync::Lock;

pub(crate) struct Watcher {
    watched: Lock<Vec<Arc<Watched>>>,
    bell: Arc<Bell>,
    #[cfg(not(target_os = "linux"))]
    ends: Ends,
}

struct Watched {
    key: u32,
    /// Its own, so that it stays what it is while somebody waits.
    socket: OwnedFd,
    ahead: Ahead,
    /// Nothing more will come.
    is_over: AtomicBool,
}

/// Something happened with the worker that has this key.
pub(crate) struct Event {
    pub(crate) key: u32,
    /// Its end of the socket is closed.
    pub(crate) hung_up: bool,
}

impl Watcher {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            watched: Lock::default(),
            bell: Arc::new(Bell::new()?),
            #[cfg(not(target_os = "linux"))]
            ends: Ends::new()?,
        })
    }

    /// Starts to watch a worker.
    pub(crate) fn add(&self, key: u32, process: &Process, socket: &Socket) -> io::Result<()> {
        let ahead = socket.ahead.clone();
        ahead.watch(&self.bell);
        let socket = socket.as_fd().try_clone_to_owned()?;
        let watched = Watched { key, socket, ahead, is_over: AtomicBool::new(false) };
        self.watched.lock().push(Arc::new(watched));
        #[cfg(not(target_os = "linux"))]
        self.ends.add(key, process.id());
        let _ = process;
        self.wake();
        Ok(())
    }

    pub(crate) fn remove(&self, _: &Process, socket: &Socket) {
        self.watched.lock().retain(|watched| !watched.ahead.is(&socket.ahead));
    }

    /// Waits until something happens, [`wake`](Self::wake) is called, or the time has passed;
    /// appends the events to the list. An interruption adds none.
    pub(crate) fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) {
        let mut watched = self.watched.lock().clone();
        watched.retain(|one| !one.is_over.load(Ordering::Relaxed) && !one.ahead.is_full());
        let mut files = vec![PollFd::from_borrowed_fd(self.bell.as_fd(), PollFlags::IN)];
        files.extend(watched.iter().map(|one| PollFd::new(&one.socket, PollFlags::IN)));
        #[cfg(not(target_os = "linux"))]
        files.push(PollFd::from_borrowed_fd(self.ends.as_fd(), PollFlags::IN));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let Ok(_) = poll(&mut files, timeout.as_ref()) else {
            // Perhaps by a change of rights, in which the C library involves every thread.
            Identity::doubt();
            return;
        };
        if !files[0].revents().is_empty() {
            self.bell.clear();
        }
        for (one, file) in watched.iter().zip(&files[1..]) {
            if !file.revents().is_empty() {
                events.push(one.look(file.revents()));
            }
        }
        #[cfg(not(target_os = "linux"))]
        self.ends.take(|key| events.push(Event { key, hung_up: false }));
    }

    pub(crate) fn wake(&self) {
        self.bell.ring();
    }
}

impl Watched {
    /// Reads what has come, so that only what follows is an event again.
    fn look(&self, happened: PollFlags) -> Event {
        let next = || packet::receive(self.socket.as_fd(), RecvFlags::DONTWAIT);
        let has_ended = self.ahead.read(next);
        self.is_over.store(has_ended, Ordering::Relaxed);
        Event { key: self.key, hung_up: has_ended && happened.contains(PollFlags::HUP) }
    }
}
