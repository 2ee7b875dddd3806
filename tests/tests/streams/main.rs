//! Functions that yield: what is promised of streams, in each mode and each way to read one.

mod channels;
mod contract;
mod ends;
mod functions;
mod memory;
mod methods;
mod process;
// It writes to the sockets of the engine.
#[cfg(target_os = "linux")]
mod tubes;
// It asks the system for the processor time of other processes.
#[cfg(target_os = "linux")]
mod waiting;
