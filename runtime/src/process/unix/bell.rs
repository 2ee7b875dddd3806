//! What a thread sleeps on beside other files, and other threads of this process ring.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{RecvFlags, SendFlags};

use super::files;

pub(crate) struct Bell {
    to_read: OwnedFd,
    to_write: OwnedFd,
}

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        let (to_read, to_write) = files::pair()?;
        Ok(Self { to_read, to_write })
    }

    /// If it is full, it has been rung.
    pub(crate) fn ring(&self) {
        let _ = rustix::net::send(&self.to_write, &[0], files::SEND | SendFlags::DONTWAIT);
    }

    /// Forgets that it was rung.
    pub(super) fn clear(&self) {
        let _ = rustix::net::recv(&self.to_read, &mut [0; 64][..], RecvFlags::DONTWAIT);
    }
}

impl AsFd for Bell {
    /// Readable after it was rung.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.to_read.as_fd()
    }
}
