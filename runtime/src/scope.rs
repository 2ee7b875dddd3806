//! [`scope`]: calls that borrow, in every mode.
//!
//! A scoped call is an ordinary task without a lifetime, whose job holds the borrowing arguments,
//! and a separate cell for its value. So engines need no second kind of call. One rule makes the
//! erased lifetime sound: whatever may touch a borrow, or drop a value that may, holds a [`Token`]
//! of the scope and drops it last, and `scope` does not return on any path before all tokens are
//! gone. The holders are the job (`job`), and the step from the job's end to the handle (`call`).
//! The handle itself needs no token: it cannot outlive the scope, and if it is leaked, so is its
//! value.

use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::abort;
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::{forks, wait};

mod call;
#[allow(unsafe_code, reason = "a job that borrows is sent to threads that outlive the borrow")]
mod job;
#[cfg(all(test, trine_loom))]
mod model;

pub use call::ScopedTask;
pub(crate) use call::{adopt, launch, launch_future, launch_retrying, launch_retrying_future};
pub(crate) use job::{ScopedFuture, ScopedJob};

/// A scope in which calls may borrow; made by [`scope`].
///
/// `'scope` is the time during which its tasks may run, `'env` the lifetime of what they may
/// borrow, as in [`std::thread::Scope`].
pub struct Scope<'scope, 'env: 'scope> {
    running: Arc<Running>,
    // Invariant, so that neither lifetime can be made shorter than the scope really is.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// The number of unfinished jobs of a scope.
struct Running {
    /// The process that they run in.
    generation: u32,
    count: AtomicU64,
    waiter: Mutex<Option<Waker>>,
}

/// Held by whatever may touch what the scope's calls borrow, and dropped last.
struct Token(Arc<Running>);

impl Scope<'_, '_> {
    fn token(&self) -> Token {
        self.running.token()
    }
}

impl Clone for Token {
    fn clone(&self) -> Self {
        self.0.token()
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        // Release here and Acquire in `wait`: everything that the job did happens before the end of
        // the scope.
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            let waiter = self.0.waiter.lock().take();
            if let Some(waiter) = waiter {
                waiter.wake();
            }
        }
    }
}

impl Running {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            generation: forks::generation(),
            count: AtomicU64::new(0),
            waiter: Mutex::new(None),
        })
    }

    fn token(self: &Arc<Self>) -> Token {
        self.count.fetch_add(1, Ordering::Relaxed);
        Token(Arc::clone(self))
    }

    fn wait(&self) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        if self.generation != forks::generation() {
            // They will never end here, where their arguments still borrow from the caller.
            eprintln!("trine: a forked child cannot leave a scope whose calls its parent runs");
            abort();
        }
        wait::until(None, |waker| {
            let mut waiter = self.waiter.lock();
            if self.count.load(Ordering::Acquire) == 0 {
                return Poll::Ready(());
            }
            *waiter = Some(waker.clone());
            Poll::Pending
        });
    }
}

/// Opens a scope in which functions with the option `scoped` can be called with borrowed arguments.
///
/// Returns when the closure has returned and all calls made in it have ended. A call whose task is
/// dropped without a join is cancelled; in `threads` the scope still waits for the end of its body,
/// which can check [`trine::cancelled`](crate::cancelled).
///
/// ```
/// use trine::concurrent;
///
/// #[concurrent(threads, scoped)]
/// fn count(text: &str, word: &str) -> usize {
///     text.matches(word).count()
/// }
///
/// let text = String::from("one word and one more");
/// let n = trine::scope(|s| {
///     let one = count(s, &text, "one");
///     let more = count(s, &text, "more");
///     Ok::<_, trine::Error>(one.join()? + more.join()?)
/// })?;
/// assert_eq!(n, 3);
/// # Ok::<(), trine::Error>(())
/// ```
///
/// # Panics
/// If the closure does, after all its calls have ended.
///
/// # Aborts
/// If a child that was forked inside the closure leaves it while a call runs, which only the parent
/// can wait for.
pub fn scope<'env, R>(enter: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R) -> R {
    let scope = Scope { running: Running::new(), scope: PhantomData, env: PhantomData };
    let result = catch_unwind(AssertUnwindSafe(|| enter(&scope)));
    // Nothing may unwind past running jobs. Nothing does; this makes sure.
    if catch_unwind(AssertUnwindSafe(|| scope.running.wait())).is_err() {
        abort();
    }
    result.unwrap_or_else(|payload| resume_unwind(payload))
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("running", &self.running.count.load(Ordering::Relaxed))
            .finish()
    }
}
