//! Buffered output of C code.

#![allow(unsafe_code, reason = "the C library's own streams")]

#[repr(C)]
struct Stream(libc::FILE);

unsafe extern "C" {
    #[cfg_attr(not(target_os = "linux"), link_name = "__stdoutp")]
    static stdout: *mut Stream;
    fn fflush(stream: *mut Stream) -> i32;
    #[cfg(target_os = "linux")]
    fn __fpending(stream: *mut Stream) -> usize;
}

/// Flushes C's stdout. Only that stream: another may be locked forever by a thread that a body left
/// waiting for input.
pub(crate) fn flush_c_output() {
    // SAFETY: the C library's own stream, which is there for good. It is asked without its lock,
    // which costs as much as the rest of a small reply: what a thread prints at this very moment,
    // and so no earlier than the end of the body, may stay.
    unsafe {
        #[cfg(target_os = "linux")]
        if __fpending(stdout) == 0 {
            return;
        }
        fflush(stdout);
    }
}
