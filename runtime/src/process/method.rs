//! Methods, whose body stays in the method: [`method`] tells a call that a worker is to run from
//! one that is to be sent to a worker.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use crate::cross::process::{Arguments, Output};
use crate::error::Error;
use crate::function::Function;
use crate::process::code::method::{self, Lent};
use crate::process::code::{Code, StreamCode};
use crate::process::launch;
use crate::retry::Retry;
use crate::scope::{self, Scope, ScopedTask};
use crate::sequential;
use crate::stream::flow::Flow;
use crate::stream::{self, Stream};
use crate::task::Task;
use crate::worker::Outlet;

/// Begins a method; what one with `#[concurrent(process)]` expands to.
///
/// A worker cannot be sent a closure that has captured `self`. It gets the arguments, `self` among
/// them, and calls the method, as its caller has. That call, and no other, is
/// [begun](Method::begun) there, and runs the body.
///
/// ```
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Grid(Vec<u64>);
///
/// impl Grid {
///     fn sum(&self, weight: u64) -> trine::Task<u64> {
///         static FUNCTION: trine::Function = trine::Function::new("sum");
///         let method = trine::process::method(&FUNCTION);
///         if let Some(begun) = method.begun() {
///             return begun.run((weight,), |(weight,)| self.0.iter().sum::<u64>() * weight);
///         }
///         method.spawn((self, weight), |(this, weight): (Grid, u64)| this.sum(weight))
///     }
/// }
/// assert_eq!(Grid(vec![1, 2]).sum(3).join()?, 9);
/// # Ok::<(), trine::Error>(())
/// ```
#[must_use]
pub fn method(function: &'static Function) -> Method {
    Method { function }
}

/// A call of a method; made by [`method`].
#[derive(Debug)]
pub struct Method {
    function: &'static Function,
}

impl Method {
    /// The call, if it is the one for which a worker has called this method. Says so once.
    #[inline]
    #[must_use]
    pub fn begun(&self) -> Option<Begun> {
        let name = self.function.name();
        method::take(self.function).map(|lent| Begun { name, lent })
    }

    /// The arguments as they are sent: before them where the method is, seen from its body.
    fn with_place<A>(&self, body: usize, arguments: A) -> (i64, A) {
        (method::distance(self.function, body), arguments)
    }

    /// Starts the call in a worker process, where `body` calls the method; as
    /// [`spawn`](super::spawn).
    pub fn spawn<A, B, T>(self, arguments: A, body: fn(B) -> Task<T>) -> Task<T>
    where
        A: Arguments<B>,
        T: Output + 'static,
    {
        let arguments = self.with_place(body as usize, arguments);
        launch::spawn(self.function, arguments, Code::method::<A, B, _>(body))
    }

    /// The same for a method with `retries`.
    pub fn spawn_retrying<A, B, T>(
        self,
        arguments: A,
        body: fn(B) -> Task<T>,
        again: Retry<T>,
    ) -> Task<T>
    where
        A: Arguments<B>,
        T: Output + 'static,
    {
        let arguments = self.with_place(body as usize, arguments);
        launch::spawn_retrying(self.function, arguments, Code::method::<A, B, _>(body), again)
    }

    /// The same for a method with `scoped`. In the worker, `body` opens a scope of its own.
    pub fn spawn_scoped<'scope, A, B, T>(
        self,
        scope: &'scope Scope<'scope, '_>,
        arguments: A,
        body: fn(B) -> Result<T, Error>,
    ) -> ScopedTask<'scope, T>
    where
        A: Arguments<B>,
        T: Output + 'static,
    {
        let arguments = self.with_place(body as usize, arguments);
        let task = launch::spawn(self.function, arguments, Code::method::<A, B, _>(body));
        scope::adopt(scope, task)
    }

    /// The same for a method with both `scoped` and `retries`.
    pub fn spawn_scoped_retrying<'scope, A, B, T>(
        self,
        scope: &'scope Scope<'scope, '_>,
        arguments: A,
        body: fn(B) -> Result<T, Error>,
        again: Retry<T>,
    ) -> ScopedTask<'scope, T>
    where
        A: Arguments<B>,
        T: Output + 'static,
    {
        let arguments = self.with_place(body as usize, arguments);
        let code = Code::method::<A, B, _>(body);
        scope::adopt(scope, launch::spawn_retrying(self.function, arguments, code, again))
    }

    /// The same for a method that yields, an iterator or what is polled.
    pub fn stream<A, B, T>(self, arguments: A, body: fn(B) -> Stream<T>) -> Stream<T>
    where
        A: Arguments<B>,
        T: Output + 'static,
    {
        let arguments = self.with_place(body as usize, arguments);
        launch::stream(self.function, arguments, StreamCode::method::<A, B, T>(body))
    }
}

/// A call of a method that this worker has called; made by [`Method::begun`].
pub struct Begun {
    name: &'static str,
    lent: Option<Rc<Lent>>,
}

impl Begun {
    /// Runs the body here.
    pub fn run<T, A>(self, arguments: A, body: impl FnOnce(A) -> T) -> Task<T>
    where
        T: Output + 'static,
    {
        sequential::done(self.name, Ok(body(arguments)))
    }

    /// The same for a method with `scoped`.
    pub fn run_scoped<'scope, T, A>(
        self,
        scope: &'scope Scope<'scope, '_>,
        arguments: A,
        body: impl FnOnce(A) -> T,
    ) -> ScopedTask<'scope, T>
    where
        T: Output + 'static,
    {
        scope::adopt(scope, self.run(arguments, body))
    }

    /// The same for a method that yields: sends the items of the iterator, each when there is room
    /// for it, and then returns.
    pub fn yields<T, A, I>(self, arguments: A, body: impl FnOnce(A) -> I) -> Stream<T>
    where
        T: Output + 'static,
        I: Iterator<Item = T>,
    {
        self.fill(|outlet| outlet.all(body(arguments)))
    }

    /// The same for what is polled.
    pub fn yields_polled<T, A, S>(self, arguments: A, body: impl FnOnce(A) -> S) -> Stream<T>
    where
        T: Output + 'static,
        S: futures_core::Stream<Item = T>,
    {
        self.fill(|outlet| outlet.all_polled(|| body(arguments)))
    }

    fn fill<T: Output + 'static>(self, all: impl FnOnce(Outlet<'_, T>) -> bool) -> Stream<T> {
        if let Some(lent) = &self.lent {
            lent.fill(|put| all(Outlet::new(put)));
        }
        let task = sequential::done(self.name, Ok(true));
        Stream::new(Arc::new(Flow::new(1)), task, stream::as_they_are)
    }
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").field("function", &self.name).finish()
    }
}
