//! What the tests and benches share.

pub mod checks;
pub mod gate;
pub mod modes;
#[cfg(target_os = "linux")]
pub mod outcomes;
pub mod process;
pub mod programs;
pub mod rustc;
pub mod system;
