//! Python's pools, in a child that measures them itself and prints the time per run.
//!
//! loky and pebble do not come with Python. `tests/benches/peers/install.sh` installs them into a
//! virtual environment in `target/`, which is used if it exists.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::harness::Row;
use crate::role;

/// The pools, and the module that each needs.
const POOLS: [(&str, &str); 5] = [
    ("multiprocessing.Pool", "multiprocessing"),
    ("ProcessPoolExecutor", "concurrent.futures"),
    ("loky", "loky"),
    ("pebble", "pebble"),
    ("Python ThreadPoolExecutor", "concurrent.futures"),
];

fn script() -> &'static str {
    include_str!("peers.py")
}

/// Python from the environment that `install.sh` made, or else the system's.
fn python() -> Command {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = tests.with_file_name("target/python/bin/python3");
    Command::new(if installed.exists() { installed } else { "python3".into() })
}

fn has(module: &str) -> bool {
    let mut python = python();
    python.args(["-c", &format!("import {module}")]);
    let status = python.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Adds those of Python's process pools that are installed to a row.
pub(crate) fn add(row: Row, workload: &'static str, operations: u64) -> Row {
    POOLS[..4]
        .iter()
        .fold(row, |row, &(pool, module)| add_one(row, pool, module, workload, operations))
}

/// Adds Python's queue between processes.
pub(crate) fn add_queue(row: Row, operations: u64) -> Row {
    add_one(row, "multiprocessing.Queue", "multiprocessing", "queue", operations)
}

/// Adds Python's thread pool.
pub(crate) fn add_threads(row: Row, workload: &'static str) -> Row {
    let (pool, module) = POOLS[4];
    add_one(row, pool, module, workload, 1)
}

fn add_one(
    row: Row,
    pool: &'static str,
    module: &str,
    workload: &'static str,
    operations: u64,
) -> Row {
    if !has(module) {
        return row.missing(pool);
    }
    // The script prints the time per operation; it runs as many as a steady figure needs.
    row.self_timed(pool, move || run(pool, workload) * operations.try_into().unwrap_or(1))
}

fn run(pool: &str, workload: &str) -> Duration {
    let mut python = python();
    python.args(["-c", script(), pool, workload]);
    let output = python.stderr(Stdio::inherit()).output().expect("python3 starts");
    role::seconds(&output.stdout)
}
