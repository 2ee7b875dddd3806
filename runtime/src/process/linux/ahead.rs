//! Nothing is read of a worker's socket before somebody asks for it: epoll tells of each packet
//! once, read or not.

use std::io;

use crate::process::posix::packet::Packet;

pub(crate) struct Ahead;

impl Ahead {
    pub(crate) fn new() -> Self {
        Self
    }

    /// The next packet, which is read now.
    #[inline]
    pub(crate) fn next(&self, read: impl FnOnce() -> io::Result<Packet>) -> io::Result<Packet> {
        read()
    }
}
