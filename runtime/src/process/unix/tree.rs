//! What a worker has started: as much of it as is in the worker's group. Nobody tells what has left
//! that, or adopts it.

use std::os::fd::OwnedFd;

use rustix::io::{Errno, Result};
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};

pub(crate) fn adopt_orphans() {}

/// A file that is readable once a process has ended. There is none.
pub(crate) fn open(_: Pid) -> Option<OwnedFd> {
    None
}

/// Kills a process and its group.
pub(crate) fn kill(root: Pid) -> Result<Vec<Pid>> {
    let _ = kill_process_group(root, Signal::KILL);
    kill_process(root, Signal::KILL)?;
    Ok(Vec::new())
}

/// Whether there is no such process, not even a dead one.
pub(crate) fn is_dead(process: Pid) -> bool {
    test_kill_process(process) == Err(Errno::SRCH)
}

/// They cannot be counted without waiting for them.
pub(crate) fn has_many_dead_children() -> bool {
    false
}
