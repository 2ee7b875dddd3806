//! What a thread knows of itself: its core, its stack, its rights.

#![allow(unsafe_code, reason = "calls of the system")]

use std::mem::MaybeUninit;

use windows_sys::Win32::System::Threading::{
    GetCurrentProcessorNumber, GetCurrentThreadStackLimits,
};

/// The core that this thread is on.
pub(crate) fn current_core() -> Option<u32> {
    // SAFETY: it takes nothing and touches nothing.
    Some(unsafe { GetCurrentProcessorNumber() })
}

/// The system moves threads soon enough.
pub(crate) fn leave_core(_: u32) {}

/// The start and the end of this thread's stack.
pub(crate) fn stack_bounds() -> Option<(usize, usize)> {
    let (mut low, mut high) = (0, 0);
    // SAFETY: it fills in two numbers.
    unsafe { GetCurrentThreadStackLimits(&mut low, &mut high) };
    Some((low, high))
}

/// About where a local lies.
#[inline]
pub(crate) fn stack_position() -> usize {
    let local = MaybeUninit::<u8>::uninit();
    local.as_ptr().addr()
}

/// The rights of this process. What it gives up later, its workers do not hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity;

impl Identity {
    pub(crate) fn current() -> Self {
        Self
    }

    pub(crate) fn ask() -> Self {
        Self
    }
}
