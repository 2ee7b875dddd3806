//! The slices that a worker had last: mapping one again, and its pages one by one, would cost more
//! than most calls.
//!
//! They are kept for a moment only, since as long as they are mapped here their memory is not free,
//! whatever becomes of them elsewhere.

use std::cell::RefCell;
use std::sync::Arc;

use super::Inner;
use crate::process::platform::Handle;

/// How many there are at the most.
const SEEN_MAX: usize = 8;

type Seen = Vec<(u64, Arc<Inner>)>;

thread_local! {
    /// `None` where nobody would forget them again: on every thread but a worker's own.
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// Begins to remember, on this thread.
pub(crate) fn remember_seen() {
    SEEN.set(Some(Vec::new()));
}

/// Whether there is anything to forget.
pub(crate) fn has_seen() -> bool {
    SEEN.with_borrow(|seen| seen.as_ref().is_some_and(|seen| !seen.is_empty()))
}

/// Unmaps what no value holds any more.
pub(crate) fn forget_seen() {
    let seen = SEEN.with_borrow_mut(|seen| seen.as_mut().map(std::mem::take));
    drop(seen);
}

/// The mapping of this file, if it was seen.
pub(crate) fn find(handle: &Handle, length: usize) -> Option<Arc<Inner>> {
    SEEN.with_borrow(|seen| {
        let seen = seen.as_ref().filter(|seen| !seen.is_empty())?;
        let number = handle.identity()?;
        let (_, inner) =
            seen.iter().find(|(known, inner)| *known == number && inner.length == length)?;
        Some(Arc::clone(inner))
    })
}

/// Remembers it, in the place of the one that was seen first.
pub(crate) fn note(inner: &Arc<Inner>) {
    let dropped = SEEN.with_borrow_mut(|seen| {
        let seen = seen.as_mut()?;
        let dropped = (seen.len() == SEEN_MAX).then(|| seen.remove(0));
        seen.push((inner.view.handle().identity()?, Arc::clone(inner)));
        dropped
    });
    drop(dropped);
}
