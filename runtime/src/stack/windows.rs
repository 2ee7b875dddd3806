//! A thread and its stack on Windows.

#![allow(unsafe_code, reason = "a call of the system")]

use windows_sys::Win32::System::Threading::GetCurrentThreadStackLimits;

/// The start and the end of this thread's stack; `None` if unknown.
pub(crate) fn bounds() -> Option<(usize, usize)> {
    let (mut low, mut high) = (0, 0);
    // SAFETY: it fills in two numbers.
    unsafe { GetCurrentThreadStackLimits(&mut low, &mut high) };
    Some((low, high))
}

pub(crate) use super::elsewhere::position;
