//! The modes, one row each. The rest of the crate never compares modes; it reads their rows.
use super::error::meant;

/// Where a concurrent function runs, and what that means for its expansion.
#[derive(Debug)]
pub(crate) struct Mode {
    /// Its name in the attribute, which is also the name of its feature.
    pub(crate) name: &'static str,
    /// The runtime crate's module with its engine.
    pub(crate) module: &'static str,
    /// The body is passed as a future, so only an `async fn` is accepted. The other modes run a
    /// future to completion on their own thread.
    pub(crate) awaits: bool,
    /// Arguments and results cross as bytes: references are encoded at the call, and the worker
    /// owns their referents.
    pub(crate) encodes: bool,
    /// What people write who mean it.
    pub(crate) also_called: &'static [&'static str],
}

/// The mode to assume if none was given, which has been reported as an error.
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
    /// The mode with exactly this name.
    pub(crate) fn named(name: &str) -> Option<&'static Mode> {
        MODES.into_iter().find(|mode| mode.name == name)
    }

    /// The mode that was probably meant.
    pub(crate) fn meant(typed: &str) -> Option<&'static Mode> {
        let rows = MODES.into_iter().map(|mode| (mode.name, mode.also_called));
        Mode::named(meant(typed, rows)?)
    }
}
