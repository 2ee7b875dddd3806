//! Which outcomes of a call are tried again: [`Retry`], which the expansion makes.

use std::fmt;
use std::ops::Deref;

use crate::error::{Error, ErrorKind};

/// Which outcomes of a function with `retries` are tried again; written by the attribute.
///
/// ```
/// use trine::{Error, Retry, Returned};
///
/// // As `retries` alone has it: what returned `Err`, and tasks that failed.
/// let retry = Retry::failed(|output: &Result<u32, String>| Returned(output).is_err());
///
/// // As `retry_if = PATH` has it.
/// fn is_transient(outcome: Result<&Result<u32, String>, &Error>) -> bool {
///     matches!(outcome, Ok(Err(text)) if text == "busy")
/// }
/// let retry = Retry::when(is_transient);
/// ```
pub struct Retry<T>(Which<T>);

enum Which<T> {
    Failed(fn(&T) -> bool),
    When(fn(Result<&T, &Error>) -> bool),
}

impl<T> Retry<T> {
    /// Tries again after values that this calls failures, and after errors that another try may
    /// avoid: all but `Cancelled`, `Busy`, `Codec` and `Stopped`.
    #[must_use]
    pub const fn failed(failed: fn(&T) -> bool) -> Self {
        Self(Which::Failed(failed))
    }

    /// `retry_if = PATH`: tries again if this says so about a value or an error. It is not asked
    /// about `Cancelled`, since nobody wants the call any more.
    #[must_use]
    pub const fn when(retry_if: fn(Result<&T, &Error>) -> bool) -> Self {
        Self(Which::When(retry_if))
    }

    /// Runs user code.
    pub(crate) fn wants(self, outcome: Result<&T, &Error>) -> bool {
        match (self.0, outcome) {
            (_, Err(error)) if error.is_cancelled() => false,
            (Which::When(retry_if), outcome) => retry_if(outcome),
            (Which::Failed(failed), Ok(value)) => failed(value),
            (Which::Failed(_), Err(error)) => may_pass(error.kind()),
        }
    }
}

/// Whether another try may end differently. Each kind is named, so that a new one is decided here.
fn may_pass(kind: &ErrorKind) -> bool {
    match kind {
        // It would fail the same way, or the caller is to hear of it at once.
        ErrorKind::Codec { .. } | ErrorKind::Busy | ErrorKind::Cancelled | ErrorKind::Stopped => {
            false
        }
        ErrorKind::Panicked { .. }
        | ErrorKind::Crashed { .. }
        | ErrorKind::StackOverflow
        | ErrorKind::TimedOut { .. }
        | ErrorKind::MemoryLimit
        | ErrorKind::Worker { .. }
        | ErrorKind::WorkerLost => true,
    }
}

impl<T> Clone for Retry<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Retry<T> {}

impl<T> Clone for Which<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Which<T> {}

impl<T> fmt::Debug for Retry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry").finish_non_exhaustive()
    }
}

/// Wraps a returned value to check whether it is a failure.
///
/// Functions with `retries` use it, whatever the name of their return type: a `Result` can be
/// `Err`, every other value is a success. In a function that is generic over its whole return type,
/// every value counts as a success.
///
/// ```
/// use trine::Returned;
/// assert!(Returned(&Err::<(), _>("no")).is_err());
/// assert!(!Returned(&Ok::<_, ()>(1)).is_err());
/// assert!(!Returned(&1).is_err());
/// ```
#[derive(Debug)]
pub struct Returned<'a, T>(pub &'a T);

impl<T, E> Returned<'_, Result<T, E>> {
    /// Whether the `Result` is `Err`.
    #[must_use]
    pub fn is_err(&self) -> bool {
        self.0.is_err()
    }
}

/// Gives every other type an `is_err`, through autoderef: a method not found on a type is looked up
/// on its target.
impl<T> Deref for Returned<'_, T> {
    type Target = Success;

    fn deref(&self) -> &Success {
        &Success(())
    }
}

/// A value of a type that is not a `Result`.
#[doc(hidden)]
#[derive(Debug)]
pub struct Success(());

impl Success {
    /// It is not a failure.
    #[must_use]
    #[expect(clippy::unused_self, reason = "called as the method of the same name of a `Result`")]
    pub fn is_err(&self) -> bool {
        false
    }
}
