//! One attribute, three ways to run a function concurrently.

#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "the state machine that every task rests on")]
mod cell;
mod config;
#[allow(unsafe_code, reason = "a thread-local pointer to the state of the running task")]
mod current;
mod error;
mod function;
mod limit;
mod panic;
mod sequential;
mod sync;
mod task;
mod timer;
mod wait;

#[cfg(feature = "async")]
pub mod asynchronous;
#[cfg(feature = "process")]
#[allow(unsafe_code, reason = "shared memory, and code found by its address")]
pub mod process;
#[cfg(feature = "threads")]
pub mod threads;

pub use config::{Config, ConfigError};
pub use current::cancelled;
pub use error::{Error, ErrorKind};
pub use function::Function;
pub use sequential::sequential;
pub use task::Task;
pub use wait::{block_on, blocking};
