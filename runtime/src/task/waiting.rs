//! Waiting for a task: blocking, and as a future.

use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use super::Call;
use crate::cell::Waiter;
use crate::error::Error;
use crate::relay::Asked;
use crate::{forks, timer, tokio, wait};

/// Whether the task has ended, for whoever asks again and again until it has: nobody else may be
/// there to keep the time, and in a forked child nobody is there to end it.
pub(crate) fn has_ended_by_now<T>(call: &(dyn Call<T> + '_)) -> bool {
    let has_ended = || call.cell().is_finished();
    has_ended() || forks::is_child() || timer::needs_stand_in() && timer::stand_in() && has_ended()
}

/// Cancels a call as far as its mode can. In a forked child it is left alone: it is the parent's.
pub(crate) fn cancel<T>(call: &Arc<dyn Call<T> + '_>) {
    if !forks::is_child() {
        Arc::clone(call).cancel(Error::cancelled(call.name()));
    }
}

/// Blocks until the task has finished or the deadline passes.
pub(crate) fn wait_for<'a, T>(
    call: &Arc<dyn Call<T> + 'a>,
    deadline: Option<Instant>,
    asked: Asked,
) -> Option<Result<T, Error>> {
    if let Some(result) = call.take() {
        return Some(result);
    }
    if let Some(refusal) = Error::if_forked(call.name()) {
        return Some(Err(refusal));
    }
    assert!(
        !ask(call, asked),
        "`join` on task `{}` would wait forever: the task runs on the current-thread tokio \
         runtime of this very thread. Await the task instead, or use a multi-thread runtime.",
        call.name()
    );
    wait::spin(|| call.cell().is_finished());
    wait::until(deadline, |waker| poll_result(&**call, waker))
}

/// The answer of [`Call::needs_this_thread`] for a call and its parts.
pub(crate) fn ask<'a, T>(call: &Arc<dyn Call<T> + 'a>, mut asked: Asked) -> bool {
    if forks::is_child() {
        return false;
    }
    let mut needs = Arc::clone(call).needs_this_thread(&mut asked);
    while !needs && let Some(combined) = asked.pop() {
        needs = combined.ask_parts(&mut asked);
    }
    needs
}

/// The result, or `Pending` with the waker registered.
fn poll_result<T>(call: &(dyn Call<T> + '_), waker: &Waker) -> Poll<Result<T, Error>> {
    let mut result = call.take();
    if result.is_none() && call.cell().register(Waiter::Waker(waker.clone())).is_err() {
        result = call.take();
        assert!(result.is_some(), "a task was polled after it had given its result");
    }
    result.map_or(Poll::Pending, Poll::Ready)
}

/// Polls for the result as one step of the polling tokio task.
pub(crate) fn poll<T>(
    call: &(dyn Call<T> + '_),
    context: &mut Context<'_>,
) -> Poll<Result<T, Error>> {
    let step = ready!(tokio::poll_budget(context));
    let result = match Error::if_forked(call.name()) {
        None => timer::polled(poll_result(call, context.waker()), context),
        Some(refusal) => Poll::Ready(call.take().unwrap_or(Err(refusal))),
    };
    if result.is_ready() {
        step.made_progress();
    }
    result
}
