//! Waiting for a word of shared memory to change. The system's own waits for words end at the
//! process, so each side of a channel has an event to sleep on.
//!
//! An event stays set until somebody sleeps, so a wake is never lost. One that came too late ends
//! the next sleep early, after which everybody looks again.

use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::object::{self, Reset};

/// What one side of a channel has of it: what the sides sleep on.
#[derive(Clone)]
pub(crate) struct Alarm {
    pub(super) parent: Arc<OwnedHandle>,
    pub(super) worker: Arc<OwnedHandle>,
}

#[derive(Clone, Copy)]
pub(crate) struct Ringer<'a>(&'a OwnedHandle);

impl Alarm {
    /// The parent's, and the one that its worker gets.
    pub(crate) fn pair() -> io::Result<[Self; 2]> {
        let event = || object::event(Reset::ByWait).map(Arc::new);
        let alarm = Self { parent: event()?, worker: event()? };
        Ok([alarm.clone(), alarm])
    }

    pub(crate) fn of_parent(&self) -> Ringer<'_> {
        Ringer(&self.parent)
    }

    pub(crate) fn of_worker(&self) -> Ringer<'_> {
        Ringer(&self.worker)
    }
}

impl Ringer<'_> {
    /// Wakes whoever sleeps on the word, now or next.
    pub(crate) fn wake(self, _: &AtomicU32) -> usize {
        object::set(self.0);
        1
    }

    /// Waits while the word is `seen`, with a timeout. May return early.
    pub(crate) fn wait(self, word: &AtomicU32, seen: u32, most: Option<Duration>) {
        if word.load(Ordering::SeqCst) == seen {
            object::wait(&[self.0.as_raw_handle()], most);
        }
    }
}
