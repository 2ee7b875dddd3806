//! Functions that yield: what is promised of streams, in each mode and each way to read one.

mod channels;
mod contract;
mod ends;
mod functions;
mod memory;
mod methods;
mod process;
mod tubes;
