//! Packets of a worker that the watcher has read before somebody asked for them.
//!
//! `poll` reports what is unread as long as it is unread, also while a joiner has the desk and lets
//! it lie. So the watcher reads everything at once, and only what comes after that wakes it again.
//! If nobody takes the packets, it stops at a few, as the kernel does, until somebody does.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, OnceLock};

use super::bell::Bell;
use crate::process::posix::packet::Packet;
use crate::sync::Lock;

/// How many packets may be waiting.
const MAX: usize = 64;
/// How many are read in a row: others have some too.
const MAX_READS: usize = 4096;

/// Those of one worker. A clone shares them.
#[derive(Clone, Default)]
pub(crate) struct Ahead(Arc<Shelf>);

#[derive(Default)]
struct Shelf {
    packets: Lock<VecDeque<Packet>>,
    /// The bell of the watcher.
    watcher: OnceLock<Arc<Bell>>,
}

impl Ahead {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The next packet: one that was read ahead, or else one that is read now.
    pub(crate) fn next(&self, read: impl FnOnce() -> io::Result<Packet>) -> io::Result<Packet> {
        // Under the lock, or a packet could be between the socket and here.
        let mut packets = self.0.packets.lock();
        let was_full = packets.len() >= MAX;
        let next = packets.pop_front();
        if was_full && let Some(watcher) = self.0.watcher.get() {
            watcher.ring();
        }
        next.map_or_else(read, Ok)
    }

    /// For whoever reads ahead, and wants to hear when there is room again.
    pub(super) fn watch(&self, watcher: &Arc<Bell>) {
        let _ = self.0.watcher.set(Arc::clone(watcher));
    }

    /// Whether they are those of the same worker.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.packets.lock().len() >= MAX
    }

    /// Reads until there is nothing more, or no more room. Returns whether the end was read.
    pub(super) fn read(&self, mut read: impl FnMut() -> io::Result<Packet>) -> bool {
        let mut packets = self.0.packets.lock();
        for _ in 0..MAX_READS {
            if packets.len() >= MAX {
                break;
            }
            match read() {
                Ok(Packet::End) => {
                    packets.push_back(Packet::End);
                    return true;
                }
                // Two are as good as one.
                Ok(Packet::Bell) if matches!(packets.back(), Some(Packet::Bell)) => {}
                Ok(packet) => packets.push_back(packet),
                Err(error) => return !matches!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        false
    }
}
