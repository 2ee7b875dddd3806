//! The attribute's options as plain data.

use std::time::Duration;

/// Which calls start first, of those that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "process", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Priority {
    High,
    Usual,
    Low,
}

/// The options of a function. They travel with a call wherever it runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "process", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Options {
    /// How long a run may take, from the start of the body.
    pub(crate) timeout: Option<Duration>,
    /// How many more times a failed call is tried.
    pub(crate) retries: u32,
    /// The wait before the first retry; zero for none.
    pub(crate) backoff: Duration,
    /// How many calls run at once.
    pub(crate) limit: Option<usize>,
    /// How many calls wait beyond that before the next one is refused.
    #[cfg_attr(feature = "process", serde(skip))]
    pub(crate) queue: Option<usize>,
    /// How many bytes a worker process that runs it may use.
    pub(crate) memory: Option<u64>,
    /// Whether every call gets its own worker process.
    pub(crate) fresh: bool,
    /// After how many calls its worker process is replaced.
    pub(crate) renew_after: Option<u32>,
    /// How many bytes its worker process may have between calls before it is replaced.
    pub(crate) renew_beyond: Option<u64>,
    /// The pool whose workers run it. Only the caller uses it: machines have one pool.
    #[cfg_attr(feature = "process", serde(skip))]
    pub(crate) pool: Option<&'static str>,
    /// Before or behind which others calls wait for a thread or a worker.
    pub(crate) priority: Priority,
    /// How many items of a stream may be on the way to their reader.
    pub(crate) ahead: Option<usize>,
    /// How often a worker with state is made anew in `per`. Only its own program does that.
    #[cfg_attr(feature = "process", serde(skip))]
    pub(crate) restarts: u32,
    /// The time that `restarts` are counted in; a minute if it is zero.
    #[cfg_attr(feature = "process", serde(skip))]
    pub(crate) per: Duration,
    /// How many values a worker with state has.
    #[cfg_attr(feature = "process", serde(skip))]
    pub(crate) copies: usize,
    /// Whether calls stay on this machine.
    pub(crate) local: bool,
    /// The label that a machine must have. Only the caller uses it, since it chooses the machine.
    #[cfg_attr(feature = "process", serde(skip))]
    pub(crate) on: Option<&'static str>,
}

impl Options {
    pub(crate) const NONE: Self = Self {
        timeout: None,
        retries: 0,
        backoff: Duration::ZERO,
        limit: None,
        queue: None,
        memory: None,
        fresh: false,
        renew_after: None,
        renew_beyond: None,
        pool: None,
        priority: Priority::Usual,
        ahead: None,
        restarts: 0,
        per: Duration::ZERO,
        copies: 1,
        local: false,
        on: None,
    };
}

/// Whether a label or a name is made of letters, digits, `-` and `_`.
pub(crate) const fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        let byte = bytes[index];
        if !(byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
            return false;
        }
        index += 1;
    }
    true
}
