//! Packets with files on a socket between a parent and a worker.
//!
//! From a worker only memory is taken as a handle. To close another file may take as long as
//! whoever made it likes (a socket that lingers, a file system of its own), so a thread of its own
//! does that.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::thread;

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use super::failed;
use super::system::files;
use super::system::memory::{Handle, is_memory};

pub(crate) const BELL: u8 = b'!';
pub(crate) const HANDLES: u8 = b'F';

/// The maximum number of handles that arrive together or not at all.
pub(crate) const PACKET_HANDLES: usize = 16;
/// How many files the kernel lets come with a packet. What there is no room for it would close
/// right here.
const MAX_FILES: usize = 253;

/// What came.
pub(crate) enum Packet {
    Bell,
    Handles(Vec<Handle>),
    /// Files that are no memory. They are gone.
    Unwanted,
    /// The other end is closed.
    End,
}

/// Sends bytes and files; returns how many bytes were taken.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    bytes: &[IoSlice<'_>],
    files: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PACKET_HANDLES))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::Error::other("too many files in one packet"));
    }
    let flags = flags | files::SEND;
    rustix::io::retry_on_intr(|| rustix::net::sendmsg(socket, bytes, &mut ancillary, flags))
        .map_err(|error| failed("sendmsg", error))
}

/// The next packet: of the parent, which sends tubes too, or without waiting of a worker.
pub(crate) fn receive(socket: BorrowedFd<'_>, flags: RecvFlags) -> io::Result<Packet> {
    let is_of_worker = flags.contains(RecvFlags::DONTWAIT);
    let mut byte = [0];
    let (length, files, is_whole) = receive_into(socket, &mut byte, flags)?;
    if !is_whole && !is_of_worker {
        // This process may open no more, so what it waits for will never come.
        return Err(failed("recvmsg", Errno::MFILE));
    }
    if is_of_worker && !files.iter().all(is_memory) {
        close_aside(files);
        return Ok(Packet::Unwanted);
    }
    let handle = if is_of_worker { Handle::of_worker } else { Handle::from };
    Ok(match (length, byte) {
        (0, _) => Packet::End,
        (_, [BELL]) => Packet::Bell,
        _ => Packet::Handles(files.into_iter().map(handle).collect()),
    })
}

/// The next bytes: how many, their files, and whether those are all that were sent with them.
pub(crate) fn receive_into(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
    flags: RecvFlags,
) -> io::Result<(usize, Vec<OwnedFd>, bool)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = flags | files::RECEIVE;
    let mut receive = || {
        rustix::io::retry_on_intr(|| {
            rustix::net::recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut ancillary, flags)
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
    files.iter().for_each(files::close_in_programs);
    Ok((received.bytes, files, !received.flags.contains(ReturnFlags::CTRUNC)))
}

/// Without a thread they stay open.
pub(crate) fn close_aside(files: Vec<OwnedFd>) {
    let files = ManuallyDrop::new(files);
    // Some of them need not take long.
    files.iter().for_each(|file| _ = rustix::net::sockopt::set_socket_linger(file, None));
    let closer = thread::Builder::new().name("trine-closer".into());
    let _ = closer.stack_size(64 << 10).spawn(move || drop(ManuallyDrop::into_inner(files)));
}
