//! [`Function`]: the name, options and statistics of a concurrent function, in one static each.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::limit::{Limited, Limiter};
use crate::options::{Options, Priority, is_plain};
use crate::stats::Account;

/// The name and the options of a concurrent function.
///
/// The attribute creates one in a static for each function it expands; `cargo expand` shows it.
/// There is no need to write one by hand.
///
/// ```
/// use std::time::Duration;
/// static FUNCTION: trine::Function =
///     trine::Function::new("fetch").limit(8).timeout(Duration::from_secs(5));
/// assert_eq!(FUNCTION.name(), "fetch");
/// ```
#[derive(Debug)]
pub struct Function {
    name: &'static str,
    options: Options,
    limiter: Limiter,
    habit: Habit,
    account: Account,
}

impl Function {
    /// A function with this name and no options.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            options: Options::NONE,
            limiter: Limiter::new(),
            habit: Habit::unknown(),
            account: Account::new(),
        }
    }

    /// `timeout = …`: each run ends with `TimedOut` that long after it started.
    ///
    /// # Panics
    /// When zero, which in the static is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        assert!(!timeout.is_zero(), "`timeout` must be more than zero");
        self.options.timeout = Some(timeout);
        self
    }

    /// `retries = …`: how many more times a failed call is tried.
    ///
    /// # Panics
    /// When zero, which in the static is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn retries(mut self, retries: u32) -> Self {
        assert!(retries > 0, "`retries` must be more than zero");
        self.options.retries = retries;
        self
    }

    /// `backoff = …`: the pause before the first retry; it doubles each time, with jitter.
    ///
    /// # Panics
    /// When zero, which in the static is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn backoff(mut self, backoff: Duration) -> Self {
        assert!(!backoff.is_zero(), "`backoff` must be more than zero");
        self.options.backoff = backoff;
        self
    }

    /// `limit = …`: how many calls of this function run at once in this program.
    ///
    /// # Panics
    /// When zero, which in the static is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn limit(mut self, limit: usize) -> Self {
        assert!(limit > 0, "`limit` must be more than zero");
        self.options.limit = Some(limit);
        self
    }

    /// `queue = …`: how many calls wait for a place under `limit`; the next one ends as `Busy`.
    ///
    /// # Panics
    /// When zero, which in the static is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn queue(mut self, queue: usize) -> Self {
        assert!(queue > 0, "`queue` must be more than zero");
        self.options.queue = Some(queue);
        self
    }

    /// `memory = …`: how many bytes a call may allocate in its worker process.
    ///
    /// # Panics
    /// When zero, which in the static is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn memory(mut self, bytes: u64) -> Self {
        assert!(bytes > 0, "`memory` must be more than zero");
        self.options.memory = Some(bytes);
        self
    }

    /// `renew = 1000`: its worker process is replaced after this many calls; so is the value that
    /// a constructor makes.
    ///
    /// # Panics
    /// When zero, which in the static is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn renew_after(mut self, calls: u32) -> Self {
        assert!(calls > 0, "`renew` must be more than zero");
        self.options.renew_after = Some(calls);
        self
    }

    /// `renew = 256MiB`: its worker process is replaced if it is larger than this between calls; so
    /// is the value that a constructor makes.
    ///
    /// # Panics
    /// When zero, which in the static is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn renew_beyond(mut self, bytes: u64) -> Self {
        assert!(bytes > 0, "`renew` must be more than zero");
        self.options.renew_beyond = Some(bytes);
        self
    }

    /// The trait that it was declared to return an `impl` of, which its callers do not see. It is
    /// named so that an import of it is still used.
    #[must_use]
    pub const fn yields<Declared: ?Sized>(self) -> Self {
        self
    }

    /// `ahead = …`: how many items of a stream may be on the way to their reader.
    ///
    /// # Panics
    /// When zero, which in the static is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn ahead(mut self, items: usize) -> Self {
        assert!(items > 0, "`ahead` must be more than zero");
        self.options.ahead = Some(items);
        self
    }

    /// `restarts = …`: how often a worker with state is made anew, in `per`.
    ///
    /// # Panics
    /// When zero, which in the static is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn restarts(mut self, restarts: u32) -> Self {
        assert!(restarts > 0, "`restarts` must be more than zero");
        self.options.restarts = restarts;
        self
    }

    /// `per = …`: the time that `restarts` are counted in, if it is not a minute.
    ///
    /// # Panics
    /// When zero, which in the static is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn per(mut self, per: Duration) -> Self {
        assert!(!per.is_zero(), "`per` must be more than zero");
        self.options.per = per;
        self
    }

    /// `copies = …`: how many values a worker with state has.
    ///
    /// # Panics
    /// When zero, which in the static is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn copies(mut self, copies: usize) -> Self {
        assert!(copies > 0, "`copies` must be more than zero");
        self.options.copies = copies;
        self
    }

    /// `fresh`: every call gets its own worker process.
    #[must_use]
    pub const fn fresh(mut self) -> Self {
        self.options.fresh = true;
        self
    }

    /// `pool = "…"`: calls run in the workers of this pool, whose size
    /// [`Config::pool`](crate::Config::pool) sets.
    ///
    /// # Panics
    /// When it is empty, or has anything but letters, digits, `-` and `_`.
    #[must_use]
    #[track_caller]
    pub const fn pool(mut self, name: &'static str) -> Self {
        assert!(!name.is_empty(), "`pool` needs a name");
        assert!(is_plain(name), "the name of a pool must consist of letters, digits, `-` and `_`");
        self.options.pool = Some(name);
        self
    }

    /// `priority = high`: calls start before others that wait.
    #[must_use]
    pub const fn priority_high(mut self) -> Self {
        self.options.priority = Priority::High;
        self
    }

    /// `priority = low`: calls start when no others wait.
    #[must_use]
    pub const fn priority_low(mut self) -> Self {
        self.options.priority = Priority::Low;
        self
    }

    /// `local`: calls stay on this machine, even if a cluster is configured.
    #[must_use]
    pub const fn local(mut self) -> Self {
        self.options.local = true;
        self
    }

    /// `on = "…"`: calls run only on machines that have this label in their `TRINE_LABELS`; without
    /// a cluster they run locally as usual.
    ///
    /// ```
    /// static FUNCTION: trine::Function = trine::Function::new("render").on("gpu");
    /// let task = trine::process::spawn(&FUNCTION, (6, 7), |(a, b): (i32, i32)| a * b);
    /// assert_eq!(task.join()?, 42);
    /// # Ok::<(), trine::Error>(())
    /// ```
    ///
    /// # Panics
    /// If it is empty, or has characters other than letters, digits, `-` and `_`.
    #[must_use]
    #[track_caller]
    pub const fn on(mut self, label: &'static str) -> Self {
        assert!(!label.is_empty(), "`on` needs a label");
        assert!(is_plain(label), "a label must consist of letters, digits, `-` and `_`");
        self.options.on = Some(label);
        self
    }

    /// The function's name, as written.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// The options, for the engines.
impl Function {
    /// A function with options that another process sent.
    #[cfg(feature = "cluster")]
    pub(crate) fn with(name: &'static str, options: Options) -> Self {
        let mut function = Self::new(name);
        function.options = options;
        function
    }

    pub(crate) const fn options(&self) -> &Options {
        &self.options
    }

    /// Where calls wait for a place, if the function has a limit.
    pub(crate) const fn limiter(&self) -> Option<&Limiter> {
        if self.options.limit.is_some() { Some(&self.limiter) } else { None }
    }

    /// The same with the options that it obeys.
    pub(crate) fn limited(&'static self) -> Option<Limited> {
        self.limiter().map(|limiter| Limited { limiter, options: &self.options })
    }

    /// Where its calls are counted.
    pub(crate) const fn account(&self) -> &Account {
        &self.account
    }

    pub(crate) const fn habit(&self) -> &Habit {
        &self.habit
    }
}

/// What the threads engine has learned about a function: whether its calls mostly wait.
///
/// A score with some inertia, so that one unusual call changes nothing. It is only a hint: it
/// decides when a call runs, never whether.
#[derive(Debug)]
pub(crate) struct Habit(AtomicU8);

impl Habit {
    const BLOCKS: u8 = 3;
    const MAX: u8 = 8;

    const fn unknown() -> Self {
        Self(AtomicU8::new(0))
    }

    /// Whether a call is expected to spend most of its time waiting.
    pub(crate) fn blocks(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= Self::BLOCKS
    }

    /// A call was seen waiting. Two concurrent updates may count once, which is fine for a hint.
    pub(crate) fn note_waiting(&self) {
        let score = self.0.load(Ordering::Relaxed);
        self.0.store((score + 1).min(Self::MAX), Ordering::Relaxed);
    }

    /// A call was seen computing. Guessing this wrong costs twice as much.
    pub(crate) fn note_computing(&self) {
        let score = self.0.load(Ordering::Relaxed);
        self.0.store(score.saturating_sub(2), Ordering::Relaxed);
    }
}
