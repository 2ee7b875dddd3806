//! Pages of a file that are mapped into this process.

#![allow(unsafe_code, reason = "mapped memory")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::ptr;

use rustix::mm::{MapFlags, ProtFlags};

use super::failed;
use crate::forks;

pub(crate) const READ: ProtFlags = ProtFlags::READ;
pub(crate) const WRITE: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);

/// A mapping, which is undone when this is dropped.
pub(crate) struct Mapping {
    pub(crate) start: *mut u8,
    pub(crate) length: usize,
    /// The generation of the process that alone has it, if it is kept from forks.
    only_in: Option<u32>,
}

// SAFETY: it is owned memory; its users decide who may touch which part when.
unsafe impl Send for Mapping {}
// SAFETY: as above: `&Mapping` alone gives out a pointer and nothing else.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps a file from its start; it must be that long.
    pub(crate) fn new(file: impl AsFd, length: usize, protection: ProtFlags) -> io::Result<Self> {
        Self::with(length, |length| {
            // SAFETY: a new mapping at an address that the kernel chooses harms nobody.
            unsafe {
                rustix::mm::mmap(ptr::null_mut(), length, protection, MapFlags::SHARED, file, 0)
            }
        })
    }

    /// The same by another call; of no bytes, it maps nothing.
    pub(crate) fn with(
        length: usize,
        map: impl FnOnce(usize) -> rustix::io::Result<*mut std::ffi::c_void>,
    ) -> io::Result<Self> {
        if length == 0 {
            let start = ptr::NonNull::<u64>::dangling().as_ptr().cast();
            return Ok(Self { start, length, only_in: None });
        }
        let start = map(length).map_err(|error| failed("mmap", error))?;
        Ok(Self { start: start.cast(), length, only_in: None })
    }

    /// Keeps it from a child that forks without exec.
    pub(crate) fn keep_from_forks(&mut self) {
        if self.length > 0 {
            // SAFETY: this affects only such a child, which must not use it.
            let is_kept = unsafe { keep_from_forks(self.start.cast(), self.length) };
            self.only_in = is_kept.then(forks::generation);
        }
    }
}

#[cfg(target_os = "linux")]
unsafe fn keep_from_forks(start: *mut std::ffi::c_void, length: usize) -> bool {
    // SAFETY: the caller's.
    unsafe { rustix::mm::madvise(start, length, rustix::mm::Advice::LinuxDontFork) }.is_ok()
}

#[cfg(not(target_os = "linux"))]
unsafe fn keep_from_forks(start: *mut std::ffi::c_void, length: usize) -> bool {
    /// Each system has a name of its own for it, and the same number.
    const NONE: i32 = 2;
    unsafe extern "C" {
        fn minherit(start: *mut std::ffi::c_void, length: usize, how: i32) -> i32;
    }
    // SAFETY: the caller's.
    unsafe { minherit(start, length, NONE) == 0 }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // In a forked child something else may be there by now.
        let is_here = self.only_in.is_none_or(|only| only == forks::generation());
        if self.length > 0 && is_here {
            // SAFETY: the mapping is ours alone, and pointers into it are used only while its
            // owner lives.
            let _ = unsafe { rustix::mm::munmap(self.start.cast(), self.length) };
        }
    }
}

/// Sets a file's length. Beyond the file size limit the kernel also sends this thread a signal that
/// would end the program. Asking for the limit first does not help: it may change in between.
pub(crate) fn lengthen(file: impl AsFd, length: usize) -> io::Result<()> {
    let result = without_signal(libc::SIGXFSZ, || rustix::fs::ftruncate(file, length as u64));
    result.map_err(|error| failed("ftruncate", error))
}

/// Runs a system call, and takes back a signal that it sends to this thread.
fn without_signal<R>(signal: i32, call: impl FnOnce() -> R) -> R {
    let mut only = MaybeUninit::uninit();
    let mut before = MaybeUninit::uninit();
    // SAFETY: they fill in sets of signals, of which each is read after it was filled in.
    let only = unsafe {
        libc::sigemptyset(only.as_mut_ptr());
        libc::sigaddset(only.as_mut_ptr(), signal);
        libc::pthread_sigmask(libc::SIG_BLOCK, only.as_ptr(), before.as_mut_ptr());
        only.assume_init()
    };
    let result = call();
    // SAFETY: they read sets that were filled in.
    unsafe {
        let mut pending = MaybeUninit::uninit();
        let asked = libc::sigpending(pending.as_mut_ptr());
        // It waits only for what is there.
        if asked == 0 && libc::sigismember(pending.as_ptr(), signal) == 1 {
            libc::sigwait(&raw const only, &mut 0);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
    }
    result
}

pub(crate) fn whole_pages(length: usize) -> io::Result<usize> {
    length
        .max(1)
        .checked_next_multiple_of(rustix::param::page_size())
        .filter(|&length| isize::try_from(length).is_ok())
        .ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))
}
