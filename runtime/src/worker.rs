//! [`Worker`]: the handle of a worker with state, which `#[concurrent]` on an `impl` makes.
//!
//! | file | owns |
//! | --- | --- |
//! | `line` | the order of the calls, and what happens between them: supervision |
//! | `slot` | the value, where it lives in this program |
//!
//! The engines implement `Home`: where the value is, and how it is made and dropped.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::function::Function;

pub(crate) mod line;
pub(crate) mod slot;

use self::line::{Home, Line};
pub use self::slot::Held;

/// A value of type `T` that lives where its methods run, and calls of its methods one at a time.
///
/// The attribute on an `impl` makes a type around it, see [`concurrent`](crate::concurrent); the
/// type has the methods for calls, and derefs to this. Clone it freely: all handles are of one
/// worker. Once the last one is dropped and all calls have ended, the value is dropped where it
/// lives.
///
/// ```
/// use trine::concurrent;
///
/// struct Counter(u64);
///
/// #[concurrent(threads, restarts = 1)]
/// impl Counter {
///     pub fn starting_at(first: u64) -> Self {
///         Self(first)
///     }
///     pub fn next(&mut self) -> u64 {
///         self.0 = self.0.checked_add(1).expect("the last number was given");
///         self.0
///     }
/// }
///
/// let counter = CounterWorker::starting_at(u64::MAX - 1);
/// assert_eq!(counter.next().join()?, u64::MAX);
/// assert!(counter.next().join().is_err()); // it panicked, and so its value is gone
/// assert_eq!(counter.next().join()?, u64::MAX); // that of a new one
/// assert_eq!(counter.restarts(), 1);
///
/// counter.stop();
/// assert!(counter.next().join().unwrap_err().is_stopped());
/// # Ok::<(), trine::Error>(())
/// ```
pub struct Worker<T> {
    shared: Arc<Shared>,
    value: PhantomData<fn() -> T>,
}

/// What all handles share. Calls share what is in it, so that its end is that of the last handle.
struct Shared {
    line: Arc<Line>,
    /// The engine's, for its calls.
    place: Arc<dyn Any + Send + Sync>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.line.abandon();
    }
}

impl<T> Worker<T> {
    /// A worker whose value is being made from now on.
    pub(crate) fn start<P: Any + Send + Sync>(
        constructor: &'static Function,
        place: Arc<P>,
        home: Box<dyn Home>,
    ) -> Self {
        let line = Line::new(constructor, home);
        line.begin();
        Self { shared: Arc::new(Shared { line, place }), value: PhantomData }
    }

    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.shared.line
    }

    /// Where the engine has the value.
    ///
    /// # Panics
    /// If the worker is another engine's, which no expansion does.
    pub(crate) fn place<P: Any + Send + Sync>(&self) -> Arc<P> {
        let place = Arc::clone(&self.shared.place).downcast();
        place.unwrap_or_else(|_| panic!("this worker was made by the engine of another mode"))
    }

    /// Whether calls that are made now will run, as far as is known: the value is there or is being
    /// made, at first or anew.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.shared.line.is_alive()
    }

    /// Has the value dropped, and made anew from the same arguments, after the call that runs and
    /// before those that wait. Does not wait for that.
    ///
    /// It does not count towards the option `restarts`, and brings a worker back that has stopped
    /// or whose constructor has failed.
    pub fn restart(&self) {
        self.shared.line.restart();
    }

    /// Has the value dropped after the call that runs. All calls that wait, and all later ones, end
    /// as [`Stopped`](crate::ErrorKind::Stopped). Does not wait for that.
    pub fn stop(&self) {
        self.shared.line.stop();
    }

    /// How often the value was made anew.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.shared.line.restarted()
    }
}

/// Another handle of the same worker.
impl<T> Clone for Worker<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), value: PhantomData }
    }
}

impl<T> fmt::Debug for Worker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("is_alive", &self.is_alive())
            .field("restarts", &self.restarts())
            .finish()
    }
}

/// What a constructor may return: the value, or a `Result` with it.
#[diagnostic::on_unimplemented(
    message = "a constructor cannot fail with `{Self}`",
    label = "its error has to be `Display`, for the calls that are told of it",
    note = "return `Result<Self, E>` with an `E` that implements `Display`, such as `String`"
)]
pub trait Constructed<T> {
    /// The value, or the message of the failure.
    fn constructed(self) -> Result<T, String>;
}

impl<T> Constructed<T> for T {
    fn constructed(self) -> Result<T, String> {
        Ok(self)
    }
}

impl<T, E: fmt::Display> Constructed<T> for Result<T, E> {
    fn constructed(self) -> Result<T, String> {
        self.map_err(|error| error.to_string())
    }
}
