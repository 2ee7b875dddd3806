//! Waits for events of many workers: the threads that read their pipes post them here.

use std::sync::Arc;
use std::time::Duration;
use std::{io, mem};

use super::board::{Board, Event, Notice};
use super::child::Process;
use super::socket::Socket;

pub(crate) struct Watcher(Arc<Board>);

impl Watcher {
    #[allow(clippy::unnecessary_wraps, reason = "other platforms need files for it")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Arc::default()))
    }

    /// Starts to watch a worker.
    #[allow(clippy::unnecessary_wraps, reason = "other platforms need files for it")]
    pub(crate) fn add(&self, key: u32, _: &Process, socket: &Socket) -> io::Result<()> {
        socket.tell(Some(Notice { board: Arc::clone(&self.0), key }));
        Ok(())
    }

    #[allow(clippy::unused_self, reason = "other platforms have it in their books")]
    pub(crate) fn remove(&self, _: &Process, socket: &Socket) {
        socket.tell(None);
    }

    /// Waits until something happens, [`wake`](Self::wake) is called, or the time has passed;
    /// appends the events to the list.
    pub(crate) fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) {
        let Board { posted, changed } = &*self.0;
        let mut posted = posted.lock();
        if posted.events.is_empty() && !posted.is_woken && timeout != Some(Duration::ZERO) {
            posted = match timeout {
                Some(timeout) => changed.wait_timeout(posted, timeout),
                None => changed.wait(posted),
            };
        }
        posted.is_woken = false;
        events.extend(mem::take(&mut posted.events));
    }

    pub(crate) fn wake(&self) {
        self.0.posted.lock().is_woken = true;
        self.0.changed.notify_one();
    }
}
