//! The socket between a parent and a worker: memory handles, the doorbell, and notice of the other
//! side's end.
//!
//! Sequenced packets. A packet of one byte that is [`BELL`] says "look at the replies"; any other
//! brings handles.
//!
//! From a worker only memory is taken as a handle. To close another file may take as long as
//! whoever made it likes (a socket that lingers, a file system of its own), so a thread of its own
//! does that.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use super::memory::{Handle, failed, is_memory};

const BELL: u8 = b'!';
const HANDLES: u8 = b'F';

/// The maximum number of handles that arrive together or not at all.
pub(crate) const PACKET_HANDLES: usize = 16;
const MAX_PACKET: usize = 128;
/// How many files the kernel lets come with a packet. What there is no room for it would close
/// right here.
const MAX_FILES: usize = 253;

/// One end.
pub(crate) struct Socket(OwnedFd);

/// What came.
pub(crate) enum Packet {
    Bell,
    Handles(Vec<Handle>),
    /// Files that are no memory. They are gone.
    Unwanted,
    /// The other end is closed.
    End,
}

/// A pair of connected ends, neither of which is inherited by accident.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = SocketType::SEQPACKET;
    rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)
        .map_err(|error| failed("socketpair", error))
}

impl Socket {
    pub(super) fn new(file: OwnedFd) -> Self {
        Self(file)
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
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PACKET_HANDLES))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(files)) {
            return Err(io::Error::other("too many files in one packet"));
        }
        let flags = flags | SendFlags::NOSIGNAL;
        rustix::io::retry_on_intr(|| {
            rustix::net::sendmsg(&self.0, &[IoSlice::new(bytes)], &mut ancillary, flags)
        })
        .map_err(|error| failed("sendmsg", error))?;
        Ok(())
    }

    /// Signals that there are replies. If the socket is full, the other side has enough to wake it.
    pub(crate) fn ring(&self) {
        let _ = self.send_packet(&[BELL], &[], SendFlags::DONTWAIT);
    }

    /// Waits for the next packet of the parent, which sends tubes too.
    pub(crate) fn receive(&self) -> io::Result<Packet> {
        self.receive_packet(RecvFlags::empty(), |_| true)
    }

    /// The next packet of a worker, if there is one.
    pub(crate) fn try_receive(&self) -> io::Result<Packet> {
        self.receive_packet(RecvFlags::DONTWAIT, is_memory)
    }

    fn receive_packet(
        &self,
        flags: RecvFlags,
        is_wanted: impl Fn(&OwnedFd) -> bool,
    ) -> io::Result<Packet> {
        let mut bytes = [0; MAX_PACKET];
        let (length, files, is_whole) = self.receive_into(&mut bytes, flags)?;
        if !is_whole && !flags.contains(RecvFlags::DONTWAIT) {
            // This process may open no more, so what it waits for will never come.
            return Err(failed("recvmsg", Errno::MFILE));
        }
        if !files.iter().all(is_wanted) {
            close_aside(files);
            return Ok(Packet::Unwanted);
        }
        Ok(match (length, bytes[0]) {
            (0, _) => Packet::End,
            (1, BELL) => Packet::Bell,
            _ => Packet::Handles(files.into_iter().map(Handle::from).collect()),
        })
    }

    /// The next packet; its length, its files, and whether those are all that were sent with it.
    pub(super) fn receive_into(
        &self,
        bytes: &mut [u8],
        flags: RecvFlags,
    ) -> io::Result<(usize, Vec<OwnedFd>, bool)> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = flags | RecvFlags::CMSG_CLOEXEC;
        let mut receive = || {
            rustix::io::retry_on_intr(|| {
                rustix::net::recvmsg(&self.0, &mut [IoSliceMut::new(bytes)], &mut ancillary, flags)
            })
        };
        let received = match receive() {
            // Reported once if the other side ended without reading everything. What it sent is
            // still there.
            Err(Errno::CONNRESET) => receive()?,
            received => received?,
        };
        let mut files = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                files.extend(rights);
            }
        }
        Ok((received.bytes, files, !received.flags.contains(ReturnFlags::CTRUNC)))
    }
}

/// Without a thread they stay open.
pub(super) fn close_aside(files: Vec<OwnedFd>) {
    let files = ManuallyDrop::new(files);
    // Some of them need not take long.
    files.iter().for_each(|file| _ = rustix::net::sockopt::set_socket_linger(file, None));
    let closer = thread::Builder::new().name("trine-closer".into());
    let _ = closer.stack_size(64 << 10).spawn(move || drop(ManuallyDrop::into_inner(files)));
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
