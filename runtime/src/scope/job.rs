//! The jobs of scoped calls, without the lifetimes of what they borrow.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Token;
use crate::relay::Observer;
use crate::sync::Lock;

type Run<'a> = Box<dyn FnOnce() -> bool + Send + 'a>;
type BoxFuture<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;
type Make<'a, J> = Box<dyn Fn() -> J + Send + 'a>;

/// A body with its arguments, to be run by any thread. Returns whether its value counts as a
/// failure; the value itself has been delivered by then.
pub(crate) struct ScopedJob {
    // Dropped in this order: the token last.
    run: Run<'static>,
    token: Token,
}

impl ScopedJob {
    pub(super) fn new<'a>(run: impl FnOnce() -> bool + Send + 'a, token: Token) -> Self {
        let run: Run<'a> = Box::new(run);
        // SAFETY: only the lifetime changes. The closure is called or dropped only by `run` below
        // and by the drop of `ScopedJob`, both before the token goes; until then `scope` has not
        // returned, and `'a` outlives the scope by `launch`'s bounds.
        let run = unsafe { std::mem::transmute::<Run<'a>, Run<'static>>(run) };
        Self { run, token }
    }

    pub(crate) fn run(self) -> bool {
        // If the body panics, unwinding drops its arguments before the token.
        let Self { run, token: _token } = self;
        run()
    }
}

/// The same for an async body.
pub(crate) struct ScopedFuture {
    // Dropped in this order: the token last.
    future: BoxFuture<'static>,
    _token: Token,
}

impl ScopedFuture {
    pub(super) fn new<'a>(future: impl Future<Output = bool> + Send + 'a, token: Token) -> Self {
        let future: BoxFuture<'a> = Box::pin(future);
        // SAFETY: only the lifetime changes. The future is polled and dropped only through this
        // struct, before the token goes; until then `scope` has not returned, and `'a` outlives the
        // scope by `launch_future`'s bounds.
        let future = unsafe { std::mem::transmute::<BoxFuture<'a>, BoxFuture<'static>>(future) };
        Self { future, _token: token }
    }
}

impl Future for ScopedFuture {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        self.future.as_mut().poll(context)
    }
}

/// Makes a job for each attempt of a call with `retries`.
pub(super) struct Jobs<J>(Arc<Maker<J>>);

struct Maker<J> {
    // Dropped in this order: the token last. Locked, since arguments are `Send` but not `Sync`.
    make: Lock<Make<'static, J>>,
    _token: Token,
}

impl<J> Jobs<J> {
    pub(super) fn new<'a>(make: impl Fn() -> J + Send + 'a, token: Token) -> Self
    where
        J: 'static,
    {
        let make: Make<'a, J> = Box::new(make);
        // SAFETY: only the lifetime changes. The closure is called and dropped only through this
        // struct, before the token goes; until then `scope` has not returned, and `'a` outlives the
        // scope by the bounds of `launch_retrying`.
        let make = unsafe { std::mem::transmute::<Make<'a, J>, Make<'static, J>>(make) };
        Self(Arc::new(Maker { make: Lock::new(make), _token: token }))
    }

    pub(super) fn make(&self) -> J {
        let make = self.0.make.lock();
        make()
    }
}

impl<J> Clone for Jobs<J> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Erases the lifetime of an observer. The observer must hold a token and drop it last.
pub(super) fn erase_observer<'a>(observer: Arc<dyn Observer + 'a>) -> Arc<dyn Observer> {
    // SAFETY: only the lifetime changes. The only such observer (`Lands`) drops its token after
    // everything else it owns, so `scope` has not returned while it can still be told or dropped.
    unsafe { std::mem::transmute::<Arc<dyn Observer + 'a>, Arc<dyn Observer>>(observer) }
}
