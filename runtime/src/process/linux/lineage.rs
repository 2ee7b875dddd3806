//! What this process is to others: a program, a worker and how deep a one, or a worker that could
//! not become one.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// How deep workers of workers go.
const DEPTH_MAX: u32 = 8;

static DEPTH: AtomicU32 = AtomicU32::new(0);
/// Why a process that was started as a worker is none.
static REFUSED: OnceLock<String> = OnceLock::new();

/// How many workers deep this process is; 0 outside.
pub(crate) fn depth() -> u32 {
    DEPTH.load(Ordering::Relaxed)
}

pub(super) fn set_depth(depth: u32) {
    DEPTH.store(depth, Ordering::Relaxed);
}

/// Notes why this process, which was started as a worker, is none.
pub(super) fn refuse(why: String) {
    let _ = REFUSED.set(why);
}

/// Whether this process may have workers, as far as its descent goes.
pub(super) fn may_have_workers() -> Result<(), String> {
    if let Some(why) = REFUSED.get() {
        return Err(format!("this process was started as a worker, but {why}"));
    }
    let depth = depth();
    if depth >= DEPTH_MAX {
        return Err(format!("it is in a worker {depth} deep; process tasks nest no deeper"));
    }
    Ok(())
}
