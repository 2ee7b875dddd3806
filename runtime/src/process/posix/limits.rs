//! The limits of a worker: of memory, with how an abort for lack of it is recognized, and those of
//! the system that it wears out.

#![allow(unsafe_code, reason = "calls of the C library")]

use std::ffi::c_void;
use std::os::fd::AsRawFd;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::usage::{LIMIT, data};

/// What counted against the limit when it was set first.
static AT_START: OnceLock<u64> = OnceLock::new();

/// Called about an allocation over the limit, from a signal handler.
static OVER_LIMIT: OnceLock<fn()> = OnceLock::new();

/// Limits what this process may allocate beyond what it has now, since an allocator may already
/// have reserved more than the whole limit. `over` is called before an abort for lack of memory,
/// and may do only what a signal handler may.
pub(crate) fn limit_memory(bytes: u64, over: fn()) {
    let _ = AT_START.set(data());
    allow_memory(bytes);
    let _ = OVER_LIMIT.set(over);
    // SAFETY: the handler does only what a signal handler may.
    unsafe { libc::signal(libc::SIGABRT, on_abort as *const () as libc::sighandler_t) };
}

/// Sets that limit anew: this much beyond what this process had when it was limited.
pub(crate) fn allow_memory(bytes: u64) {
    let Some(limit) = LIMIT else { return };
    let hard = getrlimit(limit).maximum;
    let bytes = bytes.saturating_add(at_start());
    let bytes = hard.map_or(bytes, |hard| hard.min(bytes));
    let _ = setrlimit(limit, Rlimit { current: Some(bytes), maximum: hard });
}

/// What this process has beyond what it had when it was limited.
pub(crate) fn held_memory() -> u64 {
    data().saturating_sub(at_start())
}

/// What of its memory is free for further allocations, as far as that is known. Looking may take as
/// long as a call. What is more than `enough` goes back to the system, as far as that is possible.
pub(crate) fn free_memory(enough: u64) -> u64 {
    if free() > enough {
        trim();
    }
    free()
}

#[cfg(target_env = "gnu")]
fn free() -> u64 {
    // SAFETY: it only reads the allocator's books, under their locks. Its newer form, which counts
    // beyond 4 GiB, is missing where the C library is old.
    let free = unsafe { libc::mallinfo() }.fordblks;
    u64::from(free.cast_unsigned())
}

#[cfg(target_env = "gnu")]
fn trim() {
    // SAFETY: it gives back only what nobody has.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(target_env = "gnu"))]
fn free() -> u64 {
    0
}

#[cfg(not(target_env = "gnu"))]
fn trim() {}

fn at_start() -> u64 {
    AT_START.get().copied().unwrap_or(0)
}

/// Runs engine code that may need more memory than the limit leaves, and afterwards raises the
/// limit by what it kept.
pub(crate) fn beyond_limit<R>(run: impl FnOnce() -> R) -> R {
    let (Some(_), Some(kind)) = (OVER_LIMIT.get(), LIMIT) else { return run() };
    let limit = getrlimit(kind);
    let set = |current| {
        let limit = Rlimit { current, maximum: limit.maximum };
        let _ = setrlimit(kind, limit);
    };
    set(limit.maximum);
    let before = data();
    let result = run();
    let kept = data().saturating_sub(before);
    let higher = limit.current.map(|bytes| bytes.saturating_add(kept));
    set(match (higher, limit.maximum) {
        (Some(bytes), Some(most)) => Some(bytes.min(most)),
        (bytes, _) => bytes,
    });
    result
}

/// Whether this abort follows a failed allocation: `handle_alloc_error` is on the stack, or,
/// outside of Rust, the system has just returned ENOMEM.
extern "C" fn on_abort(_signal: i32) {
    // `abort` has not touched it.
    let error = std::io::Error::last_os_error().raw_os_error();
    if let Some(over) = OVER_LIMIT.get()
        && (error == Some(libc::ENOMEM) || is_in_alloc_error())
    {
        over();
    }
    // SAFETY: back to the default; `abort` raises the signal again when this returns.
    unsafe { libc::signal(libc::SIGABRT, libc::SIG_DFL) };
}

// From the unwinder that the standard library links.
unsafe extern "C" {
    fn _Unwind_Backtrace(
        look: extern "C" fn(*mut c_void, *mut bool) -> i32,
        found: *mut bool,
    ) -> i32;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
    fn _Unwind_FindEnclosingFunction(address: usize) -> usize;
}

fn is_in_alloc_error() -> bool {
    extern "C" fn look(context: *mut c_void, found: *mut bool) -> i32 {
        let handler: fn(std::alloc::Layout) -> ! = std::alloc::handle_alloc_error;
        // SAFETY: the unwinder passes its context, and the pointer that it was given. A return
        // address may be after its function's last instruction; the one before it is not.
        unsafe {
            let address = _Unwind_GetIP(context).wrapping_sub(1);
            *found |= _Unwind_FindEnclosingFunction(address) == handler as usize;
        }
        0
    }
    let mut found = false;
    // SAFETY: the callback gets back the pointer to `found`, which outlives the call.
    unsafe { _Unwind_Backtrace(look, &raw mut found) };
    found
}

/// How many handles a reply may carry: a fraction of the process's limit, so that no worker can
/// exhaust its parent's.
pub(crate) fn max_handles() -> usize {
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(most / 4).unwrap_or(usize::MAX).clamp(16, 4096)
}

/// How long this process may compute, if that is bounded. Where the system would kill it without a
/// word, it is told a second before, by a signal that names the cause.
pub(crate) fn max_processor_time() -> Option<Duration> {
    let limit = getrlimit(Resource::Cpu);
    let warned = limit.maximum.map(|hard| hard.saturating_sub(1).max(1));
    let current = limit.current.into_iter().chain(warned).min()?;
    let _ = setrlimit(Resource::Cpu, Rlimit { current: Some(current), ..limit });
    Some(Duration::from_secs(current))
}

/// How long it has computed.
pub(crate) fn processor_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}

/// How many more files this process may open, and how many there may be: a new one gets the lowest
/// number that is free. `None` if a body has closed the file of which a new one is made.
pub(crate) fn files_left() -> Option<(u64, u64)> {
    let most = getrlimit(Resource::Nofile).current?;
    let lowest = match rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 0) {
        Ok(file) => file.as_raw_fd().unsigned_abs().into(),
        Err(Errno::MFILE) => most,
        Err(_) => return None,
    };
    Some((most.saturating_sub(lowest), most))
}
