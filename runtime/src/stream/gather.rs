//! A stream as one task of all its items.
//!
//! Nobody has to wait for it: each wake-up of the stream is a step, taken by whoever caused it, or
//! by those who take steps for the threads that serve.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Poll, Wake, Waker};

use super::source::Source;
use crate::cell::Cell;
use crate::error::Error;
use crate::panic::drop_each;
use crate::relay::{self, Asked, Observer, Step};
use crate::sync::Lock;
use crate::task::{Call, Task};
use crate::tokio::{self, PausedClock};

pub(super) fn gather<T: Send + 'static>(source: Box<dyn Source<T>>) -> Task<Vec<T>> {
    let yields = Arc::clone(source.call());
    let gathered = Arc::new(Gathered {
        cell: Cell::running(),
        yields,
        parts: Lock::new(Some(Parts { source, items: Vec::new() })),
        wakes: AtomicU32::new(0),
        clock: tokio::paused_clock(),
    });
    relay::take(Step::Tell(gathered.clone(), 0));
    Task::new(gathered)
}

struct Gathered<T> {
    cell: Cell<Vec<T>>,
    /// The call that yields.
    yields: Arc<dyn Call<bool>>,
    /// Whoever takes the step has it.
    parts: Lock<Option<Parts<T>>>,
    /// How often there was something to do since a step was begun; not 0 while one is taken.
    wakes: AtomicU32,
    /// Where it was made. A step may be on a thread that has not ended the call.
    clock: Option<PausedClock>,
}

struct Parts<T> {
    source: Box<dyn Source<T>>,
    items: Vec<T>,
}

impl<T> Drop for Parts<T> {
    fn drop(&mut self) {
        drop_each(std::mem::take(&mut self.items));
    }
}

/// Drops what nobody wants, item by item.
fn discard<T>(result: Result<Vec<T>, Error>) {
    if let Ok(items) = result {
        drop_each(items);
    }
}

impl<T: Send + 'static> Gathered<T> {
    /// Reads what is there. True if that was the last.
    fn read(self: &Arc<Self>, waker: &Waker) -> bool {
        let mut slot = self.parts.lock();
        let Some(mut parts) = slot.take() else { return true };
        drop(slot);
        let result = loop {
            if self.cell.is_finished() {
                break Err(None);
            }
            match parts.source.poll_next(Some(waker)) {
                Poll::Ready(Some(Ok(item))) => parts.items.push(item),
                Poll::Ready(Some(Err(error))) => break Err(Some(error)),
                Poll::Ready(None) => break Ok(std::mem::take(&mut parts.items)),
                Poll::Pending => {
                    *self.parts.lock() = Some(parts);
                    return false;
                }
            }
        };
        drop(parts);
        match result {
            Ok(items) => _ = self.cell.finish_or(Ok(items), discard),
            Err(Some(error)) => _ = self.cell.finish(Err(error)),
            Err(None) => {}
        }
        true
    }
}

impl<T: Send + 'static> Observer for Gathered<T> {
    fn finished(self: Arc<Self>, _: usize) {
        if self.wakes.fetch_add(1, Ordering::AcqRel) != 0 {
            // Whoever takes a step sees that there is more to do.
            return;
        }
        let waker = Waker::from(Arc::clone(&self));
        let mut seen = 1;
        let clock = self.clock.as_ref().map(PausedClock::hold);
        let read = || match &clock {
            None => self.read(&waker),
            Some(clock) => clock.within(|| self.read(&waker)),
        };
        while !read() {
            match self.wakes.compare_exchange(seen, 0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(more) => seen = more,
            }
        }
    }
}

impl<T: Send + 'static> Wake for Gathered<T> {
    fn wake(self: Arc<Self>) {
        relay::take(Step::Tell(self, 0));
    }
}

impl<T: Send + 'static> Call<Vec<T>> for Gathered<T> {
    fn cell(&self) -> &Cell<Vec<T>> {
        &self.cell
    }

    fn abandon(&self) -> bool {
        self.cell.abandon_to(discard)
    }

    fn name(&self) -> &'static str {
        self.yields.name()
    }

    fn cancel(self: Arc<Self>, why: Error) {
        if self.cell.finish(Err(why)) {
            // The step that finds it finished drops the stream.
            relay::take(Step::Tell(self, 0));
        }
    }

    fn needs_this_thread(self: Arc<Self>, asked: &mut Asked) -> bool {
        // Whoever joins this never runs the body itself.
        let mut plain = if asked.blocks { Asked::by_thread() } else { Asked::by_executor() };
        Arc::clone(&self.yields).needs_this_thread(&mut plain)
    }
}
