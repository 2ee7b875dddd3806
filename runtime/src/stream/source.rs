//! Where a [`Stream`](super::Stream) gets its items: a flow that somebody fills, and the task
//! that does.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::flow::Flow;
use crate::error::Error;
use crate::forks;
use crate::panic::drop_each;
use crate::task::{Call, Task};
use crate::timer::Alarm;

/// What comes next: an item, a failure, or the end.
pub(crate) type Next<T> = Option<Result<T, Error>>;

/// Items of some type, whatever they are on the way.
pub(crate) trait Source<T>: Send {
    /// The next item, if it is here already.
    fn at_hand(&mut self) -> Option<Result<T, Error>>;

    /// What comes next, or the promise to wake, if there is a waker.
    fn poll_next(&mut self, waker: Option<&Waker>) -> Poll<Next<T>>;

    /// Whether it seems to be worth a look, for whoever looks again and again.
    fn has_news(&self) -> bool;

    /// Whether more may come while this thread spins for it.
    fn may_come(&self) -> bool;

    /// Works on its coming for a thread that is to wait, as long as that is of use.
    fn help(&self);

    /// Leaves that to others: whoever reads has left a waker.
    fn rest(&self) {}

    /// The call that yields the items.
    fn call(&self) -> &Arc<dyn Call<bool>>;

    /// Has the call end at its next yield, as cancelled.
    fn cancel(&self);

    /// Has it end after that time, as timed out.
    fn set_deadline(&self, after: Duration);
}

/// Items that are an `R` on the way. The task says whether all were yielded that there are: false
/// if the reader wanted no more.
pub(crate) struct Fed<R: Send + 'static, T> {
    flow: Arc<Flow<R>>,
    /// What was taken over, and what was made of that.
    held: VecDeque<R>,
    items: VecDeque<T>,
    /// When so many of them are left, the flow is told.
    tell_at: usize,
    /// What could not be made, after those.
    failure: Option<Error>,
    task: Task<bool>,
    unpack: Unpack<R, T>,
    /// A thread that waits helps its items to come; elsewhere it would run the body.
    is_helped: bool,
    /// It was helped, and has not been left to others since.
    helps: Cell<bool>,
    end: End,
    /// The process that it is filled in.
    generation: u32,
}

/// Makes items of what was on the way, for a function of this name, until that fails.
pub(crate) type Unpack<R, T> =
    fn(&'static str, &mut VecDeque<R>, &mut VecDeque<T>) -> Option<Error>;

enum End {
    /// It is still to come.
    Open,
    /// It has come, and what was yielded before may not have been read.
    Seen(Option<Error>),
    Told,
}

impl<R: Send + 'static, T> Fed<R, T> {
    pub(crate) fn new(
        flow: Arc<Flow<R>>,
        task: Task<bool>,
        unpack: Unpack<R, T>,
        is_helped: bool,
    ) -> Self {
        let (held, items) = (VecDeque::new(), VecDeque::new());
        let helps = Cell::new(false);
        Self {
            flow,
            held,
            items,
            tell_at: usize::MAX,
            failure: None,
            task,
            unpack,
            is_helped,
            helps,
            end: End::Open,
            generation: forks::generation(),
        }
    }

    /// Whether it is filled in the process that this one was forked from. What has not been taken
    /// over by then stays there.
    fn is_parents(&self) -> bool {
        self.generation != forks::generation()
    }

    fn name(&self) -> &'static str {
        self.task.call().name()
    }

    /// Nobody reads any more.
    fn shut(&mut self) {
        drop_each(mem::take(&mut self.items));
        drop_each(mem::take(&mut self.held));
        if self.is_parents() {
            return;
        }
        drop_each(self.flow.close());
        if !matches!(self.end, End::Seen(_)) {
            self.task.cancel();
        }
    }
}

impl<R: Send + 'static, T: Send> Source<T> for Fed<R, T> {
    fn at_hand(&mut self) -> Option<Result<T, Error>> {
        if self.items.is_empty() && !self.held.is_empty() && self.failure.is_none() {
            self.failure = (self.unpack)(self.name(), &mut self.held, &mut self.items);
            let share = self.flow.share();
            self.tell_at = if self.items.len() > share { share } else { usize::MAX };
        }
        if let Some(item) = self.items.pop_front() {
            // Of a long run: its writer need not wait until all of it has been given on.
            if self.items.len() == self.tell_at && !self.is_parents() {
                self.flow.has_left(self.tell_at);
                self.tell_at = usize::MAX;
            }
            return Some(Ok(item));
        }
        let failure = self.failure.take()?;
        // It is the last one.
        self.end = End::Told;
        self.shut();
        Some(Err(failure))
    }

    fn poll_next(&mut self, waker: Option<&Waker>) -> Poll<Next<T>> {
        loop {
            if let Some(item) = self.at_hand() {
                return Poll::Ready(Some(item));
            }
            if matches!(self.end, End::Told) {
                return Poll::Ready(None);
            }
            if waker.is_none() && !self.is_helped {
                self.flow.await_more();
            }
            if !self.is_parents() && self.flow.refill(&mut self.held, waker) {
                continue;
            }
            if let End::Seen(error) = &mut self.end {
                let last = error.take();
                self.end = End::Told;
                return Poll::Ready(last.map(Err));
            }
            if waker.is_none() && !self.task.is_finished() {
                return Poll::Pending;
            }
            let mut context = Context::from_waker(waker.unwrap_or(Waker::noop()));
            let error = match Pin::new(&mut self.task).poll(&mut context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(true)) => None,
                Poll::Ready(Ok(false)) => Some(Error::cancelled(self.name())),
                Poll::Ready(Err(error)) => Some(error),
            };
            // Once more: what it yielded before it ended comes first.
            if !self.is_parents() {
                self.flow.stop();
            }
            self.end = End::Seen(error);
        }
    }

    fn has_news(&self) -> bool {
        !matches!(self.end, End::Open) || self.task.has_ended() || self.flow.seems_to_have_items()
    }

    fn may_come(&self) -> bool {
        self.flow.may_be_written()
    }

    fn help(&self) {
        if self.is_helped {
            self.helps.set(true);
            Arc::clone(self.call()).help();
        }
    }

    fn rest(&self) {
        if self.helps.replace(false) {
            self.call().rest();
        }
    }

    fn call(&self) -> &Arc<dyn Call<bool>> {
        self.task.call()
    }

    fn cancel(&self) {
        if !self.is_parents() {
            self.flow.stop();
            self.task.cancel();
        }
    }

    fn set_deadline(&self, after: Duration) {
        let (flow, call) = (Arc::downgrade(&self.flow), Arc::downgrade(self.task.call()));
        let alarm = Alarm::after(after, move || {
            if let (Some(flow), Some(call)) = (flow.upgrade(), call.upgrade()) {
                let why = Error::timed_out(call.name(), after);
                call.cancel(why);
                flow.stop();
            }
        });
        if !self.task.has_ended() && !self.is_parents() {
            self.task.call().cell().keep(alarm);
        }
    }
}

impl<R: Send + 'static, T> Drop for Fed<R, T> {
    fn drop(&mut self) {
        self.shut();
    }
}

/// What is left of a source that is read elsewhere.
#[cfg(feature = "process")]
pub(crate) struct Taken(pub(crate) Arc<dyn Call<bool>>);

#[cfg(feature = "process")]
impl<T> Source<T> for Taken {
    fn at_hand(&mut self) -> Option<Result<T, Error>> {
        None
    }

    fn poll_next(&mut self, _: Option<&Waker>) -> Poll<Next<T>> {
        Poll::Ready(None)
    }

    fn has_news(&self) -> bool {
        true
    }

    fn may_come(&self) -> bool {
        false
    }

    fn help(&self) {}

    fn call(&self) -> &Arc<dyn Call<bool>> {
        &self.0
    }

    fn cancel(&self) {}

    fn set_deadline(&self, _: Duration) {}
}
