//! What `tracing` is told of a task: one span each. Without the feature it is nothing, at no cost.

use crate::error::Error;

/// A task's span, from its call to its end.
///
/// Its parent is the span that is current at the call, so what a body tells is found below its
/// caller's span, wherever the body runs. Fields: `function`, `mode`, `queued` (the time from the
/// call to the start of the body) and `outcome` (`value`, or the error's line).
#[cfg(feature = "tracing")]
pub(crate) struct Observed {
    span: tracing::Span,
    called: std::time::Instant,
}

#[cfg(feature = "tracing")]
impl Observed {
    /// A call that is being made.
    pub(crate) fn call(function: &'static str, mode: &'static str) -> Self {
        use tracing::field::Empty;
        let span = tracing::info_span!("task", function, mode, queued = Empty, outcome = Empty);
        Self { span, called: std::time::Instant::now() }
    }

    /// What is no call of a function: a combinator.
    pub(crate) fn nothing() -> Self {
        Self { span: tracing::Span::none(), called: std::time::Instant::now() }
    }

    pub(crate) fn started(&self) {
        self.span.record("queued", tracing::field::debug(self.called.elapsed()));
    }

    pub(crate) fn ended<T>(&self, result: &Result<T, Error>) {
        match result {
            Ok(_) => self.span.record("outcome", "value"),
            Err(error) => self.span.record("outcome", tracing::field::display(error)),
        };
    }

    /// Runs a piece of the body inside of the span.
    pub(crate) fn inside<R>(&self, body: impl FnOnce() -> R) -> R {
        self.span.in_scope(body)
    }
}

#[cfg(not(feature = "tracing"))]
pub(crate) struct Observed;

#[cfg(not(feature = "tracing"))]
impl Observed {
    pub(crate) fn call(_function: &'static str, _mode: &'static str) -> Self {
        Self
    }

    pub(crate) fn nothing() -> Self {
        Self
    }

    pub(crate) fn started(&self) {}

    pub(crate) fn ended<T>(&self, _result: &Result<T, Error>) {}

    pub(crate) fn inside<R>(&self, body: impl FnOnce() -> R) -> R {
        body()
    }
}
