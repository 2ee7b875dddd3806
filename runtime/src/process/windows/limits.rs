//! The memory limit of a worker, and what it has.
//!
//! The limit is that of a job that the worker makes for itself, within the one that its parent has
//! made. An allocation beyond it fails.

#![allow(unsafe_code, reason = "calls of the system")]

use std::mem;
use std::sync::OnceLock;
use std::time::Duration;

use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::job::Job;

/// The job of this process, and what it had when it was limited first.
static LIMITED: OnceLock<(Job, u64)> = OnceLock::new();

/// Limits what this process may allocate beyond what it has now. Nobody is told before it ends for
/// lack of memory.
pub(crate) fn limit_memory(bytes: u64, _over: fn()) {
    let Ok(job) = Job::of_this_process() else { return };
    let _ = LIMITED.set((job, allocated()));
    allow_memory(bytes);
}

/// Sets that limit anew: this much beyond what this process had when it was limited.
pub(crate) fn allow_memory(bytes: u64) {
    if let Some((job, at_start)) = LIMITED.get() {
        let _ = job.limit_memory(bytes.saturating_add(*at_start));
    }
}

/// What this process has beyond what it had when it was limited.
pub(crate) fn held_memory() -> u64 {
    LIMITED.get().map_or(0, |(_, at_start)| allocated().saturating_sub(*at_start))
}

/// Unknown, so nothing.
pub(crate) fn free_memory(_enough: u64) -> u64 {
    0
}

/// Runs engine code that may need more memory than the limit leaves, and afterwards raises the
/// limit by what it kept.
pub(crate) fn beyond_limit<R>(run: impl FnOnce() -> R) -> R {
    run()
}

fn counters() -> Option<PROCESS_MEMORY_COUNTERS> {
    // SAFETY: any bytes are one.
    let mut counters: PROCESS_MEMORY_COUNTERS = unsafe { mem::zeroed() };
    let size = size_of::<PROCESS_MEMORY_COUNTERS>() as u32;
    // SAFETY: it fills in a record of that size.
    let is_known = unsafe { K32GetProcessMemoryInfo(GetCurrentProcess(), &mut counters, size) };
    (is_known != 0).then_some(counters)
}

/// What counts against the limit.
fn allocated() -> u64 {
    counters().map_or(0, |counters| counters.PagefileUsage as u64)
}

/// The current memory size of this process in bytes.
pub(crate) fn size() -> Option<u64> {
    counters().map(|counters| counters.WorkingSetSize as u64)
}

/// It is not bounded.
pub(crate) fn max_processor_time() -> Option<Duration> {
    None
}

pub(crate) fn processor_time() -> Duration {
    Duration::ZERO
}

/// Nor are these.
pub(crate) fn files_left() -> Option<(u64, u64)> {
    None
}

/// How many handles a reply may carry, so that no worker takes too many of its parent's.
pub(crate) fn max_handles() -> usize {
    4096
}

/// The dead leave nothing behind here.
pub(crate) fn has_many_dead_children() -> bool {
    false
}
