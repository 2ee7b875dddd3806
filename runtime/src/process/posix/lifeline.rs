//! Ends a worker when its parent dies in any way.
//!
//! Worker and parent each hold one end of a pipe that nobody writes to. When the parent ends, the
//! kernel closes its end, and a thread of the worker kills the worker's whole process group.

use std::os::fd::OwnedFd;
use std::{io, thread};

use rustix::process::Signal;

use super::forks;

/// Ties this process group's life to the other end, for good.
pub(crate) fn watch(lifeline: OwnedFd) -> io::Result<()> {
    let watcher = thread::Builder::new().name("trine-lifeline".into());
    watcher.stack_size(64 << 10).spawn(move || {
        while rustix::io::read(&lifeline, &mut [0; 1]) == Err(rustix::io::Errno::INTR) {}
        end_group()
    })?;
    Ok(())
}

pub(crate) fn end_group() -> ! {
    let _ = rustix::process::kill_current_process_group(Signal::KILL);
    // A filter refuses that. What this process has started is out of reach then; it ends itself.
    forks::end(1)
}
