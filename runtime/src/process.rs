//! Processes: the engine of `#[concurrent(process)]`, and what to know to use it.
//!
//! A process task runs in a worker: another process of the same program, which trine starts when
//! it is first needed and keeps. A body that crashes, leaks, corrupts memory or never ends takes a
//! worker with it and nothing else; its task is one [`Error`](crate::Error), and the next call
//! gets another worker. That is isolation against faults and not a sandbox: a worker has the rights
//! of the program, so a body that means harm can read its files, trace it or kill it. A warm call
//! costs about a microsecond; the first one starts a worker, which costs what starting the program
//! costs.
//!
//! There is nothing to set up. The program is run again and taken over before its `main`, so it
//! works in any binary, test, doctest or example, whatever it is optimized for. Only what lies in a
//! library that is loaded while a program runs (a plugin, a module of Python's) is in no executable
//! that could be run; there each call is an error that says so.
//!
//! # What crosses
//! * Arguments and results are encoded by serde: `Serialize` and `Deserialize` both, which types of
//!   your own derive (`serde = { version = "1", features = ["derive"] }`). Arguments may be
//!   references (`&str`, `&[T]`, `&T`); they are encoded at the call.
//! * `std::io::Error`, `ParseIntError`, `Box<dyn Error>` and most errors of libraries are not known
//!   to serde: return their text, `Result<T, String>`, or an error of your own that derives both.
//! * A `Vec`, `Box<[_]>` or slice of numbers, and a `String`, go in one piece, at the speed of
//!   memory. [`Shared`] slices are not copied at all.
//! * What arrives is what was sent, or what JSON would have made of it (a field with
//!   `#[serde(skip)]` has its default), whatever attributes of serde a type has. A value for which
//!   that cannot be is a [`Codec`](crate::ErrorKind::Codec) error that names the type and the
//!   field, never another value. `untagged`, `flatten`, tagged enums and JSON values cross too.
//! * What serde itself does not know does not cross: a path that is not UTF-8 (an `OsString`
//!   does), a `SystemTime` before 1970, an `i128` or an `IpAddr` inside of what is `untagged`,
//!   internally tagged or `flatten`. A type with a `&'static str` is not `DeserializeOwned`, which
//!   the compiler says; `Cow<'static, str>` and `String` are.
//! * Values may be nested as deep as the stack of the thread that encodes or decodes them is;
//!   deeper ones, which would overflow it, are an error.
//! * Function, type and const generics cross by themselves: the worker has the same code.
//!
//! # What a worker inherits
//! The environment and the working directory as they are when it is started, stdout and stderr, the
//! limits, and the cores that the program was started with. Not `main` and what it did: statics
//! have their first values, and keep what bodies make of them from call to call, one copy in each
//! worker. Arguments of the program are not passed on, stdin is empty, other open files are not
//! inherited. A body runs on the worker's main thread, one at a time; what it printed, also by C's
//! stdout, is written before its task ends. Threads that a body leaves behind run on beside later
//! calls.
//!
//! A worker is in a session of its own, without a terminal: nothing there stops it, and nothing
//! there answers it. SIGTERM, SIGINT and SIGHUP do not end it, as supervisors send them to every
//! process and the program may want to finish its work; its end is the worker's. What a body starts
//! has their defaults. Where a program changes its user or its rights, workers that still have the
//! old ones get no more calls. In a program that has rights its caller has not (setuid), trine does
//! nothing before `main`, and every call is an error.
//!
//! Process tasks may call process tasks, eight deep; a worker's own pool has one worker unless
//! `TRINE_PROCESSES` says otherwise, since the cores are taken.
//!
//! # How calls end
//! | the body | the task |
//! | --- | --- |
//! | returns | its value |
//! | panics, also with `panic = "abort"` | `Panicked`, with message, place and backtrace |
//! | segfaults, aborts | `Crashed { signal }` |
//! | overflows its stack | `StackOverflow` |
//! | calls `exit` | `Crashed { code }` |
//! | wants more than its option `memory` | `MemoryLimit` |
//! | goes past its `timeout`, or a deadline | `TimedOut`; the worker is killed |
//! | is cancelled, or its task dropped | `Cancelled`; the worker is killed |
//! | has a value that does not encode, or closes the engine's files | `Codec` |
//! | finds no worker that starts | `Worker`, which says why |
//!
//! The backtrace is there if `RUST_BACKTRACE` asks for one, or `RUST_LIB_BACKTRACE` alone. Of a
//! panic that aborts the process, 8 KiB of the message and 16 KiB of the backtrace are kept.
//!
//! The option `memory` bounds what a worker allocates beyond what it has when it is started, on the
//! heap or by mappings of its own; a child that a body starts has the same bound for itself. Such a
//! worker prints no backtraces, since it may be out of the memory that they take: its
//! `RUST_BACKTRACE` is 0. What that was is in its `RUST_LIB_BACKTRACE`, unless there was something
//! already, so errors have backtraces as elsewhere.
//!
//! A kill takes all that a body has started, also in sessions of their own, but for daemons whose
//! parents have left them already. What dies of itself takes its process group along. Calls that
//! were waiting behind the one that died run elsewhere; none runs twice. When the program ends, in
//! whatever way (`kill -9`, Ctrl-C), its workers and their children end in that moment.
//!
//! # What keeps a worker from starting
//! A worker takes a memfd, a socket, a pipe, a process, and `/proc` to find the program in. A
//! limit, a filter of system calls or a sandbox that refuses one of these is an error that names
//! it: `memfd_create: Operation not permitted`, `/proc/self/exe: No such file or directory`. A
//! process that ends before it serves is told by its signal or code, and one that is not ready
//! after ten seconds is killed. So are refused, without a process: what lies in a library, a child
//! that was forked from a program with workers, and process tasks more than eight deep.
//!
//! Every call that waits gets the error, and the next one tries anew. While other workers serve,
//! one that does not start is not an error: they do the work.
//!
//! # How many workers
//! As many as cores, started as calls find the others busy; [`Config`](crate::Config) or
//! `TRINE_PROCESSES` sets another number. More than cores pays only for bodies that wait. Functions
//! with `memory` have workers of their own for each limit, and `fresh` functions a new one for each
//! call. An idle worker costs its memory and no time.

#![cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "without a platform the worker's side is nobody's")
)]

use crate::cross::process::{Arguments, Output};
use crate::function::Function;
use crate::scope::{self, Scope, ScopedTask};
use crate::task::Task;

pub(crate) mod call;
mod channel;
mod code;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
pub(crate) mod job;
mod launch;
#[cfg(target_os = "linux")]
mod linux;
pub(crate) mod platform;
pub(crate) mod pool;
mod segment;
mod spin;
pub(crate) mod value;
mod worker;

pub use self::value::shared::Shared;
pub use crate::cross::process::{Never, Owned};

/// Starts the worker processes, so that the first calls do not wait for that.
///
/// Returns at once: as many workers as there are to be start beside the program, and a call that
/// is made meanwhile goes to the first one that is ready. Functions with `memory` and `fresh` have
/// workers of their own, which start when they are called. Where no worker can start, the calls
/// say so.
///
/// ```
/// trine::process::warm_up();
/// // … what else a program does as it starts …
/// ```
pub fn warm_up() {
    if !crate::sequential::is_on() {
        pool::warm_up();
    }
}

/// Starts `body` in a worker process; what `#[concurrent(process)]` expands to.
///
/// The arguments are encoded before this returns, so `A` may borrow; in the worker they are
/// decoded as `B`.
///
/// ```
/// static FUNCTION: trine::Function = trine::Function::new("double");
/// let task = trine::process::spawn(&FUNCTION, (21,), |(number,): (u32,)| number * 2);
/// assert_eq!(task.join()?, 42);
/// # Ok::<(), trine::Error>(())
/// ```
pub fn spawn<A, B, T>(function: &'static Function, arguments: A, body: fn(B) -> T) -> Task<T>
where
    A: Arguments<B>,
    T: Output + 'static,
{
    launch::spawn(function, arguments, body)
}

/// The same for a function with `retries`; `failed` says which values count as failures.
///
/// The arguments are encoded once, so they need not be `Clone`.
///
/// ```
/// static FUNCTION: trine::Function = trine::Function::new("parse").retries(2);
/// let body = |(text,): (String,)| text.parse::<u32>().map_err(|error| error.to_string());
/// let task = trine::process::spawn_retrying(&FUNCTION, ("7",), body, |output| {
///     trine::Returned(output).is_err()
/// });
/// assert_eq!(task.join()?, Ok(7));
/// # Ok::<(), trine::Error>(())
/// ```
pub fn spawn_retrying<A, B, T>(
    function: &'static Function,
    arguments: A,
    body: fn(B) -> T,
    failed: fn(&T) -> bool,
) -> Task<T>
where
    A: Arguments<B>,
    T: Output + 'static,
{
    launch::spawn_retrying(function, arguments, body, failed)
}

/// The same for a function with `scoped`. Nothing of a process task borrows once it is started;
/// the scope waits for it and cancels it as in the other modes.
///
/// ```
/// static FUNCTION: trine::Function = trine::Function::new("length");
/// let text = String::from("borrowed");
/// let length = trine::scope(|s| {
///     let body = |(text,): (String,)| text.len();
///     trine::process::spawn_scoped(s, &FUNCTION, (&*text,), body).join()
/// })?;
/// assert_eq!(length, 8);
/// # Ok::<(), trine::Error>(())
/// ```
pub fn spawn_scoped<'scope, A, B, T>(
    scope: &'scope Scope<'scope, '_>,
    function: &'static Function,
    arguments: A,
    body: fn(B) -> T,
) -> ScopedTask<'scope, T>
where
    A: Arguments<B>,
    T: Output + 'static,
{
    scope::adopt(scope, spawn(function, arguments, body))
}

/// The same for a function with both `scoped` and `retries`.
pub fn spawn_scoped_retrying<'scope, A, B, T>(
    scope: &'scope Scope<'scope, '_>,
    function: &'static Function,
    arguments: A,
    body: fn(B) -> T,
    failed: fn(&T) -> bool,
) -> ScopedTask<'scope, T>
where
    A: Arguments<B>,
    T: Output + 'static,
{
    scope::adopt(scope, spawn_retrying(function, arguments, body, failed))
}
