//! The socket between a parent and a worker: files, the doorbell, and news of the other's end.
//!
//! Sequenced packets. A packet of one byte that is [`BELL`] says "look at the replies"; any other
//! brings files.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use crate::process::linux::memory::failed;

pub(crate) const BELL: u8 = b'!';
const FILES: u8 = b'F';

/// The most files that one packet brings.
pub(crate) const FILES_MAX: usize = 16;
const PACKET_MAX: usize = 128;

/// A pair of connected ends, neither of which is inherited by chance.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = SocketType::SEQPACKET;
    rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)
        .map_err(|error| failed("socketpair", error))
}

/// Sends a packet, with files.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    files: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_MAX))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::Error::other("too many files in one packet"));
    }
    let flags = flags | SendFlags::NOSIGNAL;
    rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, flags)
    })?;
    Ok(())
}

/// Sends files, as many as there are.
pub(crate) fn send_files(
    socket: BorrowedFd<'_>,
    files: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> io::Result<()> {
    files.chunks(FILES_MAX).try_for_each(|files| send(socket, &[FILES], files, flags))
}

/// Says that there are replies. If the socket is full the other has enough to wake it.
pub(crate) fn ring(socket: BorrowedFd<'_>) {
    let _ = send(socket, &[BELL], &[], SendFlags::DONTWAIT);
}

/// What came.
pub(crate) enum Packet {
    Bell,
    Files(Vec<OwnedFd>),
    /// The other end is closed.
    End,
}

pub(crate) fn receive(socket: BorrowedFd<'_>, flags: RecvFlags) -> io::Result<Packet> {
    let mut bytes = [0; PACKET_MAX];
    let (length, files) = receive_into(socket, &mut bytes, flags)?;
    Ok(match (length, bytes[0]) {
        (0, _) => Packet::End,
        (1, BELL) => Packet::Bell,
        _ => Packet::Files(files),
    })
}

pub(crate) fn receive_into(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
    flags: RecvFlags,
) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_MAX))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    let received = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut ancillary, flags)
    })?;
    let mut files = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            files.extend(rights);
        }
    }
    Ok((received.bytes, files))
}
