//! The bounds of a thread's stack, for engines that say or avoid that it overflows.

#![allow(unsafe_code, reason = "calls of the C library")]

use std::mem::MaybeUninit;

/// The start and the end of this thread's stack; `None` if unknown.
pub(crate) fn stack_bounds() -> Option<(usize, usize)> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let (mut start, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the attributes are of this thread, which runs; they are read once they were filled
    // in, and destroyed after that.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let found = libc::pthread_attr_getstack(attributes.as_ptr(), &mut start, &mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        (found == 0).then(|| (start.addr(), start.addr().saturating_add(size)))
    }
}
