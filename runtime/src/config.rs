//! How large the pools are: [`Config`], or the environment, before the first use.

use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(feature = "cluster")]
use std::time::Duration;
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
    cluster: Cluster,
}

/// The part that is for `process` calls on other machines; what is not set comes from the
/// environment.
#[cfg(feature = "cluster")]
#[derive(Clone, Default)]
pub(crate) struct Cluster {
    pub(crate) address: Option<String>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) wait: Option<Duration>,
    pub(crate) options: Option<async_nats::ConnectOptions>,
}

#[cfg(feature = "cluster")]
impl fmt::Debug for Cluster {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, wait, .. } = self;
        f.debug_struct("Cluster")
            .field("address", address)
            .field("wait", wait)
            .finish_non_exhaustive()
    }
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
    #[cfg(feature = "cluster")]
    cluster: Cluster,
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

    /// Sends the calls of `process` functions to the machines at this NATS broker, several
    /// addresses with commas between them; else `TRINE_CLUSTER`. See
    /// [`many_machines`](crate::guide::many_machines).
    #[cfg(feature = "cluster")]
    pub fn cluster(mut self, address: impl Into<String>) -> Self {
        self.cluster.address = Some(address.into());
        self
    }

    /// The secret that the machines share, of 32 bytes or more; else `TRINE_CLUSTER_KEY`.
    #[cfg(feature = "cluster")]
    pub fn cluster_key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.cluster.key = Some(key.into());
        self
    }

    /// How long a call waits where no machine is there to run it; zero to say so at once. Else
    /// `TRINE_CLUSTER_WAIT`, in seconds, or 30 seconds.
    #[cfg(feature = "cluster")]
    pub fn cluster_wait(mut self, wait: Duration) -> Self {
        self.cluster.wait = Some(wait);
        self
    }

    /// How to connect to the broker: TLS, credentials, and what else its client has.
    #[cfg(feature = "cluster")]
    pub fn cluster_options(mut self, options: async_nats::ConnectOptions) -> Self {
        self.cluster.options = Some(options);
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

#[cfg(feature = "cluster")]
pub(crate) fn cluster() -> &'static Cluster {
    &settled().cluster
}

fn settled() -> &'static Settled {
    SETTLED.get_or_init(|| settle(&Config::new()))
}

fn settle(config: &Config) -> Settled {
    Settled {
        threads: config.threads.unwrap_or_else(|| from_environment("TRINE_THREADS")),
        processes: config.processes.unwrap_or_else(|| from_environment("TRINE_PROCESSES")),
        #[cfg(feature = "cluster")]
        cluster: config.cluster.clone(),
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
