//! The slices that a worker used last: mapping one again, page by page, would cost more than most
//! calls.
//!
//! They are kept only for a moment, since as long as they are mapped here their memory is not
//! freed.

use std::cell::RefCell;
use std::sync::Arc;

use super::Inner;
use crate::process::platform::Handle;

/// The maximum number of slices.
const MAX_SEEN: usize = 8;

type Seen = Vec<(u64, Arc<Inner>)>;

thread_local! {
    /// `None` if nobody would remove them again: on every thread except a worker's main thread.
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// Starts to remember slices on this thread.
pub(crate) fn remember_seen() {
    SEEN.set(Some(Vec::new()));
}

/// Whether there is anything to forget.
pub(crate) fn has_seen() -> bool {
    SEEN.with_borrow(|seen| seen.as_ref().is_some_and(|seen| !seen.is_empty()))
}

/// Unmaps slices that no value holds any more.
pub(crate) fn forget_seen() {
    let seen = SEEN.with_borrow_mut(|seen| seen.as_mut().map(std::mem::take));
    drop(seen);
}

/// The mapping of this file, if remembered.
pub(crate) fn find(handle: &Handle, length: usize) -> Option<Arc<Inner>> {
    SEEN.with_borrow(|seen| {
        let seen = seen.as_ref().filter(|seen| !seen.is_empty())?;
        let number = handle.identity()?;
        let (_, inner) =
            seen.iter().find(|(known, inner)| *known == number && inner.length == length)?;
        Some(Arc::clone(inner))
    })
}

/// Remembers it, replacing the oldest.
pub(crate) fn note(inner: &Arc<Inner>) {
    let dropped = SEEN.with_borrow_mut(|seen| {
        let seen = seen.as_mut()?;
        let dropped = (seen.len() == MAX_SEEN).then(|| seen.remove(0));
        seen.push((inner.view.handle().identity()?, Arc::clone(inner)));
        dropped
    });
    drop(dropped);
}
