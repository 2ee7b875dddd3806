//! Ends a worker when its parent dies in any way.
//!
//! Worker and parent each hold one end of a pipe that nobody writes to. The kernel is asked to
//! signal when the other end is closed, with SIGKILL to the worker's whole process group. So the
//! worker and its children end at the moment when the kernel closes the parent's files, without a
//! thread, a handler or polling. (`PR_SET_PDEATHSIG` would not do: it follows the parent's thread,
//! and spares grandchildren.)

#![allow(unsafe_code, reason = "calls of the C library")]

use std::os::fd::{AsRawFd, OwnedFd};
use std::{io, mem};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Pid;

use crate::process::posix::lifeline::{end_group, watch};

// Missing in `libc` on some targets.
const F_SETSIG: i32 = 10;

/// Ties this process group's life to the other end, for good.
pub(crate) fn hold(lifeline: OwnedFd) -> io::Result<()> {
    let me = rustix::process::getpid();
    if !signalled_by_kernel(&lifeline, me) {
        // The kernel refuses, so a thread does it.
        return watch(lifeline);
    }
    // The parent may have died before the signal was requested.
    let mut ends = [PollFd::new(&lifeline, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if rustix::event::poll(&mut ends, Some(&now)).unwrap_or(0) > 0 {
        end_group();
    }
    mem::forget(lifeline);
    Ok(())
}

fn signalled_by_kernel(lifeline: &OwnedFd, me: Pid) -> bool {
    let file = lifeline.as_raw_fd();
    // SAFETY: settings of a file that is ours.
    unsafe {
        libc::fcntl(file, libc::F_SETOWN, -me.as_raw_nonzero().get()) == 0
            && libc::fcntl(file, F_SETSIG, libc::SIGKILL) == 0
            && libc::fcntl(file, libc::F_SETFL, libc::O_ASYNC) == 0
    }
}
