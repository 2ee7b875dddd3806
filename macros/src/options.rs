//! The options, one row each. To add one, add its row: the parser, the checks and the messages all
//! work from this table, and `Function` in the runtime has a method of the same name.
use super::error::meant;
use super::mode::Mode;

/// One option of the attribute.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its name in the attribute, which is also the name of the `Function` method that stores it.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// An example, for messages.
    pub(crate) example: &'static str,
    pub(crate) modes: Modes,
    /// The option that it requires.
    pub(crate) needs: Option<&'static str>,
    /// What people write who mean it.
    pub(crate) also_called: &'static [&'static str],
}

/// What follows the name, and where it goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Nothing; `.name()` on the `Function`.
    Flag,
    /// Nothing; the function takes a scope, and `Function` need not know.
    Scoped,
    /// `= 5s`; `.name(DURATION)`.
    Duration,
    /// `= 512MiB`; `.name(BYTES)`.
    Size,
    /// `= 3`, up to `u32::MAX`; `.name(COUNT)`.
    Times,
    /// `= 8`; `.name(COUNT)`.
    Count,
    /// `= "gpu"`, a label of machines; `.name(TEXT)`.
    Label,
    /// `= "images"`, the name of something else; `.name(TEXT)`.
    Name,
    /// `= 1000` or `= 256MiB`; `.name_after(COUNT)` or `.name_beyond(BYTES)`.
    CountOrSize,
    /// `= high` or `= low`; `.name_high()` or `.name_low()`.
    Level,
    /// `= path`; a function that goes to the engine with the call.
    Path,
    /// `= path`; where the runtime crate is.
    Crate,
    /// `= Name`, of the type that is made.
    Type,
}

/// Which modes have it.
#[derive(Debug)]
pub(crate) enum Modes {
    All,
    /// The modes whose values cross to a worker as bytes; with the reason why the others do not
    /// have it.
    Workers(&'static str),
}

const A_PROCESS: Modes = Modes::Workers("only a process of its own has that");
const A_POOL_BY_NAME: Modes = Modes::Workers("the other modes have one pool each");
const ANOTHER_MACHINE: Modes = Modes::Workers("the other modes never leave this machine");

/// In the order in which messages list them.
#[rustfmt::skip]
pub(crate) static OPTIONS: &[Row] = &[
    Row { name: "timeout", kind: Kind::Duration, example: "timeout = 5s", modes: Modes::All,
          needs: None, also_called: &["deadline", "time_limit", "max_time", "expires"] },
    Row { name: "retries", kind: Kind::Times, example: "retries = 3", modes: Modes::All,
          needs: None, also_called: &["retry", "max_retries", "attempts", "tries", "repeat"] },
    Row { name: "backoff", kind: Kind::Duration, example: "backoff = 100ms", modes: Modes::All,
          needs: Some("retries"), also_called: &["delay", "pause", "retry_delay", "interval"] },
    Row { name: "retry_if", kind: Kind::Path, example: "retry_if = is_transient",
          modes: Modes::All, needs: Some("retries"),
          also_called: &["retry_when", "retry_on", "retry_for", "when", "condition", "predicate"] },
    Row { name: "limit", kind: Kind::Count, example: "limit = 8", modes: Modes::All,
          needs: None, also_called: &["parallel", "parallelism", "concurrency", "workers", "jobs",
                                      "max_concurrency", "max_workers", "permits", "max"] },
    Row { name: "queue", kind: Kind::Count, example: "queue = 100", modes: Modes::All,
          needs: Some("limit"), also_called: &["backlog", "capacity", "max_queue", "queue_size",
                                               "max_pending", "pending", "waiting"] },
    Row { name: "priority", kind: Kind::Level, example: "priority = high", modes: Modes::All,
          needs: None, also_called: &["prio", "nice", "urgent", "urgency", "importance"] },
    Row { name: "scoped", kind: Kind::Scoped, example: "scoped", modes: Modes::All,
          needs: None, also_called: &["borrow", "borrows", "borrowed"] },
    Row { name: "memory", kind: Kind::Size, example: "memory = 512MiB", modes: A_PROCESS,
          needs: None, also_called: &["mem", "max_memory", "memory_limit", "ram"] },
    Row { name: "fresh", kind: Kind::Flag, example: "fresh", modes: A_PROCESS,
          needs: None, also_called: &["new", "isolated"] },
    Row { name: "renew", kind: Kind::CountOrSize, example: "renew = 1000", modes: A_PROCESS,
          needs: None, also_called: &["recycle", "max_tasks_per_child", "maxtasksperchild",
                                      "max_tasks", "max_calls"] },
    Row { name: "pool", kind: Kind::Name, example: "pool = \"images\"", modes: A_POOL_BY_NAME,
          needs: None, also_called: &["queue_name", "group", "executor"] },
    Row { name: "ahead", kind: Kind::Count, example: "ahead = 16", modes: Modes::All,
          needs: None, also_called: &["buffer", "capacity", "prefetch", "bound", "queue_size"] },
    Row { name: "restarts", kind: Kind::Times, example: "restarts = 3", modes: Modes::All,
          needs: None, also_called: &["max_restarts", "restart", "intensity"] },
    Row { name: "per", kind: Kind::Duration, example: "per = 1min", modes: Modes::All,
          needs: Some("restarts"), also_called: &["period", "within", "window"] },
    Row { name: "copies", kind: Kind::Count, example: "copies = 2", modes: Modes::All,
          needs: None, also_called: &["replicas", "instances", "pool_size"] },
    Row { name: "name", kind: Kind::Type, example: "name = ModelPool", modes: Modes::All,
          needs: None, also_called: &["named", "as", "rename", "worker_name"] },
    Row { name: "local", kind: Kind::Flag, example: "local", modes: ANOTHER_MACHINE,
          needs: None, also_called: &["here"] },
    Row { name: "on", kind: Kind::Label, example: "on = \"gpu\"", modes: ANOTHER_MACHINE,
          needs: None, also_called: &["label", "machine", "machines", "host", "where"] },
    Row { name: "crate", kind: Kind::Crate, example: "crate = path::to::trine", modes: Modes::All,
          needs: None, also_called: &["krate", "runtime", "path"] },
];

impl Row {
    /// The option with exactly this name.
    pub(crate) fn named(name: &str) -> Option<&'static Row> {
        OPTIONS.iter().find(|row| row.name == name)
    }

    /// The option that was probably meant.
    pub(crate) fn meant(typed: &str) -> Option<&'static Row> {
        let rows = OPTIONS.iter().map(|row| (row.name, row.also_called));
        Row::named(meant(typed, rows)?)
    }

    /// Whether it takes no value.
    pub(crate) fn is_bare(&self) -> bool {
        matches!(self.kind, Kind::Flag | Kind::Scoped)
    }

    /// Whether it means something only on an `impl`.
    pub(crate) fn is_of_worker(&self) -> bool {
        ["restarts", "per", "copies", "name"].contains(&self.name)
    }

    /// Why this mode does not have this option.
    pub(crate) fn refused_by(&self, mode: &Mode) -> Option<&'static str> {
        match self.modes {
            Modes::Workers(reason) if !mode.encodes => Some(reason),
            _ => None,
        }
    }
}

/// "`timeout`, `retries`, … and `crate`": those of functions.
pub(crate) fn listed() -> String {
    let quoted: Vec<String> = names().iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

fn names() -> Vec<&'static str> {
    OPTIONS.iter().filter(|row| !row.is_of_worker()).map(|row| row.name).collect()
}
