//! How a worker's stack overflow is distinguished from other faults.
//!
//! The standard library installs its own handler before `main`, which a worker never reaches. This
//! one prints the same on stderr, and informs the parent before the process dies of the fault.

#![allow(unsafe_code, reason = "a signal handler")]

use std::ops::Range;
use std::sync::OnceLock;

use crate::stack;

/// Where the main thread's stack may end, and what to call from the signal handler.
static WATCHED: OnceLock<(Range<usize>, fn())> = OnceLock::new();

/// Room for the handler's own frames; the kernel's take a few KiB.
const HANDLER_STACK: usize = 64 << 10;
/// Frames larger than a page are probed page by page, so the first fault is near the end.
const NEAR: usize = 64 << 10;

/// Watches the stack of this thread, the main one. `overflowed` may do only what a signal handler
/// may.
pub(crate) fn watch_stack(overflowed: fn()) {
    let Some((lowest, _)) = stack::bounds() else { return };
    let around = lowest.saturating_sub(NEAR)..lowest + NEAR;
    if WATCHED.set((around, overflowed)).is_err() {
        return;
    }
    let stack = Box::leak(vec![0_u8; HANDLER_STACK].into_boxed_slice());
    let stack =
        libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() };
    // SAFETY: the memory is there for good. The handler does only what a signal handler may, and
    // replaces none of anybody's.
    unsafe {
        libc::sigaltstack(&raw const stack, std::ptr::null_mut());
        for signal in [libc::SIGSEGV, libc::SIGBUS] {
            let mut action: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0
                && action.sa_sigaction == libc::SIG_DFL
            {
                action.sa_sigaction = on_fault as *const () as libc::sighandler_t;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                libc::sigaction(signal, &raw const action, std::ptr::null_mut());
            }
        }
    }
}

extern "C" fn on_fault(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    const SAID: &[u8] = b"\nthread 'main' has overflowed its stack\n";
    // SAFETY: the kernel passes a record, which for these signals has an address. It writes bytes
    // that exist, and restores the default, which ends the process when this returns and the same
    // fault happens again.
    unsafe {
        if let Some((around, overflowed)) = WATCHED.get()
            && around.contains(&(*info).si_addr().addr())
        {
            overflowed();
            libc::write(libc::STDERR_FILENO, SAID.as_ptr().cast(), SAID.len());
        }
        libc::signal(signal, libc::SIG_DFL);
    }
}
