//! [`Checked`] and [`Repeated`]: arguments whose `Send` and `Clone` bounds are checked where the
//! compiler can point at them.

use super::{Movable, Repeatable, RepeatedlyMovable};

/// An argument on its way to a task; made by [`argument`], which checks that it is `Send`.
///
/// It is itself always `Send`, so that an argument that is not causes one error, at the argument,
/// and not a second one for the tuple.
#[derive(Debug)]
pub struct Checked<T>(T);

/// Passes an argument to a task, if its type is `Send`.
///
/// The attribute passes an argument through this unless its type's name shows that it is `Send`.
/// With the bound here, the compiler underlines the argument and reports which part of its type is
/// not `Send`.
///
/// ```
/// static FUNCTION: trine::Function = trine::Function::new("length");
/// struct Job(String);
/// let task = trine::threads::spawn(
///     &FUNCTION,
///     (trine::cross::argument(Job("four".into())), 2),
///     |(job, factor): (Job, usize)| job.0.len() * factor,
/// );
/// assert_eq!(task.join()?, 8);
/// # Ok::<(), trine::Error>(())
/// ```
///
/// The bound is `T: Send`. It is written of a tuple, as the arguments travel, since the compiler
/// would propose to dereference a `T` by itself: `fn f(*value: Rc<u8>)`.
pub fn argument<T>(value: T) -> Checked<T>
where
    (T,): Send,
{
    Checked(value)
}

// SAFETY: the field is private to this file, which fills it only with a `T` that is `Send`, as
// the tuple of it alone is.
unsafe impl<T> Send for Checked<T> {}

impl<T> Movable<T> for Checked<T> {
    fn value(self) -> T {
        self.0
    }
}

/// A [`Checked`] argument that can be copied; made by [`repeatable`].
#[derive(Debug)]
pub struct Repeated<T> {
    value: Checked<T>,
    copy: fn(&T) -> T,
}

/// The same for an argument of a function with `retries`, where each try gets a copy.
pub fn repeatable<T: Repeatable>(value: T) -> Repeated<T>
where
    (T,): Send,
{
    Repeated { value: Checked(value), copy: T::clone }
}

impl<T> Clone for Repeated<T> {
    fn clone(&self) -> Self {
        Self { value: Checked((self.copy)(&self.value.0)), copy: self.copy }
    }
}

impl<T> Movable<T> for Repeated<T> {
    fn value(self) -> T {
        self.value.0
    }
}

impl<T> RepeatedlyMovable<T> for Repeated<T> {}
