//! What this process is: a program, a worker at some depth, or a process that failed to become a
//! worker.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// How deeply workers may nest.
const MAX_DEPTH: u32 = 8;

static DEPTH: AtomicU32 = AtomicU32::new(0);
/// Why a process that was started as a worker did not become one.
static REFUSED: OnceLock<String> = OnceLock::new();

/// The nesting depth of this worker; 0 in the program itself.
pub(crate) fn depth() -> u32 {
    DEPTH.load(Ordering::Relaxed)
}

pub(super) fn set_depth(depth: u32) {
    DEPTH.store(depth, Ordering::Relaxed);
}

/// Records why this process, which was started as a worker, did not become one.
pub(super) fn refuse(why: String) {
    let _ = REFUSED.set(why);
}

/// Whether this process may have workers, according to its lineage.
pub(super) fn may_have_workers() -> Result<(), String> {
    if let Some(why) = REFUSED.get() {
        return Err(format!("this process was started as a worker, but {why}"));
    }
    let depth = depth();
    if depth >= MAX_DEPTH {
        return Err(format!("it is nested {depth} workers deep, and process tasks nest no deeper"));
    }
    Ok(())
}
