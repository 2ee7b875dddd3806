//! The sizes of the pools: [`Config`], or the environment, before the first use.

#[cfg(feature = "cluster")]
pub(crate) mod cluster;

use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fmt, thread};

use crate::carry;
use crate::options::is_plain;

/// Sets the pools before their first use.
///
/// Settings that are not made here come from the environment (`TRINE_THREADS`, `TRINE_PROCESSES`,
/// `TRINE_MAX_THREADS`, `TRINE_THREAD_STACK`). By default, each pool has as many threads or workers
/// as there are cores that this process may use.
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
    pools: Vec<(String, usize)>,
    carry: Option<carry::Hook>,
    #[cfg(feature = "cluster")]
    cluster: cluster::Chosen,
}

/// The settings came too late, or are invalid.
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
    #[cfg_attr(not(feature = "process"), expect(dead_code, reason = "for worker processes alone"))]
    pools: Vec<(String, usize)>,
}

/// The settings of the pool's threads.
#[derive(Debug)]
#[cfg_attr(not(feature = "threads"), expect(dead_code, reason = "for the pool alone"))]
pub(crate) struct Thread {
    /// The maximum number, if set.
    pub(crate) max: Option<usize>,
    /// The stack size in bytes, if set.
    pub(crate) stack: Option<usize>,
    pub(crate) name: String,
}

/// The upper bound of [`Config::max_threads`].
pub(crate) const MAX_THREADS: usize = 8192;

static SETTLED: OnceLock<Settled> = OnceLock::new();

impl Config {
    /// Settings that leave everything as it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many `threads` tasks run at once. It is also the number of threads of the tokio runtime
    /// that trine starts if there is none.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// The maximum number of threads in the `threads` pool: those that run, as many as
    /// [`threads`](Self::threads), and those that wait inside a body. At most 8192.
    ///
    /// Further calls stay queued until another one ends, so calls that wait for each other can
    /// deadlock. By default the pool has up to 512 threads as long as calls keep ending, and more
    /// only if they all wait and none ends.
    pub fn max_threads(mut self, threads: usize) -> Self {
        self.max_threads = Some(threads);
        self
    }

    /// The bytes of stack of each thread of the pool.
    ///
    /// 8 MiB by default, 2 MiB on 32-bit machines; unused stack takes no memory. The standard
    /// library's `RUST_MIN_STACK` is respected too. The size bounds how deeply a body may recurse.
    /// On overflow the program ends with the standard library's message, which names the thread as
    /// set by [`thread_name`](Self::thread_name); on Linux it names this setting too.
    ///
    /// A thread that joins a task may run its body, on its own stack: as long as half of that is
    /// left, and half of this if it was set. Otherwise the pool does, so joins may nest to any
    /// depth.
    pub fn thread_stack(mut self, bytes: usize) -> Self {
        self.thread_stack = Some(bytes);
        self
    }

    /// The name of the pool's threads in debuggers and panic messages; `trine-worker` by default.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = Some(name.into());
        self
    }

    /// How many worker processes are kept.
    pub fn processes(mut self, processes: usize) -> Self {
        self.processes = Some(processes);
        self
    }

    /// How many worker processes the pool of this name has, beside those that
    /// [`processes`](Self::processes) says.
    ///
    /// Functions with `pool = "…"` run in its workers and no others, and nothing else runs there: a
    /// crowd of slow calls in one pool does not delay those of another. A call that names a pool
    /// which has no size ends with [`Worker`](crate::ErrorKind::Worker). The workers
    /// start with the first calls. Functions in it with `memory` have as many of their own for each
    /// limit.
    ///
    /// ```
    /// use trine::{Config, concurrent};
    ///
    /// #[concurrent(process, pool = "images")]
    /// fn thumbnail(width: u32) -> u32 {
    ///     width / 8
    /// }
    ///
    /// Config::new().processes(4).pool("images", 2).apply()?;
    /// assert_eq!(thumbnail(800).join()?, 100);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pool(mut self, name: impl Into<String>, processes: usize) -> Self {
        self.pools.push((name.into(), processes));
        self
    }

    /// Carries what is current where a call is made to where its body runs: `capture` runs at the
    /// call, and `restore` before the body, in `async` before each poll. What `restore` returns is
    /// dropped when the body returns. The same goes for the closures of [`Task::map`],
    /// [`Task::then`] and [`join`](crate::join()), and for `retry_if`.
    ///
    /// So the request id or the OpenTelemetry context of the caller is that of the task too:
    ///
    /// ```text
    /// Config::new().carry(Context::current, |context| context.clone().attach()).apply()
    /// ```
    ///
    /// With `retries` each try has what was current at the call. In
    /// [`sequential`](crate::sequential()) bodies run inside of the call, where it is current.
    /// Bodies of `process` get nothing, since the hook does not exist in a worker: pass it as an
    /// argument; the closures that follow such a call run in this program and do get it. A panic in
    /// `capture` or `restore` is the error of the call or of the task that a closure makes, and of
    /// `join` a panic of its second closure; one in a drop is printed and ends there.
    ///
    /// [`Task::map`]: crate::Task::map
    /// [`Task::then`]: crate::Task::then
    ///
    /// ```
    /// use std::cell::Cell;
    /// use trine::{Config, concurrent};
    ///
    /// thread_local! {
    ///     static REQUEST: Cell<u32> = const { Cell::new(0) };
    /// }
    ///
    /// /// Sets back what was there before.
    /// struct Entered(u32);
    ///
    /// impl Drop for Entered {
    ///     fn drop(&mut self) {
    ///         REQUEST.set(self.0);
    ///     }
    /// }
    ///
    /// #[concurrent(threads)]
    /// fn log() -> String {
    ///     format!("request {}", REQUEST.get())
    /// }
    ///
    /// Config::new().carry(|| REQUEST.get(), |id| Entered(REQUEST.replace(*id))).apply()?;
    /// REQUEST.set(7);
    /// let task = log();
    /// REQUEST.set(8);
    /// assert_eq!(task.join()?, "request 7");
    /// assert_eq!(REQUEST.get(), 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn carry<V, G>(
        mut self,
        capture: impl Fn() -> V + Send + Sync + 'static,
        restore: impl Fn(&V) -> G + Send + Sync + 'static,
    ) -> Self
    where
        V: Send + Sync + 'static,
    {
        self.carry = Some(carry::Hook::new(capture, restore));
        self
    }

    /// Applies the settings to the whole program.
    ///
    /// # Errors
    /// If trine has already started a task, if settings were applied before, or if one is invalid:
    /// a number is zero, `max_threads` is less than `threads` or more than 8192, a thread's name
    /// has a zero byte, a pool's name is empty, given twice, or has anything but letters, digits,
    /// `-` and `_`.
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
            if let Some(hook) = self.carry {
                hook.set();
            }
            Ok(())
        } else {
            Err(ConfigError {
                message: "trine is already in use: apply one `Config`, before the first task",
            })
        }
    }
}

impl Config {
    fn mistake(&self) -> Option<&'static str> {
        let max = self.max_threads.unwrap_or(MAX_THREADS);
        if [self.threads, self.processes, self.max_threads].contains(&Some(0)) {
            Some("a pool needs at least one worker")
        } else if self.thread_stack == Some(0) {
            Some("`thread_stack` must be more than zero")
        } else if max > MAX_THREADS {
            Some("`max_threads` must be at most 8192")
        } else if self.threads.is_some_and(|threads| threads > max) {
            Some("`max_threads` must be at least `threads`")
        } else if self.thread_name.as_ref().is_some_and(|name| name.contains('\0')) {
            Some("`thread_name` must not contain a zero byte")
        } else {
            self.mistake_with_pools()
        }
    }

    fn mistake_with_pools(&self) -> Option<&'static str> {
        let mut names: Vec<&str> = self.pools.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        if self.pools.iter().any(|(_, processes)| *processes == 0) {
            Some("a pool needs at least one worker")
        } else if names.iter().any(|name| name.is_empty() || !is_plain(name)) {
            Some("the name of a pool must consist of letters, digits, `-` and `_`")
        } else if names.windows(2).any(|pair| pair[0] == pair[1]) {
            Some("a pool was given two sizes: keep one")
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

/// How many worker processes the pool of this name has.
///
/// # Errors
/// When nobody has said so.
#[cfg(feature = "process")]
pub(crate) fn pool(name: &str) -> Result<usize, String> {
    let pools = &settled().pools;
    if let Some((_, processes)) = pools.iter().find(|(known, _)| known == name) {
        return Ok(*processes);
    }
    let known: Vec<String> = pools.iter().map(|(known, _)| format!("`{known}`")).collect();
    let others = match known.is_empty() {
        true => String::new(),
        false => format!("; known pools: {}", known.join(", ")),
    };
    Err(format!("unknown pool `{name}`: set its size with `Config::pool`{others}"))
}

/// Not 0 in a process that serves others. It then has that many worker processes, whatever the
/// other settings say.
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
        pools: config.pools.clone(),
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn from_environment(name: &str) -> Option<usize> {
    let value = std::env::var_os(name)?;
    match value.to_str().and_then(|value| value.trim().parse().ok()) {
        Some(number) if number > 0 => Some(number),
        _ => panic!("{name} must be a whole number of at least 1, but is {value:?}"),
    }
}
