//! How large the pools are: [`Config`], or the environment, before the first use.

#[cfg(feature = "cluster")]
pub(crate) mod cluster;

use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fmt, thread};

/// Sets the pools before their first use.
///
/// What is not set here comes from the environment (`TRINE_THREADS`, `TRINE_PROCESSES`), and else
/// is the number of cores this process may use.
///
/// ```
/// trine::Config::new().threads(4).processes(2).apply()?;
/// # Ok::<(), trine::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is set before `apply`"]
pub struct Config {
    threads: Option<usize>,
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
    processes: usize,
}

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

    /// How many worker processes are kept.
    pub fn processes(mut self, processes: usize) -> Self {
        self.processes = Some(processes);
        self
    }

    /// Sets them for the whole program.
    ///
    /// # Errors
    /// When trine has started a task already, settings were applied before, or a number is zero.
    pub fn apply(self) -> Result<(), ConfigError> {
        if self.threads == Some(0) || self.processes == Some(0) {
            return Err(ConfigError { message: "a pool of trine needs at least one worker" });
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
        threads: config.threads.unwrap_or_else(|| from_environment("TRINE_THREADS")),
        processes: config.processes.unwrap_or_else(|| from_environment("TRINE_PROCESSES")),
    }
}

fn from_environment(name: &str) -> usize {
    let Some(value) = std::env::var_os(name) else {
        return thread::available_parallelism().map_or(1, NonZeroUsize::get);
    };
    match value.to_str().and_then(|value| value.trim().parse().ok()) {
        Some(number) if number > 0 => number,
        _ => panic!("{name} must be a whole number of at least 1, and is {value:?}"),
    }
}
