//! Functions that yield: what is promised of streams, in each mode and each way to read one.

mod channels;
mod contract;
#[cfg(target_os = "linux")]
mod ends;
mod functions;
mod memory;
mod methods;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod tubes;
#[cfg(target_os = "linux")]
mod waiting;
