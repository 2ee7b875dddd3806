//! The modes, a row each. Nothing else in this crate looks at which mode it is: it asks the row.
use super::error::similar;

/// Where a concurrent function runs, and what follows from that for its expansion.
#[derive(Debug)]
pub(crate) struct Mode {
    /// As it is written in the attribute, and as its feature is called.
    pub(crate) name: &'static str,
    /// The module of the runtime crate that is its engine.
    pub(crate) module: &'static str,
    /// Its body is a future, handed over as it is; so it takes an `async fn` only. The other modes
    /// drive a future to its end where they run.
    pub(crate) awaits: bool,
    /// Arguments and results cross as bytes: references are encoded at the call, and the worker
    /// owns what they refer to.
    pub(crate) encodes: bool,
    /// What people write who mean it.
    pub(crate) also_called: &'static [&'static str],
}

/// The one that stands in where none was given; that is an error by then.
pub(crate) static THREADS: Mode = Mode {
    name: "threads",
    module: "threads",
    awaits: false,
    encodes: false,
    also_called: &["thread", "threading", "threadpool", "rayon", "sync", "blocking", "parallel"],
};

static PROCESS: Mode = Mode {
    name: "process",
    module: "process",
    awaits: false,
    encodes: true,
    also_called: &["processes", "multiprocessing", "subprocess", "fork", "worker", "workers"],
};

static ASYNC: Mode = Mode {
    name: "async",
    module: "asynchronous",
    awaits: true,
    encodes: false,
    also_called: &["asynchronous", "asyncio", "tokio", "future", "futures", "await"],
};

static MODES: [&Mode; 3] = [&THREADS, &PROCESS, &ASYNC];

/// "`threads`, `process` or `async`".
pub(crate) const LISTED: &str = "`threads`, `process` or `async`";

impl Mode {
    /// The mode of exactly this name.
    pub(crate) fn named(name: &str) -> Option<&'static Mode> {
        MODES.into_iter().find(|mode| mode.name == name)
    }

    /// The mode that was probably meant.
    pub(crate) fn meant(typed: &str) -> Option<&'static Mode> {
        let lower = typed.to_lowercase();
        let alias = MODES.into_iter().find(|mode| mode.also_called.contains(&&*lower));
        let names = MODES.map(|mode| mode.name);
        alias.or_else(|| Mode::named(similar(typed, &names)?))
    }
}
