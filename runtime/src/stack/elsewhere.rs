//! A thread and its stack where nothing is known of them.

use std::mem::MaybeUninit;

/// The start and the end of this thread's stack; `None` if unknown.
#[cfg(not(windows))]
pub(crate) fn bounds() -> Option<(usize, usize)> {
    None
}

/// About where a local lies.
#[inline]
pub(crate) fn position() -> usize {
    let local = MaybeUninit::<u8>::uninit();
    local.as_ptr().addr()
}
