//! The engine of `#[concurrent(process)]`: what crosses to a worker, and how its calls end.
//!
//! A process task runs in a worker: another process of the same program, which trine starts on
//! first use and keeps. A body that crashes, leaks, corrupts memory or never ends takes down its
//! worker and nothing else; its task returns an [`Error`](crate::Error), and the next call gets
//! another worker. This isolates faults but is not a sandbox: a worker has the rights of the
//! program, so a malicious body can read its files, trace it or kill it. A warm call costs about a
//! microsecond; the first one starts a worker, which costs as much as starting the program.
//!
//! There is nothing to set up. A worker is the same executable, taken over before its `main`, so
//! this works in any binary, test, doctest or example, at any optimization level. Only code in a
//! library that is loaded at run time (a plugin, a Python module) is in no executable that could be
//! started; there each call returns an error that says so.
//!
//! # What crosses
//! * Arguments and results are encoded with serde and must be both `Serialize` and `Deserialize`;
//!   derive these on your own types (`serde = { version = "1", features = ["derive"] }`). Arguments
//!   may be references (`&str`, `&[T]`, `&T`), which are encoded at the call.
//! * serde does not support `std::io::Error`, `ParseIntError`, `Box<dyn Error>` and most library
//!   errors: return their text, `Result<T, String>`, or an error of your own that derives both
//!   traits.
//! * A `Vec`, `Box<[_]>` or slice of numbers, and a `String`, are copied in one piece, at memory
//!   speed. Longer `&str` and `&[T]` of numbers are copied once, at the call: the body reads them
//!   in memory that both processes map. [`Shared`] slices are not copied at all.
//! * A value arrives as it was sent, or as JSON would have delivered it (a field with
//!   `#[serde(skip)]` has its default), whatever serde attributes its type has. Where that is
//!   impossible, the call returns a [`Codec`](crate::ErrorKind::Codec) error that names the type
//!   and the field, never a different value. (In a type with `flatten`, `untagged` or a tag, serde
//!   does not tell which field it was; then it is the one that holds that type.)
//! * `untagged`, `flatten`, tagged enums and JSON values work too, and so do maps with keys of any
//!   type. Types with one form for people and another for programs (addresses, UUIDs) cross as in
//!   JSON.
//! * Values that serde does not support do not cross: a path that is not UTF-8 (an `OsString`
//!   does), a `SystemTime` before 1970, an `i128` inside an `untagged`, internally tagged or
//!   `flatten` type. A type that borrows (a `&'static str`, `#[serde(borrow)]`) is not
//!   `DeserializeOwned`, which the compiler reports (its `Deserialize` is "not general enough");
//!   use `Cow<'static, str>` or `String`.
//! * Values may be nested as deeply as the stack of the encoding or decoding thread allows; deeper
//!   ones are an error instead of an overflow.
//! * Generic functions work without further bounds: the worker has the same code.
//!
//! # What a worker inherits
//! The environment and the working directory at the time it is started, stdout and stderr, the
//! limits, and the cores that the program was started with. It does not inherit what `main` did:
//! each worker has its own statics, which start with their initial values and keep what bodies
//! store in them from call to call. Command-line arguments are not passed on, stdin is empty, and
//! other open files are not inherited. Bodies run on the worker's main thread, one at a time; what
//! a body prints, even through C's stdout, is written before its task ends. Threads that a body
//! leaves behind keep running beside later calls.
//!
//! A worker has its own session without a terminal, so it cannot be stopped by job control or read
//! from the terminal. SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 do not end it, because
//! supervisors and tools send them to every process and the program may want to finish its work;
//! the worker ends when the program does. No signal is blocked in it, and processes that a body
//! starts get the default signal handlers. What the program ignores is ignored there too, except
//! for SIGCHLD and the signals of faults.
//!
//! If a program changes its user, its groups or its capabilities, workers that still have the old
//! ones get no more calls; a change is noticed within a tenth of a millisecond. A sandbox that a
//! program enters later (seccomp, Landlock, a namespace, `chroot`) is not around the workers that
//! are there by then: enter it before the first call. In a program with more rights than its caller
//! (setuid), trine does nothing before `main`, and every call returns an error.
//!
//! # On Windows
//! A worker and all that its bodies start are one job, which ends as a whole. Bodies run on a stack
//! as large as the linker made the program's, often 1 or 2 MiB. Ctrl-C is for the program alone:
//! workers have a process group of their own, and no window. The guide says what else
//! [differs](crate::guide::what_happens#process-on-each-system).
//!
//! # What a worker keeps
//! A static that is initialized on first use (`LazyLock`, `OnceLock`) is state of the worker: each
//! worker initializes its own in the first call that needs it, and keeps it as long as it lives.
//! That call pays for it, so the initialization counts towards its `timeout`. If it takes longer
//! than the `timeout`, the worker is killed before it is done, the next one begins anew, and no
//! such call ever succeeds: allow for it in the `timeout`. [`warm_up`] starts workers but runs
//! nothing in them. A `fresh` function pays in each call.
//!
//! # Calls in calls
//! Process tasks may call process tasks, up to eight levels deep. A worker's own pool has one
//! worker unless `TRINE_PROCESSES` says otherwise, since the cores are already in use.
//!
//! # Streams
//! The items of a function that yields are encoded and sent one by one, as they come, and whoever
//! reads them decodes them. The iterator stays in its worker, which runs no other call until the
//! iterator is at its end. So there are as many workers for streams as are read at a time, beside
//! those for plain calls. When the [`Stream`] is dropped or cancelled, the iterator is dropped at
//! its next yield; a body that does not reach one within 100 ms, not counting what it waits for a
//! processor, is killed. With a cluster they run on its machines, unless a `Sender` or a `Stream`
//! is among their arguments.
//!
//! # Workers with state
//! The value of a [worker with state](crate::guide::workers) is made, used and dropped in a process
//! that serves nobody else. The arguments of its constructor are encoded once, and the bytes are
//! sent again when the value is made anew. Whatever ends the process ends the value. A call that
//! was on its way then fails as `Worker`: no other process gets a call without its value. When the
//! value is dropped, its destructor has ten seconds, and then the process ends; where the program
//! ends first, no destructor runs. If the program changes its rights, values in processes with the
//! old ones are gone.
//!
//! # How calls end
//! | the body | the task |
//! | --- | --- |
//! | returns | its value |
//! | panics, even with `panic = "abort"` | `Panicked`, with message, location and backtrace |
//! | segfaults, aborts | `Crashed { signal }` |
//! | overflows its stack | `StackOverflow` |
//! | calls `exit` | `Crashed { code }` |
//! | needs more than its option `memory` | `MemoryLimit` |
//! | exceeds its `timeout`, or a deadline | `TimedOut`; the worker is killed |
//! | is cancelled, or its task dropped | `Cancelled`; the worker is killed |
//! | has a value that cannot be encoded, or closes the engine's files | `Codec` |
//! | finds no worker because none starts | `Worker`, which says why |
//!
//! There is a backtrace if `RUST_BACKTRACE` or `RUST_LIB_BACKTRACE` asks for one. If a panic aborts
//! the process, 8 KiB of its message and 16 KiB of its backtrace are kept.
//!
//! The option `memory` bounds what a call allocates beyond what its worker has as the call begins,
//! on the heap or in the worker's own mappings; a child that a body starts has a bound of its own.
//! So no call fails for what earlier ones have leaked. What the first call of each function leaves
//! behind, such as statics, is a worker's state. A worker that keeps more than half of `memory`
//! beyond that is replaced between two calls, as with `renew`; if that does not start in time, it
//! ends before it keeps much more than all of `memory`, and the next call waits for another one.
//! With an allocator other than the C library's, memory that it holds back counts as kept.
//!
//! A worker with that limit prints no backtraces, since it may lack the memory for them: its
//! `RUST_BACKTRACE` is 0. The original value moves to `RUST_LIB_BACKTRACE` unless that is set
//! already, so errors still have their backtraces.
//!
//! A kill reaches everything that a body has started: other sessions and daemons too, since a
//! worker adopts what its children leave behind. (So a body that waits for any child, as
//! `waitpid(-1)` does, may hear of a process that it did not start.) A worker that dies by itself
//! takes its process group along. When the program ends in any way (`kill -9`, Ctrl-C), its workers
//! and their groups end at that moment. In these two cases a process that has left the group, such
//! as a daemon, lives on. Calls that waited behind the one that died run elsewhere; none runs
//! twice. A worker with many dead children, for which nobody has waited, is replaced between two
//! calls.
//!
//! A `timeout` counts from when a worker that is ready has the call and nothing else to do: neither
//! the queue nor the start of a worker counts. That one is bounded by itself, see below.
//!
//! # What keeps a worker from starting
//! A worker needs a memfd, a socket, a pipe, a process, and `/proc` to find the program; the first
//! one also a thread that serves all of them. If a limit, a system-call filter or a sandbox refuses
//! one of these, the error names it: `memfd_create: Operation not permitted`, `/proc/self/exe: No
//! such file or directory`. If a process ends before it serves, the error has its signal or exit
//! code; one that is not ready within ten seconds, not counting what it waits for a processor, is
//! killed. Calls are refused without starting a process if the code is in a library, if they come
//! from a forked child of a program with workers, and more than eight levels deep.
//!
//! Every waiting call gets the error, and the next call tries again. While other workers serve, one
//! that does not start is no error: the others do the work.
//!
//! # How many workers
//! As many as cores, started as calls find the others busy; [`Config`](crate::Config) or
//! `TRINE_PROCESSES` sets another number. More workers than cores help only if bodies wait.
//! Functions with `memory` have separate workers for each limit, and `fresh` functions a new one
//! for each call. Those with `pool` have the workers of that pool, so that a crowd of slow calls
//! does not delay others; [`Config::pool`](crate::Config::pool) sets its size. In a worker each
//! pool has one. An idle worker costs its memory but no time.
//!
//! Where calls wait, those with `priority = high` get the next worker, and those with
//! `priority = low` only one that no other call wants: as long as others come, they wait. A call
//! that has gone to a worker already is not overtaken.

#![cfg_attr(
    not(any(target_os = "linux", target_os = "macos", target_os = "freebsd", windows)),
    allow(dead_code, reason = "without a platform the worker's side is nobody's")
)]

use crate::cross::process::{Arguments, Output};
use crate::function::Function;
use crate::process::code::{Code, StreamCode};
use crate::retry::Retry;
use crate::scope::{self, Scope, ScopedTask};
use crate::stream::Stream;
use crate::task::Task;

pub(crate) mod address;
pub(crate) mod call;
pub(crate) mod channel;
mod code;
#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "freebsd", windows)))]
mod elsewhere;
mod ends;
pub(crate) mod fault;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
pub(crate) mod job;
mod launch;
#[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd", windows))]
mod lineage;
#[cfg(all(target_os = "linux", not(trine_platform = "unix")))]
mod linux;
mod method;
pub(crate) mod platform;
pub(crate) mod pool;
#[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))]
mod posix;
mod segment;
mod spin;
mod stateful;
#[cfg(any(target_os = "macos", target_os = "freebsd", trine_platform = "unix"))]
mod unix;
pub(crate) mod value;
#[cfg(windows)]
mod windows;
mod worker;

pub use self::method::{Begun, Method, method};
pub use self::stateful::{call, call_mut, call_retrying, call_stream, call_stream_mut, worker};
pub use self::value::shared::Shared;
pub use crate::cross::process::{Itself, Never, Owned};

/// Starts the worker processes, so that the first calls do not wait for that.
///
/// Returns at once. All workers of the pool start while the program goes on, and a call that is
/// made in the meantime goes to the first one that is ready. Functions with `memory` and `fresh`
/// have workers of their own, which start when they are called. Where no worker can start, the
/// calls say so.
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
    launch::spawn(function, arguments, Code::new::<A, B>(body))
}

/// Starts `body` in a worker process, and gives the items of the iterator that it returns; what
/// `#[concurrent(process)]` expands to where that is `impl Iterator`.
///
/// The iterator stays in the worker; only its items are encoded, as they come.
///
/// ```
/// static FUNCTION: trine::Function = trine::Function::new("count");
/// let stream = trine::process::stream(&FUNCTION, (3,), |(most,): (u32,)| 0..most);
/// assert_eq!(stream.gather().join()?, [0, 1, 2]);
/// # Ok::<(), trine::Error>(())
/// ```
pub fn stream<A, B, I, T>(function: &'static Function, arguments: A, body: fn(B) -> I) -> Stream<T>
where
    A: Arguments<B>,
    I: Iterator<Item = T>,
    T: Output + 'static,
{
    launch::stream(function, arguments, StreamCode::new::<A, B, I>(body))
}

/// The same where that is `impl Stream`, which is polled in the worker.
pub fn stream_polled<A, B, S, T>(
    function: &'static Function,
    arguments: A,
    body: fn(B) -> S,
) -> Stream<T>
where
    A: Arguments<B>,
    S: futures_core::Stream<Item = T>,
    T: Output + 'static,
{
    launch::stream(function, arguments, StreamCode::polled::<A, B, S>(body))
}

/// The same for a function with `retries`; `again` says which outcomes are tried again.
///
/// The arguments are encoded once, so they need not be `Clone`.
///
/// ```
/// static FUNCTION: trine::Function = trine::Function::new("parse").retries(2);
/// use trine::cross::process::Owned;
/// let body = |(text,): (Owned<str>,)| text.parse::<u32>().map_err(|error| error.to_string());
/// let again = trine::Retry::failed(|output| trine::Returned(output).is_err());
/// let task = trine::process::spawn_retrying(&FUNCTION, ("7",), body, again);
/// assert_eq!(task.join()?, Ok(7));
/// # Ok::<(), trine::Error>(())
/// ```
pub fn spawn_retrying<A, B, T>(
    function: &'static Function,
    arguments: A,
    body: fn(B) -> T,
    again: Retry<T>,
) -> Task<T>
where
    A: Arguments<B>,
    T: Output + 'static,
{
    launch::spawn_retrying(function, arguments, Code::new::<A, B>(body), again)
}

/// The same for a function with `scoped`. Nothing of a process task borrows once it is started;
/// the scope waits for it and cancels it as in the other modes.
///
/// ```
/// static FUNCTION: trine::Function = trine::Function::new("length");
/// let text = String::from("borrowed");
/// let length = trine::scope(|s| {
///     let body = |(text,): (trine::cross::process::Owned<str>,)| text.len();
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
    again: Retry<T>,
) -> ScopedTask<'scope, T>
where
    A: Arguments<B>,
    T: Output + 'static,
{
    scope::adopt(scope, spawn_retrying(function, arguments, body, again))
}
