//! Coverage of bodies is counted in the worker, which ends by a signal and so never writes its
//! profile at exit. So the profile is written when a call ends, like what the body printed. Only in
//! coverage builds: `cargo llvm-cov` sets `cfg(coverage)`, and gives each process its own file.

#![allow(unsafe_code, reason = "a function of the compiler's profiler")]

use std::ffi::c_int;

unsafe extern "C" {
    /// From the profiling runtime, which is part of every program built for coverage.
    safe fn __llvm_profile_write_file() -> c_int;
}

/// Writes the counts so far; the runtime reports errors itself.
pub(super) fn write() {
    let _ = __llvm_profile_write_file();
}
