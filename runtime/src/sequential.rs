//! Running every task inline at its call, for debugging.

use std::cell::Cell;
use std::sync::OnceLock;

use crate::error::Error;
use crate::task::{Call, Task};

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Runs a closure in which every call of a concurrent function on this thread runs inline, in
/// order, before it returns its task.
///
/// For debuggers, profilers and bisecting: a breakpoint in a body shows its caller on the stack.
/// Arguments and results of `process` functions are still encoded and decoded, so values that
/// cannot cross are found here too. The environment variable `TRINE_SEQUENTIAL=1` does the same for
/// the whole program. Retries happen inside the call, which sleeps for their `backoff`. `timeout`,
/// `limit`, `queue`, `priority` and `memory` have no effect. A task that waits for a later one
/// hangs, as plain calls would.
///
/// ```
/// use trine::concurrent;
///
/// #[concurrent(threads)]
/// fn where_am_i() -> std::thread::ThreadId {
///     std::thread::current().id()
/// }
/// let here = trine::sequential(|| where_am_i().join())?;
/// assert_eq!(here, std::thread::current().id());
/// # Ok::<(), trine::Error>(())
/// ```
///
/// # Panics
/// If the closure does. A panic in a task becomes that task's error.
pub fn sequential<R>(run: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            DEPTH.set(DEPTH.get() - 1);
        }
    }
    DEPTH.set(DEPTH.get() + 1);
    let _leave = Leave;
    run()
}

/// Whether calls made here run inline.
#[inline]
pub(crate) fn is_on() -> bool {
    static EVERYWHERE: OnceLock<bool> = OnceLock::new();
    DEPTH.try_with(Cell::get).is_ok_and(|depth| depth > 0)
        || *EVERYWHERE.get_or_init(|| {
            std::env::var_os("TRINE_SEQUENTIAL")
                .is_some_and(|value| value != "0" && !value.is_empty())
        })
}

/// A task that has already ended.
pub(crate) fn done<T: Send + 'static>(name: &'static str, result: Result<T, Error>) -> Task<T> {
    Task::new(std::sync::Arc::new(Done { name, cell: crate::cell::Cell::ended(result) }))
}

struct Done<T> {
    name: &'static str,
    cell: crate::cell::Cell<T>,
}

impl<T: Send> Call<T> for Done<T> {
    fn cell(&self) -> &crate::cell::Cell<T> {
        &self.cell
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn cancel(self: std::sync::Arc<Self>, _: Error) {}
}
