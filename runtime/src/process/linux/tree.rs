//! Everything that a worker has started, even in other sessions: processes that would survive a
//! kill of the worker's group, still holding its stdout.

use std::fs;

use rustix::io::{Errno, Result};
use rustix::process::{
    Pid, Signal, WaitOptions, kill_process, kill_process_group, waitpgid, waitpid,
};

/// Kills a process, its group and its descendants; returns the descendants.
pub(super) fn kill(root: Pid) -> Result<Vec<Pid>> {
    // While it is stopped it cannot start anything.
    let _ = kill_process_group(root, Signal::STOP);
    let mut descendants = Vec::new();
    gather(root, &mut descendants);
    for &process in &descendants {
        let _ = kill_process(process, Signal::KILL);
    }
    let _ = kill_process_group(root, Signal::KILL);
    kill_process(root, Signal::KILL)?;
    Ok(descendants)
}

fn gather(parent: Pid, found: &mut Vec<Pid>) {
    let Ok(threads) = fs::read_dir(format!("/proc/{}/task", parent.as_raw_nonzero())) else {
        return;
    };
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
    let lists: String = lists.collect();
    for child in lists.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)) {
        found.push(child);
        gather(child, found);
    }
}

/// Reaps what a killed worker has left to this process, which happens if this is process 1. Returns
/// true if nothing is left that is still dying.
pub(super) fn reap_orphans(group: Pid, descendants: &mut Vec<Pid>) -> bool {
    // The worker made this group, so no other child of this process is in it.
    let is_left = loop {
        match waitpgid(group, WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    descendants.retain(|&process| matches!(waitpid(Some(process), WaitOptions::NOHANG), Ok(None)));
    !is_left && descendants.is_empty()
}
