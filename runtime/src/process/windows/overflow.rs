//! How a worker's stack overflow is told to its parent and its user.
//!
//! The standard library installs its own handler before `main`, which a worker never reaches. This
//! one says the same on stderr, and ends the process with what the system calls an overflow.

#![allow(unsafe_code, reason = "a handler of exceptions")]

use std::io::Write;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{EXCEPTION_STACK_OVERFLOW, STATUS_STACK_OVERFLOW};
use windows_sys::Win32::System::Diagnostics::Debug::{
    EXCEPTION_POINTERS, LPTOP_LEVEL_EXCEPTION_FILTER, SetUnhandledExceptionFilter,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, SetThreadStackGuarantee, TerminateProcess,
};

/// What to call, and whose place this has taken.
static WATCHED: OnceLock<(fn(), LPTOP_LEVEL_EXCEPTION_FILTER)> = OnceLock::new();

/// Room for the handler, beyond the end.
const HANDLER_STACK: u32 = 64 << 10;
const CONTINUE_SEARCH: i32 = 0;

/// Watches the stack of this thread. `overflowed` may do only what fits into little stack.
pub(crate) fn watch_stack(overflowed: fn()) {
    let mut room = HANDLER_STACK;
    // SAFETY: it reads and writes a number; the handler calls the previous one for whatever is not
    // its own.
    unsafe {
        SetThreadStackGuarantee(&mut room);
        let previous = SetUnhandledExceptionFilter(Some(on_exception));
        let _ = WATCHED.set((overflowed, previous));
    }
}

unsafe extern "system" fn on_exception(about: *const EXCEPTION_POINTERS) -> i32 {
    let Some((overflowed, previous)) = WATCHED.get() else { return CONTINUE_SEARCH };
    // SAFETY: the system passes a record.
    if unsafe { (*(*about).ExceptionRecord).ExceptionCode } != EXCEPTION_STACK_OVERFLOW {
        // SAFETY: a handler of the kind that the system would have called.
        return previous.map_or(CONTINUE_SEARCH, |previous| unsafe { previous(about) });
    }
    overflowed();
    let _ = std::io::stderr().write_all(b"\nthread 'main' has overflowed its stack\n");
    // SAFETY: it ends this process, as the system would do next.
    unsafe { TerminateProcess(GetCurrentProcess(), STATUS_STACK_OVERFLOW.cast_unsigned()) };
    CONTINUE_SEARCH
}
