//! One attribute, three ways to run a function concurrently.
//!
//! `#[concurrent(threads)]`, `#[concurrent(process)]` or `#[concurrent(async)]` on a function makes
//! every call of it start at once and return a [`Task`]. To move the function between a thread
//! pool, worker processes and tokio, change that one word: its body and its call sites stay as they
//! are.
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
//! # Where to look
//! * [`Task`], the one handle: join it, await it, cancel it, chain it.
//! * [`Stream`], the handle of functions that yield.
//! * [`concurrent`], the attribute, and its options.
//! * [`Worker`]: the attribute on an `impl`, for a value that is costly to make.
//! * [`gather()`], [`race()`], [`TaskIterator`], [`TaskSet`], [`join()`]: many tasks at once.
//! * [`scope()`]: calls that borrow.
//! * [`guide`]: choosing a mode, coming from Python, rayon or tokio, errors, tests, performance.
//! * [`process`]: what can be sent to a worker process, and how its calls end.
//! * [`expansion`]: what the attribute expands to, and why.
//!
//! # Features
//! `threads`, `process` and `async` are the modes, all on by default; a mode that a program leaves
//! out is not compiled, and using it is an error that names the feature. The others are off by
//! default: `tracing` makes each task a span below its caller's, and `metrics` publishes the
//! numbers of [`stats()`], see [`guide::debugging`]; `cluster` sends `process` calls to other
//! machines, see [`guide::many_machines`].

#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]
// The core serves all modes, so leaving one out leaves its helpers unused.
#![cfg_attr(
    not(all(feature = "threads", feature = "process", feature = "async")),
    allow(dead_code, unused_imports)
)]

#[cfg(target_family = "wasm")]
compile_error!(
    "trine runs calls on threads and in processes, and WebAssembly has neither: make it a \
     dependency of other targets, `[target.'cfg(not(target_family = \"wasm\"))'.dependencies]`"
);

mod carry;
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
mod nesting;
mod observe;
mod options;
mod panic;
mod parker;
mod place;
mod priority;
mod random;
mod relay;
mod retry;
mod scope;
mod sequential;
mod stack;
mod stats;
mod stream;
mod sync;
mod task;
mod timeline;
mod timer;
mod tokio;
mod wait;
mod wakers;
pub mod worker;

pub mod guide;

#[cfg(feature = "async")]
pub mod asynchronous;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod cross;
pub mod expansion;
#[cfg(feature = "process")]
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
pub use retry::{Retry, Returned};
pub use scope::{Scope, ScopedTask, scope};
pub use sequential::sequential;
pub use stats::{Failures, FunctionStats, Latency, Stats, WorkerStats, stats};
pub use stream::channel::{Sender, channel};
pub use stream::{Stream, StreamIter};
pub use task::Task;
#[cfg(feature = "threads")]
#[doc(inline)]
pub use threads::join;
/// Makes every call of a function start a task and return its handle.
///
/// `#[concurrent(MODE)]`, with `threads`, `process` or `async` as the mode, then any of these
/// options, each at most once, in any order:
///
/// | option | modes | meaning |
/// | --- | --- | --- |
/// | `timeout = 5s` | all | `TimedOut` that long after it *started*; the queue does not count |
/// | `retries = 3` | all | repeats a call that failed or returned `Err` |
/// | `backoff = 100ms` | all | the pause before the first retry; doubles each time, with jitter |
/// | `retry_if = PATH` | all | which outcomes `retries` repeats, see below |
/// | `limit = 8` | all | at most 8 calls of it run at once in this program; the rest wait |
/// | `queue = 100` | all | with `limit`: at most 100 calls wait; the next one ends as `Busy` |
/// | `priority = high`, `= low` | all | starts before the other calls that wait, or after them |
/// | `scoped` | all | arguments may borrow; callers pass a [`Scope`] first, see [`scope()`] |
/// | `memory = 512MiB` | process | bounds what a call allocates, and what workers leak |
/// | `renew = 1000`, `= 256MiB` | process | replaces a worker after 1000 calls, or above a size |
/// | `fresh` | process | a new process for each call |
/// | `pool = "images"` | process | runs in the workers of this pool, see [`Config::pool`] |
/// | `local` | process | stays on this machine, even if a cluster is configured |
/// | `on = "gpu"` | process | with a cluster, runs only on machines with this label |
/// | `ahead = 16` | all | at most 16 items of its [`Stream`] wait to be read; 64 without it |
/// | `restarts = 3` | all | on an `impl`: the value is made anew that often, see below |
/// | `per = 1min` | all | the time that `restarts` are counted in; a minute without it |
/// | `copies = 2` | all | on an `impl`: so many values, and as many calls at once; `&self` only |
/// | `name = ModelPool` | all | on an `impl`: the name of the type that is made |
/// | `crate = path` | all | the path of this crate, if it was renamed |
///
/// A function that yields, `-> impl Iterator<Item = T>` or `-> impl Stream<Item = T>`, gives a
/// [`Stream<T>`](Stream). It is a plain `fn` in every mode; `async` takes those with `impl Stream`.
///
/// A function that never returns, `-> !`, gives a task of a type without values.
///
/// With `retries`, arguments must be `Clone`, except in `process`, which encodes them once. What
/// is tried again is a call that failed or returned `Err`; with `retry_if`, what a
/// `fn(Result<&T, &Error>) -> bool` says, where `T` is what the function returns:
///
/// ```
/// use trine::{Error, concurrent};
///
/// fn is_transient(outcome: Result<&Result<u32, u16>, &Error>) -> bool {
///     match outcome {
///         Ok(Ok(_)) => false,
///         Ok(Err(status)) => *status == 503,
///         Err(error) => error.is_timeout(),
///     }
/// }
///
/// #[concurrent(threads, retries = 3, retry_if = is_transient)]
/// fn fetch(id: u32) -> Result<u32, u16> {
///     if id == 0 { Err(404) } else { Ok(id) }
/// }
/// assert_eq!(fetch(0).join()?, Err(404)); // after one try
/// # Ok::<(), Error>(())
/// ```
///
/// Durations (`250ms`, `1.5s`, `2min`, `1h`) and sizes (`64KiB`, `512MiB`, `2GiB`, `10MB`) are
/// literals with a suffix. A constant expression works too: a `Duration`, or any integer type for
/// sizes and numbers. It cannot use `Self` or the function's generics, since the options are kept
/// in a static.
///
/// The attribute goes on free functions, associated functions and methods of inherent impls,
/// generic or not. `threads` and `process` take `fn` and `async fn`, `async` takes `async fn`.
/// Arguments and results must be able to cross to where the body runs, see [`cross`]; one that
/// cannot is an error at that argument.
///
/// # On an `impl`
/// A value that is costly to make lives where its methods run, and its methods are calls, one at a
/// time and in order. See [`guide::workers`] and [`Worker`].
///
/// ```
/// use trine::concurrent;
///
/// struct Sum(u64);
///
/// #[concurrent(threads, restarts = 3)]
/// impl Sum {
///     pub fn new() -> Self {
///         Self(0)
///     }
///     pub fn add(&mut self, number: u64) -> u64 {
///         self.0 += number;
///         self.0
///     }
/// }
///
/// let sum = SumWorker::new(); // starts now
/// let (first, second) = (sum.add(40), sum.add(2));
/// assert_eq!((first.join()?, second.join()?), (40, 42));
/// # Ok::<(), trine::Error>(())
/// ```
///
/// # In a trait
/// A trait with concurrent functions declares what they return: `-> Task<T>`. An impl of it marks
/// them as any others, and so do the functions that have a body in the trait itself.
///
/// ```
/// use trine::{Task, concurrent};
///
/// trait Measure {
///     fn measure(self, factor: usize) -> Task<usize>;
/// }
///
/// struct Text(String);
///
/// impl Measure for Text {
///     #[concurrent(threads)]
///     fn measure(self, factor: usize) -> usize {
///         self.0.len() * factor
///     }
/// }
/// assert_eq!(Text("four".into()).measure(2).join()?, 8);
/// # Ok::<(), trine::Error>(())
/// ```
///
/// The trait may mark what it declares instead: then it is declared with the result of its body,
/// `-> usize` here, and `scoped` stands in both places, but all other options at the impl.
///
/// In `process` a worker calls the method, on the value that it has decoded. So no inherent method
/// of that type may have the same name.
///
/// # Other attributes
/// Attributes above this one see the function as it was written; attributes below see the one that
/// starts the task. So attribute macros go above, and only those for the compiler go below:
///
/// | attribute | above | below |
/// | --- | --- | --- |
/// | docs, `cfg`, lints, `must_use`, tool attributes (`clippy::…`) | as usual | as usual |
/// | `inline`, `cold`, `track_caller`, `no_mangle`, `link_section` | as usual | as usual |
/// | `deprecated`, `target_feature`, and any of these in a `cfg_attr` | as usual | as usual |
/// | macros that change the body (`tracing::instrument`) | the task is in the span | an error |
/// | `async_trait`, on an impl with a concurrent `fn`, or `async fn` | as usual, or an error | |
/// | `tokio::main`, not on `main` | the task is in a runtime of its own | an error |
/// | macros that call it (`test`, `tokio::test`, `rstest`, `test_case`) | an error | an error |
/// | `concurrent` once more | an error | an error |
///
/// A test or `main` cannot return a `Task`: let it call a concurrent function. `track_caller` and
/// `inline` are about the function that starts the task, `target_feature` about the body too.
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
pub use worker::Worker;
