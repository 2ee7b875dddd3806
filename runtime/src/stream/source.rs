//! Where a [`Stream`](super::Stream) gets its items: a flow that somebody fills, and the task
//! that does.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::flow::Flow;
use crate::error::Error;
use crate::panic::drop_quietly;
use crate::task::{Call, Task};
use crate::timer::Alarm;

/// What comes next: an item, a failure, or the end.
pub(crate) type Next<T> = Option<Result<T, Error>>;

/// Items of some type, whatever they are on the way.
pub(crate) trait Source<T>: Send {
    /// The next item, if it is here already.
    fn at_hand(&mut self) -> Option<Result<T, Error>>;

    /// What comes next, or the promise to wake.
    fn poll_next(&mut self, waker: &Waker) -> Poll<Next<T>>;

    /// Whether it is worth a look.
    fn has_news(&self) -> bool;

    /// Works on its coming for a thread that is to wait, as long as that is of use.
    fn help(&self);

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
    held: VecDeque<R>,
    task: Task<bool>,
    unpack: Unpack<R, T>,
    /// A thread that waits helps its items to come; elsewhere it would run the body.
    is_helped: bool,
    end: End,
}

/// Makes the item of what was on the way, for a function of this name.
type Unpack<R, T> = fn(&'static str, R) -> Result<T, Error>;

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
        Self { flow, held: VecDeque::new(), task, unpack, is_helped, end: End::Open }
    }

    fn name(&self) -> &'static str {
        self.task.call().name()
    }

    fn unpack(&mut self, raw: R) -> Result<T, Error> {
        let item = (self.unpack)(self.name(), raw);
        if item.is_err() {
            // It is the last one.
            self.end = End::Told;
            self.shut();
        }
        item
    }

    /// Nobody reads any more.
    fn shut(&mut self) {
        let left = self.flow.close();
        drop_quietly((std::mem::take(&mut self.held), left));
        if !matches!(self.end, End::Seen(_)) {
            self.task.cancel();
        }
    }
}

impl<R: Send + 'static, T> Source<T> for Fed<R, T> {
    fn at_hand(&mut self) -> Option<Result<T, Error>> {
        let raw = self.held.pop_front()?;
        Some(self.unpack(raw))
    }

    fn poll_next(&mut self, waker: &Waker) -> Poll<Next<T>> {
        loop {
            if let Some(item) = self.at_hand() {
                return Poll::Ready(Some(item));
            }
            if matches!(self.end, End::Told) {
                return Poll::Ready(None);
            }
            if self.flow.refill(&mut self.held, Some(waker)) {
                continue;
            }
            if let End::Seen(error) = &mut self.end {
                let last = error.take();
                self.end = End::Told;
                return Poll::Ready(last.map(Err));
            }
            let mut context = Context::from_waker(waker);
            let error = match Pin::new(&mut self.task).poll(&mut context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(true)) => None,
                Poll::Ready(Ok(false)) => Some(Error::cancelled(self.name())),
                Poll::Ready(Err(error)) => Some(error),
            };
            // Once more: what it yielded before it ended comes first.
            self.flow.stop();
            self.end = End::Seen(error);
        }
    }

    fn has_news(&self) -> bool {
        !matches!(self.end, End::Open) || self.task.has_ended() || self.flow.has_items()
    }

    fn help(&self) {
        if self.is_helped {
            Arc::clone(self.call()).help();
        }
    }

    fn call(&self) -> &Arc<dyn Call<bool>> {
        self.task.call()
    }

    fn cancel(&self) {
        self.flow.stop();
        self.task.cancel();
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
        if !self.task.has_ended() {
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

    fn poll_next(&mut self, _: &Waker) -> Poll<Next<T>> {
        Poll::Ready(None)
    }

    fn has_news(&self) -> bool {
        true
    }

    fn help(&self) {}

    fn call(&self) -> &Arc<dyn Call<bool>> {
        &self.0
    }

    fn cancel(&self) {}

    fn set_deadline(&self, _: Duration) {}
}
