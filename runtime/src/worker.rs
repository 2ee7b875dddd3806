//! [`Worker`]: the handle of a worker with state, which `#[concurrent]` on an `impl` makes.
//!
//! | file | owns |
//! | --- | --- |
//! | `line` | the order of the calls, which of several copies runs one, and who has the turn |
//! | `supervision` | what is known of a copy, and whether its value is made anew |
//! | `construction` | one run of a constructor in this program |
//! | `slot` | the value, where it lives in this program |
//! | `outlet` | where a method that yields puts its items |
//!
//! The engines implement `Home`: where the value is, and how it is made and dropped.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::error::Error;
use crate::function::Function;
use crate::sequential;

#[cfg(any(feature = "threads", feature = "async"))]
pub(crate) mod construction;
pub(crate) mod line;
pub(crate) mod outlet;
pub(crate) mod slot;
mod supervision;

use self::line::{Home, Line};
#[cfg(feature = "async")]
pub use self::outlet::AsyncOutlet;
pub use self::outlet::Outlet;
pub use self::slot::Held;

/// A value of type `T` that lives where its methods run, and calls of its methods one at a time.
///
/// With the option `copies` there are so many values, and so many calls run at a time. What this
/// does it does to all of them.
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
    handles: Arc<Handles>,
    value: PhantomData<fn() -> T>,
}

/// What all handles share. Calls share what is in it, so that its end is that of the last handle.
struct Handles {
    line: Arc<Line>,
    /// The engine's, for its calls.
    place: Arc<dyn Any + Send + Sync>,
}

impl Drop for Handles {
    fn drop(&mut self) {
        self.line.abandon();
    }
}

impl<T> Worker<T> {
    /// A worker whose values are being made from now on, each in its home.
    pub(crate) fn start<P: Any + Send + Sync>(
        constructor: &'static Function,
        place: Arc<P>,
        homes: Box<[Box<dyn Home>]>,
    ) -> Self {
        let line = Line::new(constructor, homes);
        line.begin();
        Self { handles: Arc::new(Handles { line, place }), value: PhantomData }
    }

    /// Where its calls wait for their turn.
    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.handles.line
    }

    /// Where the engine has the values.
    ///
    /// # Panics
    /// If the worker is another engine's, which no expansion does.
    pub(crate) fn place<P: Any + Send + Sync>(&self) -> Arc<P> {
        let place = Arc::clone(&self.handles.place).downcast();
        place.unwrap_or_else(|_| panic!("this worker was made by the engine of another mode"))
    }

    /// The error of a call that is made in a forked child, where nobody would run it.
    pub(crate) fn refusal(&self, function: &'static str) -> Option<Error> {
        let nobody_runs_it = || self.line().is_parents() || !sequential::is_on();
        Error::if_forked(function).filter(|_| nobody_runs_it())
    }

    /// Whether calls that are made now will run, as far as is known: a value is there or is being
    /// made, at first or anew.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.line().is_alive()
    }

    /// Has the value dropped, and made anew from the same arguments, after the call that runs and
    /// before those that wait. Does not wait for that. Of several copies each has it done as soon
    /// as its own call has ended, so that the others serve meanwhile.
    ///
    /// A constructor that runs is called off, and runs again: in `process` its process is killed,
    /// in `async` it stops at its next await, and in `threads`, where nobody can stop it, what it
    /// makes is dropped.
    ///
    /// It does not count towards the option `restarts`, and brings a worker back that has stopped
    /// or whose constructor has failed.
    pub fn restart(&self) {
        self.line().restart();
    }

    /// Has the value dropped after the call that runs. All calls that wait, and all later ones, end
    /// as [`Stopped`](crate::ErrorKind::Stopped), at once. Does not wait for the value. A
    /// constructor that runs is called off, as by [`restart`](Self::restart).
    pub fn stop(&self) {
        self.line().stop();
    }

    /// How often a value was made anew, of all copies together. One that [`restart`](Self::restart)
    /// asks for counts once it begins, before any call that is made after it.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.line().restarted()
    }
}

/// How many values this constructor makes. Calls that run inline need but one.
pub(crate) fn how_many(constructor: &Function) -> usize {
    if sequential::is_on() { 1 } else { constructor.options().copies }
}

/// Another handle of the same worker.
impl<T> Clone for Worker<T> {
    fn clone(&self) -> Self {
        Self { handles: Arc::clone(&self.handles), value: PhantomData }
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
