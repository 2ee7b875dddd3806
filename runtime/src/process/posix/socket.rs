//! The socket between a parent and a worker: memory handles, the doorbell, and notice of the other
//! side's end.
//!
//! A packet is a single byte: [`BELL`] says "look at the replies", any other brings handles. So it
//! does not matter whether the socket keeps packets apart.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{RecvFlags, SendFlags};

use super::packet::{self, BELL, HANDLES, PACKET_HANDLES, Packet};
use super::system::ahead::Ahead;
use super::system::memory::Handle;

/// One end.
pub(crate) struct Socket {
    file: OwnedFd,
    /// What the watcher has read of it.
    pub(crate) ahead: Ahead,
}

impl Socket {
    pub(crate) fn new(file: OwnedFd) -> Self {
        Self { file, ahead: Ahead::new() }
    }

    /// Sends any number of handles; waits until the other side makes room.
    pub(crate) fn send(&self, handles: &[&Handle]) -> io::Result<()> {
        self.send_packets(handles, SendFlags::empty())
    }

    /// The same without waiting. After an error, some may have been sent.
    pub(crate) fn try_send(&self, handles: &[&Handle]) -> io::Result<()> {
        self.send_packets(handles, SendFlags::DONTWAIT)
    }

    fn send_packets(&self, handles: &[&Handle], flags: SendFlags) -> io::Result<()> {
        handles.chunks(PACKET_HANDLES).try_for_each(|some| {
            let files: Vec<_> = some.iter().map(|handle| handle.as_fd()).collect();
            self.send_packet(&[HANDLES], &files, flags)
        })
    }

    pub(super) fn send_packet(
        &self,
        bytes: &[u8],
        files: &[BorrowedFd<'_>],
        flags: SendFlags,
    ) -> io::Result<()> {
        packet::send(self.as_fd(), &[IoSlice::new(bytes)], files, flags).map(drop)
    }

    /// Signals that there are replies. If the socket is full, the other side has enough to wake it.
    pub(crate) fn ring(&self) {
        let _ = self.send_packet(&[BELL], &[], SendFlags::DONTWAIT);
    }

    /// Waits for the next packet of the parent.
    pub(crate) fn receive(&self) -> io::Result<Packet> {
        packet::receive(self.as_fd(), RecvFlags::empty())
    }

    /// The next packet of a worker, if there is one.
    pub(crate) fn try_receive(&self) -> io::Result<Packet> {
        self.ahead.next(|| packet::receive(self.as_fd(), RecvFlags::DONTWAIT))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
