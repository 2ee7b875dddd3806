//! [`Method`] and [`RepeatedMethod`]: the body of a method, which has captured `self`. Their `Send`
//! and `Clone` bounds are checked where the compiler can point at `self`, or at an argument.

use super::{Arguments, RepeatableArguments};

/// The arguments of a method on their way to a task; made by [`method`].
#[derive(Debug)]
pub struct MethodArguments<A, B> {
    sent: A,
    values: fn(A) -> B,
}

/// Passes the arguments of a method to a task, all but `self`, if they are `Send`. The body, which
/// has captured `self`, is added to them.
///
/// ```
/// struct Job(String);
/// impl Job {
///     fn length(self, factor: usize) -> trine::Task<usize> {
///         static FUNCTION: trine::Function = trine::Function::new("length");
///         let method = trine::cross::method((factor,));
///         let method = method.body::<usize, _>(move |(factor,)| self.0.len() * factor);
///         trine::threads::spawn(&FUNCTION, (method,), |(method,): (_,)| method.run())
///     }
/// }
/// assert_eq!(Job("four".into()).length(2).join()?, 8);
/// # Ok::<(), trine::Error>(())
/// ```
pub fn method<A: Arguments<B>, B>(arguments: A) -> MethodArguments<A, B> {
    MethodArguments { sent: arguments, values: A::values }
}

impl<A, B> MethodArguments<A, B> {
    /// Adds the body, if what it has captured is `Send`. A task runs it once, so it may move out
    /// of `self`.
    pub fn body<T, F>(self, body: F) -> Method<A, B, F>
    where
        F: FnOnce(B) -> T + Send,
    {
        Method { arguments: self, body }
    }
}

/// A method on its way to a task; made by [`MethodArguments::body`], which checks that it is
/// `Send`.
///
/// It is itself always `Send`, so that a `self` that is not causes one error and not a second one
/// for the call.
#[derive(Debug)]
pub struct Method<A, B, F> {
    arguments: MethodArguments<A, B>,
    body: F,
}

impl<A, B, F> Method<A, B, F> {
    /// Runs the body.
    pub fn run<T>(self) -> T
    where
        F: FnOnce(B) -> T,
    {
        (self.body)((self.arguments.values)(self.arguments.sent))
    }
}

// SAFETY: the fields are private to this file, which fills them only with what is `Send`, as the
// bounds of `method` and of `body` say.
unsafe impl<A, B, F> Send for Method<A, B, F> {}

/// The arguments of a method with `retries`; made by [`repeatable_method`].
#[derive(Debug)]
pub struct RepeatedArguments<A, B> {
    arguments: MethodArguments<A, B>,
    copy: fn(&A) -> A,
}

/// The same for a method with `retries`, where each try gets a copy of the arguments and of `self`.
pub fn repeatable_method<A, B>(arguments: A) -> RepeatedArguments<A, B>
where
    A: RepeatableArguments<B>,
{
    RepeatedArguments { arguments: method(arguments), copy: A::clone }
}

impl<A, B> RepeatedArguments<A, B> {
    /// Adds the body, if what it has captured is `Send` and `Clone`.
    pub fn body<T, F>(self, body: F) -> RepeatedMethod<A, B, F>
    where
        F: FnOnce(B) -> T + Send + Clone,
    {
        RepeatedMethod {
            method: self.arguments.body(body),
            copy_arguments: self.copy,
            copy_body: F::clone,
        }
    }
}

/// A [`Method`] that can be copied; made by [`RepeatedArguments::body`].
#[derive(Debug)]
pub struct RepeatedMethod<A, B, F> {
    method: Method<A, B, F>,
    copy_arguments: fn(&A) -> A,
    copy_body: fn(&F) -> F,
}

impl<A, B, F> RepeatedMethod<A, B, F> {
    /// Runs the body.
    pub fn run<T>(self) -> T
    where
        F: FnOnce(B) -> T,
    {
        self.method.run()
    }
}

impl<A, B, F> Clone for RepeatedMethod<A, B, F> {
    fn clone(&self) -> Self {
        let Method { arguments, body } = &self.method;
        let sent = (self.copy_arguments)(&arguments.sent);
        let arguments = MethodArguments { sent, values: arguments.values };
        Self { method: Method { arguments, body: (self.copy_body)(body) }, ..*self }
    }
}
