//! Where the threads that read the pipes of workers post what happens, for whoever waits for it.

use std::sync::Arc;

use crate::sync::{Lock, Signal};

/// What has happened since somebody looked.
#[derive(Default)]
pub(super) struct Board {
    pub(super) posted: Lock<Posted>,
    pub(super) changed: Signal,
}

#[derive(Default)]
pub(super) struct Posted {
    pub(super) events: Vec<Event>,
    pub(super) is_woken: bool,
}

/// Something happened with the worker that has this key.
pub(crate) struct Event {
    pub(crate) key: u32,
    /// Its end of the pipe is closed.
    pub(crate) hung_up: bool,
}

/// Where the events of one worker are posted.
pub(super) struct Notice {
    pub(super) board: Arc<Board>,
    pub(super) key: u32,
}

impl Notice {
    pub(super) fn post(&self, hung_up: bool) {
        let mut posted = self.board.posted.lock();
        match posted.events.iter_mut().find(|event| event.key == self.key) {
            Some(event) => event.hung_up |= hung_up,
            None => posted.events.push(Event { key: self.key, hung_up }),
        }
        drop(posted);
        self.board.changed.notify_one();
    }
}
