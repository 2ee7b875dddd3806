//! One attribute, three ways to run a function concurrently.
//!
//! `#[concurrent(threads)]`, `#[concurrent(process)]` or `#[concurrent(async)]` on a function makes
//! every call of it start at once and return a [`Task`]. The word in the parentheses is all that
//! changes when the function moves between a thread pool, worker processes and tokio: its body and
//! its calls stay as they are.
//!
//! ```
//! use std::{fs, path::PathBuf};
//! use trine::{concurrent, gather};
//!
//! #[concurrent(threads)] // or: process
//! fn word_count(path: PathBuf) -> Result<usize, String> {
//!     let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
//!     Ok(text.split_whitespace().count())
//! }
//!
//! let a = word_count("a.txt".into()); // starts now
//! let b = word_count("b.txt".into()); // starts now
//! let (a, b) = (a.join()?, b.join()?); // Result<T, trine::Error>, T = Result<usize, String>
//! # assert!(a.is_err() && b.is_err());
//!
//! let paths = ["c.txt", "d.txt"].map(PathBuf::from);
//! let all = gather(paths.into_iter().map(word_count)).join()?; // in input order
//! # assert_eq!(all.len(), 2);
//! # Ok::<(), trine::Error>(())
//! ```
//!
//! # Where to go on
//! * [`Task`], the one handle: join it, await it, cancel it, chain it.
//! * [`concurrent`], the attribute, and its options.
//! * [`gather()`], [`race()`], [`TaskIterator`], [`TaskSet`], [`join()`]: many tasks at once.
//! * [`scope()`]: calls that borrow.
//! * [`guide`]: choosing a mode, coming from Python, rayon or tokio, errors, tests, performance.
//! * [`process`]: what crosses to a worker process, and how its calls end.
//! * [`expansion`]: what the attribute makes of a function, and why it has that shape.
//!
//! # Features
//! `threads`, `process` and `async` are the modes, all on by default; what a program leaves out is
//! not compiled, and using it is an error that names the feature. `tracing`, off by default, makes
//! each task a span below its caller's, and `metrics` publishes the counts of [`stats()`]: see
//! [`guide::debugging`]. `cluster`, off by default, sends
//! `process` calls to other machines: see [`guide::many_machines`].

#![cfg_attr(docsrs, feature(doc_cfg))]
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
mod drain;
mod error;
mod forks;
mod function;
mod limit;
mod observe;
mod options;
mod panic;
mod parker;
mod random;
mod relay;
mod retry;
mod scope;
mod sequential;
mod stats;
mod sync;
mod task;
mod timeline;
mod timer;
mod tokio;
mod wait;

pub mod guide;

#[cfg(feature = "async")]
pub mod asynchronous;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod cross;
pub mod expansion;
#[cfg(feature = "process")]
#[allow(unsafe_code, reason = "shared memory, and code found by its address")]
pub mod process;
#[cfg(feature = "threads")]
pub mod threads;

pub use combine::{
    BufferUnordered, Buffered, Elapsed, Gather, TaskIterator, TaskSet, TaskStream, gather, race,
};
pub use config::{Config, ConfigError};
pub use current::cancelled;
pub use drain::drain;
pub use error::{Error, ErrorKind};
pub use function::Function;
pub use retry::Returned;
pub use scope::{Scope, ScopedTask, scope};
pub use sequential::sequential;
pub use stats::{Failures, FunctionStats, Latency, Stats, WorkerStats, stats};
pub use task::Task;
#[cfg(feature = "threads")]
pub use threads::join;
/// Makes every call of a function start it as a task, and return the task.
///
/// `#[concurrent(MODE)]`, with `threads`, `process` or `async` as the mode, then any of these
/// options, each at most once, in any order:
///
/// | option | modes | meaning |
/// | --- | --- | --- |
/// | `timeout = 5s` | all | ends with `TimedOut` that long after it *started*; the queue is free |
/// | `retries = 3` | all | runs again when it failed or returned `Err` |
/// | `backoff = 100ms` | all | the wait before the first retry; doubles with each, with jitter |
/// | `limit = 8` | all | at most 8 calls of this function at once in this program; the rest queue |
/// | `scoped` | all | arguments may borrow; callers pass a [`Scope`] first, see [`scope()`] |
/// | `memory = 512MiB` | process | the memory limit of the worker that runs it |
/// | `renew = 1000`, `= 256MiB` | process | replaces its worker, after calls or by its size |
/// | `fresh` | process | a new process for every call |
/// | `local` | process | stays on this machine, also where a cluster is set |
/// | `on = "gpu"` | process | with a cluster, runs only on machines that have this label |
/// | `crate = path` | all | where this crate is, when renamed |
///
/// A function that never returns, `-> !`, gives a task of a type that has no values.
///
/// With `retries`, arguments must be `Clone`, except in `process`, which encodes them once.
///
/// Durations (`250ms`, `1.5s`, `2min`, `1h`) and sizes (`64KiB`, `512MiB`, `2GiB`, `10MB`) are
/// literals with a suffix. A constant expression will do as well: of type `Duration`, or, for sizes
/// and numbers, of any integer type. `Self` and the function's generics are not in sight there,
/// since the options are kept in a static.
///
/// Free functions, associated functions and methods of inherent impls, generic or not, may bear it;
/// `threads` and `process` take `fn` and `async fn`, `async` takes `async fn`. Arguments and
/// results have to cross to where the body runs, see [`cross`]; what cannot is an error at that
/// argument.
///
/// # In a trait
/// A trait that is to have concurrent functions declares what they return: `-> Task<T>`. In an impl
/// of it a function without `self` may bear the attribute. A method may not: its body needs a
/// method of its own beside it, `__trine_name`, for which a trait has no room, as the compiler then
/// says. Give the type a concurrent method of its own, and call it in the trait's.
///
/// # Other attributes
/// What stands above this attribute sees the function as it was written, and what stands below sees
/// the one that starts the task. So attribute macros go above, and only what speaks to the compiler
/// below:
///
/// | attribute | above | below |
/// | --- | --- | --- |
/// | docs, `cfg`, lints, `must_use`, those of tools (`clippy::…`) | as anywhere | as anywhere |
/// | macros that change the body (`tracing::instrument`) | the task is in the span | an error |
/// | what calls it (`test`, `tokio::test`, `rstest`, `tokio::main`) | an error | an error |
/// | `concurrent` once more | an error | an error |
///
/// A test and `main` are called by others, who take no `Task`: let them call a concurrent function.
///
/// ```
/// use trine::concurrent;
///
/// #[concurrent(process, timeout = 2s, memory = 256MiB)]
/// fn parse(untrusted: &str) -> Option<u32> {
///     untrusted.trim().parse().ok()
/// }
/// assert_eq!(parse(" 42 ").join()?, Some(42));
/// # Ok::<(), trine::Error>(())
/// ```
pub use trine_macros::concurrent;
pub use wait::{block_on, blocking};
