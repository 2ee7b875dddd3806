//! Everything that a worker has started, even in other sessions: processes that would survive a
//! kill of the worker's group, still holding its stdout.
//!
//! A worker adopts what its children leave behind: a daemon, whose parent has ended, becomes its
//! child instead of that of process 1. So all that it has started is below it, and is found there.

use std::fs;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use rustix::io::Result;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};

/// How often to look again for what was started or adopted meanwhile.
const MAX_LOOKS: u32 = 200;
/// How many one look finds: they may be started as fast as it looks.
const MAX_FOUND: usize = 10_000;
/// Between two looks: what was killed needs a moment to be dead.
const MOMENT: Duration = Duration::from_micros(50);
/// A process with more dead children than this should end, since only that removes them.
const MAX_DEAD: usize = 32;

/// Makes this process adopt what its children leave behind.
pub(crate) fn adopt_orphans() {
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// A file that is readable once a process has ended. Old kernels have none.
pub(crate) fn open(process: Pid) -> Option<OwnedFd> {
    rustix::process::pidfd_open(process, PidfdFlags::empty()).ok()
}

/// Kills a process, its group and its descendants; returns the descendants.
pub(crate) fn kill(root: Pid) -> Result<Vec<Pid>> {
    // While it is stopped it starts nothing, and what loses its parent becomes its child.
    let _ = kill_process_group(root, Signal::STOP);
    let mut killed = Vec::new();
    for _ in 0..MAX_LOOKS {
        // What is dying may still hand its children over, to where this look has passed already.
        let is_quiet = killed.iter().all(|&process| is_dead(process));
        let before = killed.len();
        for process in gather(root) {
            if !killed.contains(&process) {
                let _ = kill_process(process, Signal::KILL);
                killed.push(process);
            }
        }
        if is_quiet && killed.len() == before {
            break;
        }
        thread::sleep(MOMENT);
    }
    let _ = kill_process_group(root, Signal::KILL);
    kill_process(root, Signal::KILL)?;
    Ok(killed)
}

/// Whether a process has ended, even if nobody has waited for it.
pub(crate) fn is_dead(process: Pid) -> bool {
    let record = record(process);
    record.is_empty() || record.starts_with('Z')
}

/// Whether its first thread, which runs calls, runs or waits for a processor, and how long all of
/// them have had one.
pub(crate) fn pace(process: Pid) -> Option<(bool, Duration)> {
    let record = record(process);
    let mut ticks = record.split(' ').skip(11).map_while(|field| field.parse::<u64>().ok());
    let ticks = ticks.next()? + ticks.next()?;
    let used = Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second());
    Some((record.starts_with('R'), used))
}

/// What the system says of a process, from its state on; nothing if there is none.
fn record(process: Pid) -> String {
    let stat = fs::read(format!("/proc/{}/stat", process.as_raw_nonzero())).unwrap_or_default();
    let stat = String::from_utf8_lossy(&stat);
    // After the name, which may contain anything.
    stat.rsplit(')').next().unwrap_or_default().trim_start().to_owned()
}

/// Whether this process has many children that are dead and that nobody has waited for. Those that
/// it has adopted cannot be told from those that a body may still wait for.
pub(crate) fn has_many_dead_children() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::All, options), Ok(Some(_))) && {
        let children = children(rustix::process::getpid());
        children.into_iter().filter(|&child| is_dead(child)).nth(MAX_DEAD - 1).is_some()
    }
}

/// What is below a process. A loop, since a chain of them may be as long as a worker likes.
fn gather(root: Pid) -> Vec<Pid> {
    let mut found = children(root);
    let mut looked = 0;
    while let Some(&process) = found.get(looked).filter(|_| looked < MAX_FOUND) {
        found.extend(children(process));
        looked += 1;
    }
    found
}

fn children(parent: Pid) -> Vec<Pid> {
    let Ok(threads) = fs::read_dir(format!("/proc/{}/task", parent.as_raw_nonzero())) else {
        return Vec::new();
    };
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
    let lists: String = lists.collect();
    lists.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect()
}
