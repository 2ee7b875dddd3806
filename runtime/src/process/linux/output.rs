//! What C has to print.

#[repr(C)]
struct Stream(libc::FILE);

unsafe extern "C" {
    static stdout: *mut Stream;
    fn fflush(stream: *mut Stream) -> i32;
}

/// Writes what C code has printed to stdout and the C library still holds. Of that stream alone:
/// another may be locked for good, by a thread that a body left waiting for input.
pub(crate) fn flush_c_output() {
    // SAFETY: the C library's own stream, which is there for good.
    unsafe { fflush(stdout) };
}
