//! Why a task has no value: [`Error`], whose `Display` is for people, and [`ErrorKind`] for code.
//!
//! All failures of all modes share one type, so moving a function to another mode changes no
//! signature. The function's own `Result` is not an error of the task but its value.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use crate::forks;
use crate::sync::Lock;

/// Why a task ended without a value.
///
/// `Display` is one line that names the function and what happened to it:
/// ``task `render` crashed: killed by SIGSEGV``.
///
/// ```
/// use trine::concurrent;
///
/// #[concurrent(threads)]
/// fn half(number: u32) -> u32 {
///     assert!(number % 2 == 0, "{number} is odd");
///     number / 2
/// }
///
/// let error = half(3).join().unwrap_err();
/// assert!(error.is_panic());
/// assert_eq!(error.function(), "half");
/// assert!(error.to_string().starts_with("task `half` panicked: 3 is odd"));
/// ```
pub struct Error {
    // Boxed, so that `Result<T, Error>` costs a word where `T` does.
    inner: Box<Inner>,
}

struct Inner {
    function: &'static str,
    kind: ErrorKind,
    /// What the task panicked with; locked, because payloads are `Send` but not `Sync`.
    payload: Lock<Option<Box<dyn Any + Send>>>,
    backtrace: Option<String>,
    /// How many attempts were made, and how long they took, if there was more than one.
    tries: Option<(u32, Duration)>,
}

/// What happened to a task, for code that handles it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The body panicked.
    Panicked {
        /// The panic message, or `Box<dyn Any>` if its payload is not a string.
        message: String,
        /// `file:line:column` of the panic, if known.
        location: Option<String>,
    },
    /// The worker process that ran the body died.
    Crashed {
        /// The signal that killed it.
        signal: Option<i32>,
        /// The code it exited with.
        code: Option<i32>,
    },
    /// The body overflowed the stack of its thread, and its worker process died of it. Bodies run
    /// on a worker's main thread, whose stack is as large as the limit of the program says
    /// (`ulimit -s`).
    StackOverflow,
    /// The deadline passed first.
    TimedOut {
        /// How long the task was given.
        after: Duration,
    },
    /// The task was cancelled, or the scope or combinator that held it ended first.
    Cancelled,
    /// As many calls wait as the function's `queue` option allows.
    Busy,
    /// The body needed more memory than the function's `memory` option allows.
    MemoryLimit,
    /// An argument or the result could not be encoded or decoded on its way between processes.
    Codec {
        /// The message of the format.
        message: String,
    },
    /// No worker process, thread or tokio runtime was available for the task.
    Worker {
        /// What failed.
        message: String,
    },
    /// The machine that ran the body is gone, and nobody knows how far it got.
    WorkerLost,
    /// It was a call to a worker with state that has lost its value, or was stopped, and is not
    /// made anew.
    Stopped,
}

impl Error {
    /// What happened.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.inner.kind
    }

    /// The name of the concurrent function.
    #[must_use]
    pub fn function(&self) -> &str {
        self.inner.function
    }

    /// The backtrace of a panic in a worker process, if `RUST_BACKTRACE` asked for one.
    #[must_use]
    pub fn backtrace(&self) -> Option<&str> {
        self.inner.backtrace.as_deref()
    }

    /// How many times the function was tried, which is more than once only with the option
    /// `retries`.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.inner.tries.map_or(1, |(tries, _)| tries)
    }

    /// Whether the body panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.kind(), ErrorKind::Panicked { .. })
    }

    /// Whether the worker process died.
    #[must_use]
    pub fn is_crash(&self) -> bool {
        matches!(self.kind(), ErrorKind::Crashed { .. } | ErrorKind::StackOverflow)
    }

    /// Whether a deadline passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind(), ErrorKind::TimedOut { .. })
    }

    /// Whether the task was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.kind(), ErrorKind::Cancelled)
    }

    /// Whether too many calls of the function wait already.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self.kind(), ErrorKind::Busy)
    }

    /// Whether the function's memory limit was reached.
    #[must_use]
    pub fn is_memory_limit(&self) -> bool {
        matches!(self.kind(), ErrorKind::MemoryLimit)
    }

    /// Whether the machine that ran the body is gone.
    #[must_use]
    pub fn is_worker_lost(&self) -> bool {
        matches!(self.kind(), ErrorKind::WorkerLost)
    }

    /// Whether it was a call to a worker with state that has stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        matches!(self.kind(), ErrorKind::Stopped)
    }

    /// Continues the task's panic on this thread, as if the body had been called here.
    ///
    /// The payload is the original one in `threads` and `async`; from a worker process it is the
    /// message, as a `String`.
    ///
    /// # Panics
    /// Always. An error of another kind panics with its `Display` line.
    pub fn resume_unwind(self) -> ! {
        let inner = *self.inner;
        let payload = inner.payload.into_inner();
        match (payload, inner.kind) {
            (Some(payload), _) => std::panic::resume_unwind(payload),
            (None, ErrorKind::Panicked { message, .. }) => {
                std::panic::resume_unwind(Box::new(message))
            }
            (None, kind) => panic!("{}", Summary { function: inner.function, kind: &kind }),
        }
    }

    pub(crate) fn new(function: &'static str, kind: ErrorKind) -> Self {
        Self {
            inner: Box::new(Inner {
                function,
                kind,
                payload: Lock::new(None),
                backtrace: None,
                tries: None,
            }),
        }
    }

    /// The error if a call of this function cannot be made or waited for here, because whatever
    /// runs it is in the process that this one was forked from.
    pub(crate) fn if_forked(function: &'static str) -> Option<Self> {
        forks::is_child().then(|| {
            let message =
                "this process was forked and has none of its parent's threads and workers";
            Self::new(function, ErrorKind::Worker { message: message.to_owned() })
        })
    }

    pub(crate) fn cancelled(function: &'static str) -> Self {
        Self::new(function, ErrorKind::Cancelled)
    }

    #[cfg(feature = "cluster")]
    pub(crate) fn busy(function: &'static str) -> Self {
        Self::new(function, ErrorKind::Busy)
    }

    pub(crate) fn timed_out(function: &'static str, after: Duration) -> Self {
        Self::new(function, ErrorKind::TimedOut { after })
    }

    pub(crate) fn panicked(
        function: &'static str,
        payload: Box<dyn Any + Send>,
        location: Option<String>,
    ) -> Self {
        let message = message_of(&*payload);
        let mut error = Self::new(function, ErrorKind::Panicked { message, location });
        error.inner.payload = Lock::new(Some(payload));
        error
    }

    /// Adds how many attempts were made, and how long they took.
    pub(crate) fn after_tries(mut self, tries: u32, time: Duration) -> Self {
        self.inner.tries = (tries > 1).then_some((tries, time));
        self
    }

    /// Adds the backtrace that a worker process captured of its panic.
    #[cfg(feature = "process")]
    pub(crate) fn with_backtrace(mut self, backtrace: Option<String>) -> Self {
        self.inner.backtrace = backtrace;
        self
    }
}

/// The message of a panic payload, which is a `&str` or a `String` unless `panic_any` made it.
pub(crate) fn message_of(payload: &(dyn Any + Send)) -> String {
    if let Some(message) = payload.downcast_ref::<&str>() {
        (*message).to_owned()
    } else if let Some(message) = payload.downcast_ref::<String>() {
        message.clone()
    } else {
        "Box<dyn Any>".to_owned()
    }
}

struct Summary<'a> {
    function: &'a str,
    kind: &'a ErrorKind,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task `{}` ", self.function)?;
        match self.kind {
            ErrorKind::Panicked { message, location } => {
                write!(f, "panicked: {message}")?;
                location.as_ref().map_or(Ok(()), |location| write!(f, " ({location})"))
            }
            ErrorKind::Crashed { signal: Some(signal), .. } => {
                write!(f, "crashed: killed by {}", SignalName(*signal))
            }
            ErrorKind::Crashed { code: Some(code), .. } => {
                write!(f, "crashed: its process {}", HowItExited(*code))
            }
            ErrorKind::Crashed { .. } => f.write_str("crashed: its process is gone"),
            ErrorKind::StackOverflow => f.write_str("overflowed its stack"),
            ErrorKind::TimedOut { after } => write!(f, "timed out after {after:?}"),
            ErrorKind::Cancelled => f.write_str("was cancelled"),
            ErrorKind::Busy => f.write_str("was refused: its queue is full"),
            ErrorKind::MemoryLimit => f.write_str("went over its memory limit"),
            ErrorKind::Codec { message } => {
                write!(f, "could not pass a value between processes: {message}")
            }
            ErrorKind::Worker { message } => write!(f, "could not start: {message}"),
            ErrorKind::WorkerLost => f.write_str("was lost with the machine that ran it"),
            ErrorKind::Stopped => f.write_str("was not run: its worker has stopped"),
        }
    }
}

/// An exit code. On Windows it also says what kind of fault has ended a process.
struct HowItExited(i32);

impl fmt::Display for HowItExited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.0.cast_unsigned();
        let fault = match code {
            0x8000_0003 => "a breakpoint",
            0xC000_0005 => "an access violation",
            0xC000_0017 => "a lack of memory",
            0xC000_001D => "an illegal instruction",
            0xC000_0094 => "a division by zero",
            0xC000_00FD => "a stack overflow",
            0xC000_0374 => "a damaged heap",
            0xC000_0409 => "an abort",
            0xC000_013A => "Ctrl-C",
            0x8000_0000..0xF000_0000 => return write!(f, "exited with code {code:#X}"),
            _ => return write!(f, "exited with code {}", self.0),
        };
        write!(f, "was ended by {fault} ({code:#X})")
    }
}

/// The name of a signal that kills processes.
struct SignalName(i32);

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The numbers that all Unix platforms share. Others differ and are printed as numbers.
        let name = match self.0 {
            1 => "SIGHUP",
            2 => "SIGINT",
            3 => "SIGQUIT",
            4 => "SIGILL",
            5 => "SIGTRAP",
            6 => "SIGABRT",
            8 => "SIGFPE",
            9 => "SIGKILL",
            11 => "SIGSEGV",
            13 => "SIGPIPE",
            14 => "SIGALRM",
            15 => "SIGTERM",
            24 => "SIGXCPU, the limit of processor time",
            25 => "SIGXFSZ, the limit of file sizes",
            #[cfg(target_os = "linux")]
            7 => "SIGBUS",
            #[cfg(target_os = "linux")]
            31 => "SIGSYS",
            #[cfg(any(target_os = "macos", target_os = "freebsd"))]
            10 => "SIGBUS",
            #[cfg(any(target_os = "macos", target_os = "freebsd"))]
            12 => "SIGSYS",
            number => return write!(f, "signal {number}"),
        };
        f.write_str(name)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Summary { function: self.inner.function, kind: &self.inner.kind }.fmt(f)?;
        self.inner.tries.map_or(Ok(()), |(tries, time)| {
            write!(f, ", after {tries} tries in {} ms", time.as_millis())
        })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("function", &self.inner.function)
            .field("kind", &self.inner.kind)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::TimedOut { .. } => std::io::ErrorKind::TimedOut,
            ErrorKind::Busy => std::io::ErrorKind::ResourceBusy,
            ErrorKind::MemoryLimit => std::io::ErrorKind::OutOfMemory,
            _ => std::io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
