//! Reports the life of each task to the statistics, the timeline and `tracing`.

#[cfg(feature = "tracing")]
use std::sync::Arc;

use crate::carry::{self, Carried};
use crate::error::Error;
use crate::function::Function;
#[cfg(feature = "tracing")]
use crate::panic::{drop_quietly, quietly};
#[cfg(feature = "tracing")]
use crate::relay;
use crate::stats::Counted;
use crate::sync::Lock;
use crate::timeline::Drawn;
use crate::{stats, timeline};

/// What is observed of one task.
pub(crate) struct Observed {
    /// `None` if it is not a call of a function but a combinator.
    counted: Option<Counted>,
    /// What few programs ask for.
    rare: Option<Box<Rare>>,
    traced: Traced,
}

struct Rare {
    drawn: Drawn,
    /// Gone once the call is claimed.
    carried: Lock<Option<Carried>>,
}

impl Rare {
    #[inline]
    fn call(function: &'static str, mode: &'static str) -> Option<Box<Self>> {
        let is_asked_for = timeline::is_on() || carry::is_set();
        if is_asked_for { Some(Self::made(function, mode)) } else { None }
    }

    #[cold]
    fn made(function: &'static str, mode: &'static str) -> Box<Self> {
        // What is current here means nothing in another process.
        let carried = if mode == "process" { None } else { carry::capture() };
        Box::new(Self { drawn: Drawn::made(function, mode), carried: Lock::new(carried) })
    }
}

impl Observed {
    /// A call that is being made.
    #[inline]
    pub(crate) fn call(function: &'static Function, mode: &'static str) -> Self {
        let name = function.name();
        let counted = Some(Counted::made(function.account(), name, mode));
        Self { counted, rare: Rare::call(name, mode), traced: Traced::call(name, mode) }
    }

    /// For a task that is not a call of a function.
    pub(crate) fn nothing() -> Self {
        Self { counted: None, rare: None, traced: Traced::nothing() }
    }

    /// The body starts, or the call is cancelled before.
    #[inline]
    pub(crate) fn started(&self) {
        if let Some(counted) = &self.counted {
            counted.started();
        }
        if let Some(rare) = &self.rare {
            rare.drawn.started();
        }
        self.traced.started();
    }

    /// What the call carries, for whoever runs it or gives it up.
    #[inline]
    pub(crate) fn take_carried(&self) -> Option<Carried> {
        self.rare.as_ref().and_then(|rare| rare.carried.lock().take())
    }

    /// The body runs in the worker process of this id.
    #[cfg(feature = "process")]
    #[inline]
    pub(crate) fn goes_to(&self, worker: u32) {
        if let Some(rare) = &self.rare {
            rare.drawn.goes_to(worker);
        }
    }

    #[inline]
    pub(crate) fn ended<T>(&self, result: &Result<T, Error>) {
        if let Some(counted) = &self.counted {
            counted.ended(result);
        }
        if let Some(rare) = &self.rare {
            rare.drawn.ended(result);
        }
        self.traced.ended(result);
    }

    /// Runs a piece of the body.
    #[inline]
    pub(crate) fn inside<R>(&self, body: impl FnOnce() -> R) -> R {
        self.traced.inside(body)
    }
}

/// A call of this function is retried.
pub(crate) fn retried(function: &'static Function) {
    function.account().retried();
    timeline::retried(function.name());
}

/// A worker process of this id serves.
#[cfg(feature = "process")]
pub(crate) fn worker_started(worker: u32) {
    stats::worker_started();
    timeline::worker_started(worker);
}

/// It has ended, with this outcome.
#[cfg(feature = "process")]
pub(crate) fn worker_ended(worker: u32, how: &str) {
    stats::worker_ended();
    timeline::worker_ended(worker, how);
}

/// Runs a closure that holds a lock, in which the subscriber of `tracing` is told nothing: it may
/// block, or need that lock.
#[cfg(feature = "process")]
#[inline]
pub(crate) fn untold<R>(act: impl FnOnce() -> R) -> (R, Untold) {
    #[cfg(feature = "tracing")]
    {
        let (result, steps) = relay::gather(act);
        (result, Untold(steps))
    }
    #[cfg(not(feature = "tracing"))]
    (act(), Untold())
}

/// What it is to be told once the lock is free.
#[cfg(feature = "process")]
#[must_use]
pub(crate) struct Untold(#[cfg(feature = "tracing")] Vec<relay::Step>);

#[cfg(feature = "process")]
impl Untold {
    #[inline]
    pub(crate) fn tell(self) {
        #[cfg(feature = "tracing")]
        self.0.into_iter().for_each(relay::take);
    }
}

/// A task's span, from its call to its end.
///
/// Its parent is the span that is current at the call, so a body's events appear below its caller's
/// span, wherever the body runs. Fields: `function`, `mode`, `queued` (the time from the call to
/// the start of the body) and `outcome` (`value`, or the error's message).
///
/// The subscriber is foreign code: where a thread serves all calls, it is told elsewhere.
#[cfg(feature = "tracing")]
struct Traced {
    /// `None` if no subscriber wants it.
    span: Option<Arc<Span>>,
    called: std::time::Instant,
}

#[cfg(feature = "tracing")]
struct Span(tracing::Span);

#[cfg(feature = "tracing")]
impl Drop for Span {
    fn drop(&mut self) {
        drop_quietly(std::mem::replace(&mut self.0, tracing::Span::none()));
    }
}

#[cfg(feature = "tracing")]
impl Traced {
    fn call(function: &'static str, mode: &'static str) -> Self {
        use tracing::field::Empty;
        let new = || tracing::info_span!("task", function, mode, queued = Empty, outcome = Empty);
        let span = quietly(new).filter(|span| !span.is_none());
        Self { span: span.map(|span| Arc::new(Span(span))), called: std::time::Instant::now() }
    }

    fn nothing() -> Self {
        Self { span: None, called: std::time::Instant::now() }
    }

    fn started(&self) {
        let queued = self.called.elapsed();
        self.tell(|| move |span| _ = span.record("queued", tracing::field::debug(queued)));
    }

    fn ended<T>(&self, result: &Result<T, Error>) {
        self.tell(|| {
            let outcome = result.as_ref().err().map(Error::to_string);
            move |span| match outcome {
                None => _ = span.record("outcome", "value"),
                Some(error) => _ = span.record("outcome", tracing::field::display(error)),
            }
        });
    }

    /// Tells the subscriber, if it wants to know.
    fn tell<F>(&self, what: impl FnOnce() -> F)
    where
        F: FnOnce(&tracing::Span) + Send + 'static,
    {
        if let Some(span) = &self.span {
            let (span, record) = (Arc::clone(span), what());
            relay::run(move || _ = quietly(|| record(&span.0)));
        }
    }

    /// Runs a piece of the body inside of the span.
    fn inside<R>(&self, body: impl FnOnce() -> R) -> R {
        struct Inside<'a>(Option<tracing::span::Entered<'a>>);
        impl Drop for Inside<'_> {
            fn drop(&mut self) {
                drop_quietly(self.0.take());
            }
        }
        let span = self.span.as_ref();
        let _inside = Inside(span.and_then(|span| quietly(|| span.0.enter())));
        body()
    }
}

#[cfg(feature = "tracing")]
impl Drop for Traced {
    fn drop(&mut self) {
        relay::discard(self.span.take());
    }
}

/// Without the feature it is nothing, at no cost.
#[cfg(not(feature = "tracing"))]
struct Traced;

#[cfg(not(feature = "tracing"))]
impl Traced {
    fn call(_function: &'static str, _mode: &'static str) -> Self {
        Self
    }

    fn nothing() -> Self {
        Self
    }

    fn started(&self) {}

    fn ended<T>(&self, _result: &Result<T, Error>) {}

    fn inside<R>(&self, body: impl FnOnce() -> R) -> R {
        body()
    }
}
