//! How sockets and pipes are made, neither of which is inherited by accident.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;

use crate::process::posix::failed;

/// How packets are sent and received.
pub(crate) const SEND: SendFlags = SendFlags::NOSIGNAL;
pub(crate) const RECEIVE: RecvFlags = RecvFlags::CMSG_CLOEXEC;

/// A pair of connected sockets, which keep packets apart.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = SocketType::SEQPACKET;
    rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)
        .map_err(|error| failed("socketpair", error))
}

pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|error| failed("pipe", error))
}

/// What arrives is not inherited either.
pub(crate) fn close_in_programs(_: &OwnedFd) {}
