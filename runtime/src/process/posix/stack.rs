//! Where a thread is on its stack.

#![allow(unsafe_code, reason = "a register")]

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use std::mem::MaybeUninit;

pub(crate) use crate::stack::stack_bounds;

/// About how far this thread's stack has grown.
///
/// Not where a local lies: under AddressSanitizer that is on the heap.
#[inline(always)]
pub(crate) fn stack_position() -> usize {
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
