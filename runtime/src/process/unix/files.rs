//! How sockets and pipes are made and passed on. They are closed in other programs that this one
//! starts; where the system cannot make them so at once, one that another thread starts in that
//! very moment has them.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::process::posix::failed;

/// How packets are sent and received.
#[cfg(not(target_vendor = "apple"))]
mod flags {
    use super::*;

    pub(crate) const SEND: SendFlags = SendFlags::NOSIGNAL;
    pub(crate) const RECEIVE: RecvFlags = RecvFlags::CMSG_CLOEXEC;
    pub(super) const NEW: SocketFlags = SocketFlags::CLOEXEC;
}

#[cfg(target_vendor = "apple")]
mod flags {
    use super::*;

    pub(crate) const SEND: SendFlags = SendFlags::empty();
    pub(crate) const RECEIVE: RecvFlags = RecvFlags::empty();
    pub(super) const NEW: SocketFlags = SocketFlags::empty();
}

pub(crate) use self::flags::{RECEIVE, SEND};

/// A pair of connected sockets: a stream, since not every system has packets in order that end.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = SocketType::STREAM;
    let (one, other) = rustix::net::socketpair(AddressFamily::UNIX, kind, flags::NEW, None)
        .map_err(|error| failed("socketpair", error))?;
    for file in [&one, &other] {
        close_in_programs(file);
        #[cfg(target_vendor = "apple")]
        let _ = rustix::net::sockopt::set_socket_nosigpipe(file, true);
    }
    Ok((one, other))
}

pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    #[cfg(not(target_vendor = "apple"))]
    let made = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
    #[cfg(target_vendor = "apple")]
    let made = rustix::pipe::pipe();
    let (one, other) = made.map_err(|error| failed("pipe", error))?;
    close_in_programs(&one);
    close_in_programs(&other);
    Ok((one, other))
}

/// Has each packet of so many bytes at most taken whole or not at all, if the system would do
/// otherwise.
#[cfg(target_os = "linux")]
pub(super) fn take_whole(_: &OwnedFd, _: usize) {}

#[cfg(not(target_os = "linux"))]
#[allow(unsafe_code, reason = "a setting of a socket")]
pub(super) fn take_whole(file: &OwnedFd, most: usize) {
    use std::os::fd::AsRawFd;

    let (most, length) = (most as libc::c_int, size_of::<libc::c_int>());
    let (level, option) = (libc::SOL_SOCKET, libc::SO_SNDLOWAT);
    // SAFETY: it reads a number of that length.
    unsafe {
        let most = (&raw const most).cast();
        libc::setsockopt(file.as_raw_fd(), level, option, most, length as libc::socklen_t);
    }
}

/// For a file that was made or has arrived, if the system has not done so.
pub(crate) fn close_in_programs(file: &OwnedFd) {
    if cfg!(target_vendor = "apple") {
        let _ = rustix::io::fcntl_setfd(file, rustix::io::FdFlags::CLOEXEC);
    }
}
