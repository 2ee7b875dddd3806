//! What a worker has started: as much of it as is in the worker's group. Nobody tells what has left
//! that, or adopts it.

use std::os::fd::OwnedFd;
use std::time::Duration;

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

/// Nobody tells without rights of its own, or by means that each system has for itself.
pub(crate) fn pace(_: Pid) -> Option<(bool, Duration)> {
    None
}

/// They cannot be counted without waiting for them.
pub(crate) fn has_many_dead_children() -> bool {
    false
}
