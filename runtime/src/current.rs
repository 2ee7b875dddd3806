//! The task that this thread is running, for [`cancelled`].

use std::cell::Cell;
use std::ptr::NonNull;

use crate::cell::State;

thread_local! {
    static CURRENT: Cell<Option<NonNull<State>>> = const { Cell::new(None) };
}

/// Whether cancellation of the current task was requested.
///
/// A body on a thread cannot be stopped from outside. A long one should check this from time to
/// time and return early; its deadline (`timeout`) makes it true as well. In `async` it is true
/// from the cancel to the next await, where the task ends. In a worker process it stays false,
/// because a cancel kills the worker. Outside of any task it is false.
///
/// ```
/// use trine::concurrent;
///
/// #[concurrent(threads)]
/// fn search(from: u64) -> Option<u64> {
///     (from..).take_while(|_| !trine::cancelled()).find(|number| number % 1_000 == 999)
/// }
/// assert_eq!(search(0).join()?, Some(999));
/// assert!(!trine::cancelled());
/// # Ok::<(), trine::Error>(())
/// ```
#[must_use]
pub fn cancelled() -> bool {
    CURRENT.try_with(Cell::get).ok().flatten().is_some_and(|state| {
        // SAFETY: `run` borrows the state for as long as the pointer is set.
        unsafe { state.as_ref() }.is_cancel_requested()
    })
}

/// Runs a body as the task with this state.
pub(crate) fn run<R>(state: &State, body: impl FnOnce() -> R) -> R {
    struct Restore(Option<NonNull<State>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            let _ = CURRENT.try_with(|current| current.set(self.0));
        }
    }
    let outer = CURRENT.try_with(|current| current.replace(Some(NonNull::from(state))));
    let _restore = Restore(outer.unwrap_or(None));
    body()
}
