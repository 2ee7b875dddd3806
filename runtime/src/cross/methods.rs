//! [`Method`] and [`RepeatedMethod`]: the body of a method, which has captured `self`. Their `Send`
//! and `Clone` bounds are checked where the compiler can point at `self`.

use super::{Arguments, RepeatableArguments};

/// A method on its way to a task; made by [`method`], which checks that it is `Send`.
///
/// It is itself always `Send`, so that a `self` that is not causes one error and not a second one
/// for the call.
#[derive(Debug)]
pub struct Method<A, F, T> {
    arguments: A,
    body: F,
    run: fn(A, F) -> T,
}

/// Passes the body of a method to a task: a closure that has captured `self`, and the other
/// arguments. A task runs it once, so it may move out of `self`.
///
/// ```
/// struct Job(String);
/// impl Job {
///     fn length(self, factor: usize) -> trine::Task<usize> {
///         static FUNCTION: trine::Function = trine::Function::new("length");
///         trine::threads::spawn(
///             &FUNCTION,
///             (trine::cross::method((factor,), move |(factor,)| self.0.len() * factor),),
///             |(method,): (_,)| method.run(),
///         )
///     }
/// }
/// assert_eq!(Job("four".into()).length(2).join()?, 8);
/// # Ok::<(), trine::Error>(())
/// ```
pub fn method<A, B, F, T>(arguments: A, body: F) -> Method<A, F, T>
where
    A: Arguments<B>,
    F: FnOnce(B) -> T + Send,
{
    Method { arguments, body, run: |arguments, body| body(arguments.values()) }
}

impl<A, F, T> Method<A, F, T> {
    /// Runs the body.
    pub fn run(self) -> T {
        (self.run)(self.arguments, self.body)
    }
}

// SAFETY: the fields are private to this file, which fills them only with what is `Send`, as both
// bounds of `method` say.
unsafe impl<A, F, T> Send for Method<A, F, T> {}

/// A [`Method`] that can be copied; made by [`repeatable_method`].
#[derive(Debug)]
pub struct RepeatedMethod<A, F, T> {
    method: Method<A, F, T>,
    copy: fn(&A, &F) -> (A, F),
}

/// The same for a method with `retries`, where each try gets a copy of `self`.
pub fn repeatable_method<A, B, F, T>(arguments: A, body: F) -> RepeatedMethod<A, F, T>
where
    A: RepeatableArguments<B>,
    F: FnOnce(B) -> T + Send + Clone,
{
    let copy = |arguments: &A, body: &F| (arguments.clone(), body.clone());
    RepeatedMethod { method: method(arguments, body), copy }
}

impl<A, F, T> RepeatedMethod<A, F, T> {
    /// Runs the body.
    pub fn run(self) -> T {
        self.method.run()
    }
}

impl<A, F, T> Clone for RepeatedMethod<A, F, T> {
    fn clone(&self) -> Self {
        let (arguments, body) = (self.copy)(&self.method.arguments, &self.method.body);
        Self { method: Method { arguments, body, run: self.method.run }, copy: self.copy }
    }
}
