//! A tube: the socket through which the items of one channel or stream pass between a worker and
//! its parent, outside of any call's records.
//!
//! Sequenced packets, so that many can send at once, and none finds another's item cut in two. The
//! kernel bounds how many are on the way. As on the other socket, only memory comes as a handle.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::net::{RecvFlags, SendFlags, Shutdown, shutdown};

use super::files::pair;
use super::memory::{Handle, is_memory};
use crate::process::posix::{failed, packet};

/// One end.
pub(crate) struct Tube(OwnedFd);

impl Tube {
    /// An end to keep, and one to send.
    pub(crate) fn pair() -> io::Result<(Self, Handle)> {
        let (ours, theirs) = pair()?;
        Ok((Self(ours), Handle::from(theirs)))
    }

    /// The end that somebody has sent.
    pub(crate) fn open(handle: Handle) -> Self {
        Self(handle.into_file())
    }

    /// Sends a packet; waits while there is no room for it.
    pub(crate) fn send(&self, bytes: &[u8], handles: &[&Handle]) -> io::Result<()> {
        self.send_with(bytes, handles, SendFlags::empty())
    }

    /// The same, but fails with `WouldBlock`.
    pub(crate) fn try_send(&self, bytes: &[u8], handles: &[&Handle]) -> io::Result<()> {
        self.send_with(bytes, handles, SendFlags::DONTWAIT)
    }

    fn send_with(&self, bytes: &[u8], handles: &[&Handle], flags: SendFlags) -> io::Result<()> {
        let files: Vec<_> = handles.iter().map(|handle| handle.as_fd()).collect();
        packet::send(self.0.as_fd(), &[IoSlice::new(bytes)], &files, flags).map(drop)
    }

    /// Waits for a packet, and returns its length: 0 at the end. What is longer than the room is
    /// cut.
    pub(crate) fn receive(&self, room: &mut [u8]) -> io::Result<(usize, Vec<Handle>)> {
        let flags = RecvFlags::empty();
        let (length, files, _) = packet::receive_into(self.0.as_fd(), room, flags)?;
        if !files.iter().all(is_memory) {
            packet::close_aside(files);
            return Err(io::Error::other("a file that is no memory"));
        }
        Ok((length, files.into_iter().map(Handle::from).collect()))
    }

    /// Ends it on both sides, whoever else has an end of it.
    pub(crate) fn shut(&self) {
        let _ = shutdown(&self.0, Shutdown::Both);
    }

    /// Waits until there may be room for a packet, or the other side is gone.
    pub(crate) fn wait_for_room(&self) {
        let _ =
            rustix::io::retry_on_intr(|| poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None));
    }

    /// Waits for the bell; false if the other side is gone.
    pub(crate) fn wait_for(&self, bell: &Bell) -> bool {
        let mut files =
            [PollFd::new(&self.0, PollFlags::empty()), PollFd::new(&bell.0, PollFlags::IN)];
        let polled = rustix::io::retry_on_intr(|| poll(&mut files, None));
        let _ = rustix::io::read(&bell.0, &mut [0; 8]);
        polled.is_ok() && !files[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
    }
}

/// What a thread sleeps on that waits for a tube as well.
pub(crate) struct Bell(OwnedFd);

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self(eventfd(0, flags).map_err(|error| failed("eventfd", error))?))
    }

    pub(crate) fn ring(&self) {
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}
