//! What a process may use up, and how it uses up processor time.

use std::time::Duration;

/// What a process has a limit of. The C libraries differ in its type.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub type Resource = libc::__rlimit_resource_t;
/// What a process has a limit of.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub type Resource = libc::c_int;

/// Bounds what this process and those that it starts from now on may use; returns the bound until
/// now.
///
/// # Panics
/// If the system refuses.
pub fn limited(resource: Resource, most: libc::rlim_t) -> libc::rlimit {
    // SAFETY: a record to fill in, and then a valid limit.
    unsafe {
        let mut before = std::mem::zeroed();
        assert_eq!(libc::getrlimit(resource, &raw mut before), 0);
        let now = libc::rlimit { rlim_cur: most, ..before };
        assert_eq!(libc::setrlimit(resource, &raw const now), 0);
        before
    }
}

/// Computes until this process has used up so much processor time more.
pub fn compute(more: Duration) {
    let now = || {
        // SAFETY: a record to fill in.
        let time = unsafe {
            let mut time: libc::timespec = std::mem::zeroed();
            libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time);
            time
        };
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let until = now() + more;
    while now() < until {}
}
