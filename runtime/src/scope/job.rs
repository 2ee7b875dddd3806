//! The jobs of scoped calls, without the lifetimes of what they borrow.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Token;
use crate::error::Error;
use crate::relay::Observer;
use crate::sync::Lock;

type Run<'a> = Box<dyn FnOnce() -> bool + Send + 'a>;
type BoxFuture<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;
type Make<'a, J> = Box<dyn Fn() -> J + Send + 'a>;
type Wants<'a> = Box<dyn Fn(&Error) -> bool + Send + Sync + 'a>;

/// A body with its arguments, which a thread of any lifetime can run. Returns whether its value
/// asks for another try; the value itself has gone where it belongs.
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
    /// Whether a call that ended with this error is to be tried again.
    wants: Wants<'static>,
    _token: Token,
}

impl<J: 'static> Jobs<J> {
    pub(super) fn new<'a>(
        make: impl Fn() -> J + Send + 'a,
        wants: impl Fn(&Error) -> bool + Send + Sync + 'a,
        token: Token,
    ) -> Self {
        let make: Make<'a, J> = Box::new(make);
        let wants: Wants<'a> = Box::new(wants);
        // SAFETY: only the lifetime changes. The closure is called and dropped only through this
        // struct, before the token goes; until then `scope` has not returned, and `'a` outlives the
        // scope by the bounds of `launch_retrying`.
        let make = unsafe { std::mem::transmute::<Make<'a, J>, Make<'static, J>>(make) };
        // SAFETY: as above.
        let wants = unsafe { std::mem::transmute::<Wants<'a>, Wants<'static>>(wants) };
        Self(Arc::new(Maker { make: Lock::new(make), wants, _token: token }))
    }

    /// Whether an attempt is to be followed by another. Holds no token of its own: without the jobs
    /// there is no other.
    pub(super) fn wants(
        &self,
    ) -> impl Fn(Result<&bool, &Error>) -> bool + Send + Sync + use<J> + 'static {
        let jobs = Arc::downgrade(&self.0);
        move |outcome| match outcome {
            Ok(again) => *again,
            Err(error) => jobs.upgrade().is_some_and(|jobs| (jobs.wants)(error)),
        }
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

/// How many attempts follow the next one.
pub(super) struct Left(Cell<u32>);

impl Left {
    pub(super) fn new(retries: u32) -> Self {
        Self(Cell::new(retries))
    }

    /// Takes one, and says whether others follow it.
    pub(super) fn next(&self) -> bool {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        left > 0
    }
}

/// An observer for the slot of a task without a lifetime. The observer must hold a token and drop
/// it last.
pub(super) fn erase_observer<'a>(observer: Arc<dyn Observer + 'a>) -> Arc<dyn Observer> {
    // SAFETY: only the lifetime changes. The only such observer (`Lands`) drops its token after
    // everything else it owns, so `scope` has not returned while it can still be told or dropped.
    unsafe { std::mem::transmute::<Arc<dyn Observer + 'a>, Arc<dyn Observer>>(observer) }
}
