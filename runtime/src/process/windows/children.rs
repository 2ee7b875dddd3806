//! The workers of this process by their numbers, for packets that say which has sent them.
//!
//! No number is used again while the process is here.

use std::os::windows::io::OwnedHandle;
use std::sync::{Arc, OnceLock};

use super::object;
use crate::sync::Lock;

static CHILDREN: Lock<Vec<(u32, Arc<OwnedHandle>)>> = Lock::new(Vec::new());

pub(super) fn note(number: u32, process: &Arc<OwnedHandle>) {
    CHILDREN.lock().push((number, Arc::clone(process)));
}

pub(super) fn forget(number: u32) {
    CHILDREN.lock().retain(|(known, _)| *known != number);
}

/// A worker, or this process.
pub(super) fn find(number: u32) -> Option<Arc<OwnedHandle>> {
    static OWN: OnceLock<Option<Arc<OwnedHandle>>> = OnceLock::new();
    if number == std::process::id() {
        return OWN.get_or_init(|| object::own_process().ok().map(Arc::new)).clone();
    }
    let children = CHILDREN.lock();
    children.iter().find(|(known, _)| *known == number).map(|(_, process)| Arc::clone(process))
}
