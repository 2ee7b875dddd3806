//! Lines that a body ran are counted in the worker, which ends by a signal: nothing that is done at
//! a program's end is done there, as its profile is. So it is written when a call ends, like what
//! the body printed. In builds for coverage alone: `cargo llvm-cov` sets `cfg(coverage)`, and gives
//! each process a file of its own.

use std::ffi::c_int;

unsafe extern "C" {
    /// Of the profiling runtime, which is in every program built for coverage.
    safe fn __llvm_profile_write_file() -> c_int;
}

/// Writes the counts so far; that it cannot is the runtime's to say.
pub(super) fn write() {
    let _ = __llvm_profile_write_file();
}
