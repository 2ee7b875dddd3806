//! What the tests and benches share.

pub mod checks;
pub mod gate;
#[cfg(unix)]
#[allow(unsafe_code, reason = "calls of the C library")]
pub mod limits;
pub mod modes;
#[cfg(unix)]
pub mod outcomes;
pub mod process;
pub mod programs;
pub mod rustc;
pub mod system;
