//! What the program's last words say beyond the standard library's when a thread of the pool
//! overflows its stack: the setting that makes it larger.
//!
//! The standard library's handler prints the thread's name and aborts. This one runs before it,
//! adds its line for faults at the end of such a stack, and leaves all else to it. Where no handler
//! can run on another stack, as in a library that another program loads, there is nothing to add.

#![allow(unsafe_code, reason = "a signal handler")]

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::sync::OnceLock;

use crate::stack;

const SAID: &[u8] = b"\nthe stacks of these threads are as large as `trine::Config::thread_stack` \
    or TRINE_THREAD_STACK says";

/// Frames larger than a page are probed page by page, so the first fault is near the end.
const NEAR: usize = 64 << 10;

const SIGNALS: [libc::c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// The handlers of the two signals that were there before.
static BEFORE: OnceLock<[Option<Handler>; 2]> = OnceLock::new();

thread_local! {
    /// Where this thread's stack ends, if it is one of the pool.
    static LOWEST: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Watches the stack of this thread, which the pool has started.
pub(super) fn watch() {
    LOWEST.set(stack::bounds().map(|(lowest, _)| lowest));
    // A fault meanwhile happens again and again until this is done.
    BEFORE.get_or_init(|| SIGNALS.map(put_in_front));
}

/// Puts the handler in front of the one that is there, if that could run once a stack has
/// overflowed.
fn put_in_front(signal: libc::c_int) -> Option<Handler> {
    let mut action = action(signal)?;
    let needed = libc::SA_SIGINFO | libc::SA_ONSTACK;
    if matches!(action.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN)
        || action.sa_flags & needed != needed
    {
        return None;
    }
    let before = std::ptr::with_exposed_provenance::<()>(action.sa_sigaction);
    // SAFETY: with SA_SIGINFO, it is a function with these parameters.
    let before = unsafe { std::mem::transmute::<*const (), Handler>(before) };
    action.sa_sigaction = on_fault as *const () as libc::sighandler_t;
    // SAFETY: the same record with another function, which does only what a handler may.
    unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
    Some(before)
}

fn action(signal: libc::c_int) -> Option<libc::sigaction> {
    let mut action = MaybeUninit::uninit();
    // SAFETY: room for the record, which is read if the call has filled it in.
    unsafe {
        (libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0)
            .then(|| action.assume_init())
    }
}

extern "C" fn on_fault(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel passes a record, which for these signals has an address.
    let address = unsafe { (*info).si_addr().addr() };
    if LOWEST.get().is_some_and(|lowest| address.abs_diff(lowest) < NEAR) {
        // SAFETY: bytes that exist.
        unsafe { libc::write(libc::STDERR_FILENO, SAID.as_ptr().cast(), SAID.len()) };
    }
    let index = SIGNALS.iter().position(|&other| other == signal);
    if let Some(before) = BEFORE.get().zip(index).and_then(|(before, index)| before[index]) {
        before(signal, info, context);
    }
}
