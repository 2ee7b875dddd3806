//! [`Function`]: what is known of a concurrent function, in one static per function.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::limit::Limiter;
use crate::options::Options;
use crate::stats::Account;

/// The name and the options of a concurrent function.
///
/// The attribute puts one into a static of every function it expands; `cargo expand` shows it.
/// There is no reason to write one by hand.
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
    /// A function of this name with no options.
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

    /// `backoff = …`: the wait before the first retry; it doubles with each, with jitter.
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

    /// `memory = …`: how many bytes a worker process that runs it may use.
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

    /// `renew = 1000`: its worker process is replaced after so many calls.
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

    /// `renew = 256MiB`: its worker process is replaced when it is larger than that between calls.
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

    /// `fresh`: every call gets a worker process of its own.
    #[must_use]
    pub const fn fresh(mut self) -> Self {
        self.options.fresh = true;
        self
    }

    /// `local`: calls stay on this machine, also where a cluster is set.
    #[must_use]
    pub const fn local(mut self) -> Self {
        self.options.local = true;
        self
    }

    /// `on = "…"`: calls run only on machines with this label, one of their `TRINE_LABELS`; without
    /// a cluster they run here as ever.
    ///
    /// ```
    /// static FUNCTION: trine::Function = trine::Function::new("render").on("gpu");
    /// let task = trine::process::spawn(&FUNCTION, (6, 7), |(a, b): (i32, i32)| a * b);
    /// assert_eq!(task.join()?, 42);
    /// # Ok::<(), trine::Error>(())
    /// ```
    ///
    /// # Panics
    /// When it is empty, or has anything but letters, digits, `-` and `_`.
    #[must_use]
    #[track_caller]
    pub const fn on(mut self, label: &'static str) -> Self {
        let bytes = label.as_bytes();
        assert!(!bytes.is_empty(), "`on` needs a label");
        let mut index = 0;
        while index < bytes.len() {
            let byte = bytes[index];
            let is_plain = byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            assert!(is_plain, "a label has letters, digits, `-` and `_`");
            index += 1;
        }
        self.options.on = Some(label);
        self
    }

    /// The function's name, as written.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// What the engines ask.
impl Function {
    /// A function with options that came from elsewhere.
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

    /// Where its calls are counted.
    pub(crate) const fn account(&self) -> &Account {
        &self.account
    }

    pub(crate) const fn habit(&self) -> &Habit {
        &self.habit
    }
}

/// What the threads engine has learned of a function: whether its calls mostly wait.
///
/// A score with some inertia, so that one odd call changes nothing. Only ever a hint: it decides
/// who runs when, never whether.
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

    /// A call was seen waiting. Two threads that note at once may count once: it is a hint.
    pub(crate) fn note_waiting(&self) {
        let score = self.0.load(Ordering::Relaxed);
        self.0.store((score + 1).min(Self::MAX), Ordering::Relaxed);
    }

    /// A call was seen computing, which costs twice as much to get wrong.
    pub(crate) fn note_computing(&self) {
        let score = self.0.load(Ordering::Relaxed);
        self.0.store(score.saturating_sub(2), Ordering::Relaxed);
    }
}
