//! One attribute, three ways to run a function concurrently.

#![deny(unsafe_code)]
// The core serves all modes; where one is left out, what only that one uses lies idle.
#![cfg_attr(
    not(all(feature = "threads", feature = "process", feature = "async")),
    allow(dead_code, unused_imports)
)]

#[allow(unsafe_code, reason = "the state machine that every task rests on")]
mod cell;
mod combine;
mod config;
#[allow(unsafe_code, reason = "a thread-local pointer to the state of the running task")]
mod current;
mod error;
mod function;
mod limit;
mod panic;
mod retry;
mod scope;
mod sequential;
mod sync;
mod task;
mod timer;
mod wait;

pub mod guide;

#[cfg(feature = "async")]
pub mod asynchronous;
pub mod cross;
pub mod expansion;
#[cfg(feature = "process")]
#[allow(unsafe_code, reason = "shared memory, and code found by its address")]
pub mod process;
#[cfg(feature = "threads")]
pub mod threads;

pub use combine::{BufferUnordered, Buffered, Gather, TaskIterator, gather, race};
pub use config::{Config, ConfigError};
pub use current::cancelled;
pub use error::{Error, ErrorKind};
pub use function::Function;
pub use scope::{Scope, ScopedTask, scope};
pub use sequential::sequential;
pub use task::Task;
#[cfg(feature = "threads")]
pub use threads::join;
pub use trine_macros::concurrent;
pub use wait::{block_on, blocking};

/// What macros of this crate expand to beside its public items.
#[doc(hidden)]
pub mod __private {
    pub use crate::retry::{NoResult, Outcome};
}
