//! The task that this thread is running, for [`cancelled`].
//!
//! Bodies nest, since a joiner may run one inside of another. But they need not end in the reverse
//! order: each may be in a stackful coroutine of its own. So a body that ends takes itself out of
//! the chain wherever it is in it, and nothing ever points to one that has ended.

use std::cell::Cell;
use std::process::abort;
use std::ptr::{self, NonNull};

use crate::cell::State;

thread_local! {
    /// The body that has begun last, of those that have not ended.
    static CURRENT: Cell<*const Frame> = const { Cell::new(ptr::null()) };
}

/// A body on the stack.
struct Frame {
    state: NonNull<State>,
    /// The one that had begun before it.
    outer: Cell<*const Frame>,
}

impl Drop for Frame {
    #[inline]
    fn drop(&mut self) {
        // If the thread's locals are gone, so is the chain.
        let _ = CURRENT.try_with(|current| {
            if ptr::eq(current.get(), self) {
                current.set(self.outer.get());
            } else {
                self.leave(current.get());
            }
        });
    }
}

impl Frame {
    /// Takes itself out of the chain, of which it is not the first.
    #[cold]
    fn leave(&self, mut inner: *const Self) {
        // SAFETY: what is in the chain has not ended, so it is there.
        while let Some(frame) = unsafe { inner.as_ref() } {
            if ptr::eq(frame.outer.get(), self) {
                return frame.outer.set(self.outer.get());
            }
            inner = frame.outer.get();
        }
        eprintln!("trine: a body has begun on one thread and ends on another, in a coroutine");
        abort();
    }
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
    CURRENT.try_with(Cell::get).is_ok_and(|frame| {
        // SAFETY: a frame in the chain has not ended, and `run` borrows its state until then.
        unsafe { frame.as_ref().is_some_and(|frame| frame.state.as_ref().is_cancel_requested()) }
    })
}

/// Runs a body as the task with this state.
#[inline]
pub(crate) fn run<R>(state: &State, body: impl FnOnce() -> R) -> R {
    let frame = Frame { state: NonNull::from(state), outer: Cell::new(ptr::null()) };
    let _ = CURRENT.try_with(|current| frame.outer.set(current.replace(&raw const frame)));
    body()
}
