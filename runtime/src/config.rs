//! How large the pools are: [`Config`], or the environment, before the first use.

#[cfg(feature = "cluster")]
pub(crate) mod cluster;

use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fmt, thread};

/// Sets the pools before their first use.
///
/// What is not set here comes from the environment (`TRINE_THREADS`, `TRINE_PROCESSES`,
/// `TRINE_MAX_THREADS`, `TRINE_THREAD_STACK`). The sizes of the pools are else the number of cores
/// this process may use.
///
/// ```
/// trine::Config::new().threads(4).processes(2).apply()?;
/// # Ok::<(), trine::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is set before `apply`"]
pub struct Config {
    threads: Option<usize>,
    max_threads: Option<usize>,
    thread_stack: Option<usize>,
    thread_name: Option<String>,
    processes: Option<usize>,
    #[cfg(feature = "cluster")]
    cluster: cluster::Chosen,
}

/// The settings came too late, or cannot be.
#[derive(Debug)]
pub struct ConfigError {
    message: &'static str,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl std::error::Error for ConfigError {}

#[derive(Debug)]
struct Settled {
    threads: usize,
    #[cfg_attr(not(feature = "threads"), expect(dead_code, reason = "for the pool alone"))]
    thread: Thread,
    processes: usize,
}

/// What is said of the threads of the pool.
#[derive(Debug)]
#[cfg_attr(not(feature = "threads"), expect(dead_code, reason = "for the pool alone"))]
pub(crate) struct Thread {
    /// The most of them, if somebody has said so.
    pub(crate) max: Option<usize>,
    /// The bytes of each one's stack, if somebody has said so.
    pub(crate) stack: Option<usize>,
    pub(crate) name: String,
}

/// The most that [`Config::max_threads`] can be.
pub(crate) const MAX_THREADS: usize = 8192;

static SETTLED: OnceLock<Settled> = OnceLock::new();

impl Config {
    /// Settings that leave everything as it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many tasks of `threads` run at once; also the threads of the tokio runtime that trine
    /// starts where there is none.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// The most threads that the pool of `threads` has: those that run, of which there are as many
    /// as [`threads`](Self::threads), and those that wait inside a body. At most 8192.
    ///
    /// A call beyond that stays queued until another has ended, so calls that wait for each other
    /// can stand still. Where nothing is set the pool has 512 at most while calls go on ending, and
    /// more only where they all wait and none ends.
    pub fn max_threads(mut self, threads: usize) -> Self {
        self.max_threads = Some(threads);
        self
    }

    /// The bytes of stack of each thread of the pool.
    ///
    /// 8 MiB where nothing is set, on 32-bit machines 2 MiB; what is not used takes no memory. The
    /// standard library's `RUST_MIN_STACK` counts too. It bounds how deep a body may recurse, and
    /// how deep joins of tasks may nest, for a join runs on the same stack what nobody has begun.
    /// Where it overflows the program ends with the standard library's message, which names the
    /// thread as [`thread_name`](Self::thread_name) does. A body that its joiner runs is on the
    /// joiner's stack, which this does not set.
    pub fn thread_stack(mut self, bytes: usize) -> Self {
        self.thread_stack = Some(bytes);
        self
    }

    /// The name of each thread of the pool, as debuggers and the messages of panics show it; else
    /// `trine-worker`.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = Some(name.into());
        self
    }

    /// How many worker processes are kept.
    pub fn processes(mut self, processes: usize) -> Self {
        self.processes = Some(processes);
        self
    }

    /// Sets them for the whole program.
    ///
    /// # Errors
    /// When trine has started a task already, settings were applied before, or one of them cannot
    /// be: a number is zero, `max_threads` less than `threads` or more than 8192, a name has a zero
    /// byte.
    pub fn apply(self) -> Result<(), ConfigError> {
        if let Some(message) = self.mistake() {
            return Err(ConfigError { message });
        }
        let mut fresh = false;
        SETTLED.get_or_init(|| {
            fresh = true;
            settle(&self)
        });
        #[cfg(feature = "cluster")]
        let fresh = fresh && cluster::choose(self.cluster);
        if fresh {
            Ok(())
        } else {
            Err(ConfigError {
                message: "trine is in use already: apply its `Config` once, before the first task",
            })
        }
    }
}

impl Config {
    fn mistake(&self) -> Option<&'static str> {
        let max = self.max_threads.unwrap_or(MAX_THREADS);
        if [self.threads, self.processes, self.max_threads].contains(&Some(0)) {
            Some("a pool of trine needs at least one worker")
        } else if self.thread_stack == Some(0) {
            Some("the stack of a thread cannot be empty")
        } else if max > MAX_THREADS {
            Some("the pool of trine has at most 8192 threads")
        } else if self.threads.is_some_and(|threads| threads > max) {
            Some("`max_threads` must be at least `threads`")
        } else if self.thread_name.as_ref().is_some_and(|name| name.contains('\0')) {
            Some("the name of a thread has no zero bytes")
        } else {
            None
        }
    }
}

/// What is said of the threads of the pool.
#[cfg(feature = "threads")]
pub(crate) fn thread() -> &'static Thread {
    &settled().thread
}

/// How many threads run at once.
pub(crate) fn threads() -> usize {
    settled().threads
}

/// How many worker processes are kept.
pub(crate) fn processes() -> usize {
    match SERVES_WITH.load(Ordering::Relaxed) {
        0 => settled().processes,
        processes => processes,
    }
}

/// Not 0 in a process that serves others: that many worker processes then, whatever else is said.
static SERVES_WITH: AtomicUsize = AtomicUsize::new(0);

#[cfg(feature = "cluster")]
pub(crate) fn set_processes(processes: NonZeroUsize) {
    SERVES_WITH.store(processes.get(), Ordering::Relaxed);
}

fn settled() -> &'static Settled {
    SETTLED.get_or_init(|| settle(&Config::new()))
}

fn settle(config: &Config) -> Settled {
    Settled {
        threads: config.threads.or_else(|| from_environment("TRINE_THREADS")).unwrap_or_else(cores),
        thread: Thread {
            max: config.max_threads.or_else(|| from_environment("TRINE_MAX_THREADS")),
            stack: config.thread_stack.or_else(|| from_environment("TRINE_THREAD_STACK")),
            name: config.thread_name.clone().unwrap_or_else(|| "trine-worker".to_owned()),
        },
        processes: config
            .processes
            .or_else(|| from_environment("TRINE_PROCESSES"))
            .unwrap_or_else(cores),
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn from_environment(name: &str) -> Option<usize> {
    let value = std::env::var_os(name)?;
    match value.to_str().and_then(|value| value.trim().parse().ok()) {
        Some(number) if number > 0 => Some(number),
        _ => panic!("{name} must be a whole number of at least 1, and is {value:?}"),
    }
}
