//! Buffered output of C code.

#![allow(unsafe_code, reason = "the C library's own streams")]

#[repr(C)]
struct Stream {
    _private: [u8; 0],
}

unsafe extern "C" {
    fn __acrt_iob_func(number: u32) -> *mut Stream;
    fn fflush(stream: *mut Stream) -> i32;
}

const STDOUT: u32 = 1;

/// Flushes C's stdout. Only that stream: another may be locked forever by a thread that a body left
/// waiting for input.
pub(crate) fn flush_c_output() {
    // SAFETY: the C library's own stream, which is there for good.
    unsafe { fflush(__acrt_iob_func(STDOUT)) };
}
