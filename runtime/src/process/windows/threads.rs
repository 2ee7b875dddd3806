//! What a thread knows of itself: its core, its rights.

#![allow(unsafe_code, reason = "a call of the system")]

use windows_sys::Win32::System::Threading::GetCurrentProcessorNumber;

/// The core that this thread is on.
pub(crate) fn current_core() -> Option<u32> {
    // SAFETY: it takes nothing and touches nothing.
    Some(unsafe { GetCurrentProcessorNumber() })
}

/// The system moves threads soon enough.
pub(crate) fn leave_core(_: u32) {}

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
