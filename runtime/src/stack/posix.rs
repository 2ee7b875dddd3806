//! A thread and its stack on Linux, macOS and FreeBSD.

#![allow(unsafe_code, reason = "calls of the C library, and a register")]

#[cfg(any(
    not(target_os = "macos"),
    not(any(target_arch = "x86_64", target_arch = "aarch64"))
))]
use std::mem::MaybeUninit;

/// The start and the end of this thread's stack; `None` if unknown.
#[cfg(target_os = "macos")]
pub(crate) fn bounds() -> Option<(usize, usize)> {
    // SAFETY: they ask about this thread, which runs.
    let (end, size) = unsafe {
        let this = libc::pthread_self();
        (libc::pthread_get_stackaddr_np(this).addr(), libc::pthread_get_stacksize_np(this))
    };
    Some((end.saturating_sub(size), end))
}

/// The start and the end of this thread's stack; `None` if unknown.
#[cfg(not(target_os = "macos"))]
pub(crate) fn bounds() -> Option<(usize, usize)> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let (mut start, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the attributes are of this thread, which runs; they are read once they were filled
    // in, and destroyed after that.
    unsafe {
        if attributes_of(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let found = libc::pthread_attr_getstack(attributes.as_ptr(), &mut start, &mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        (found == 0).then(|| (start.addr(), start.addr().saturating_add(size)))
    }
    .map(|(start, end)| (lowest(start, end), end))
}

#[cfg(not(any(target_os = "macos", target_env = "musl")))]
fn lowest(start: usize, _: usize) -> usize {
    start
}

/// Of the first thread, musl tells how far its stack has grown, and not how far it may.
#[cfg(target_env = "musl")]
fn lowest(start: usize, end: usize) -> usize {
    // SAFETY: they ask, and fill in a record.
    let limit = unsafe {
        if libc::syscall(libc::SYS_gettid) != libc::c_long::from(libc::getpid()) {
            return start;
        }
        let mut limit: libc::rlimit = std::mem::zeroed();
        let failed = libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) != 0;
        if failed { libc::RLIM_INFINITY } else { limit.rlim_cur }
    };
    // Without a limit, nobody knows.
    let size = usize::try_from(limit).ok().filter(|_| limit != libc::RLIM_INFINITY);
    size.map_or(start, |size| start.min(end.saturating_sub(size)))
}

#[cfg(target_os = "linux")]
use libc::pthread_getattr_np as attributes_of;

#[cfg(target_os = "freebsd")]
unsafe fn attributes_of(thread: libc::pthread_t, to: *mut libc::pthread_attr_t) -> i32 {
    // SAFETY: the caller's; they have to be there before they are filled in.
    unsafe {
        match libc::pthread_attr_init(to) {
            0 => libc::pthread_attr_get_np(thread, to),
            failed => failed,
        }
    }
}

/// About how far this thread's stack has grown.
///
/// Not where a local lies: under AddressSanitizer that is on the heap.
#[inline(always)]
pub(crate) fn position() -> usize {
    let position: usize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: it copies a register, and does nothing else.
    unsafe {
        std::arch::asm!("mov {}, rsp", out(reg) position, options(nomem, nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: it copies a register, and does nothing else.
    unsafe {
        std::arch::asm!("mov {}, sp", out(reg) position, options(nomem, nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let local = MaybeUninit::<u8>::uninit();
        position = local.as_ptr().addr();
    }
    position
}
