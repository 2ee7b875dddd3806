//! How the body of a call is run, by a host that has claimed it.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::AsyncCall;
use crate::asynchronous::deadline::Deadline;
use crate::asynchronous::running::{Held, Running, Runs};
use crate::carry::{self, Carried};
use crate::cell::Body;
use crate::error::Error;
use crate::panic;
use crate::task::time_out;

impl<A, T, B> Runs for AsyncCall<A, T, B>
where
    A: Send + 'static,
    T: Send + 'static,
    B: Body<A, Output: Future<Output = T> + Send>,
{
    fn claim(self: Arc<Self>) -> Option<Running> {
        let claim = self.body.job.claim()?;
        let deadline = |allowed| Box::new(Deadline::after(allowed, time_out(&self, allowed)));
        let alarm = self.body.job.function().options().timeout.map(deadline);
        let held = Held { _alarm: alarm, carried: claim.carried, _place: claim.place };
        // SAFETY: this has claimed it, and nobody else is inside before there is a `Running`.
        unsafe {
            self.room.fill(claim.job);
            Some(Running::new(self, held))
        }
    }

    fn give_up(&self) {
        self.body.let_go(false);
    }

    fn keep(&self, waker: &Waker) -> bool {
        self.body.keep(waker.clone())
    }

    fn is_stopped(&self) -> bool {
        self.body.is_stopped()
    }

    unsafe fn poll(&self, held: &Held, context: &mut Context<'_>) -> Poll<()> {
        let polled = run(self, held.carried.as_ref(), || {
            let make = |(arguments, body): (A, B)| body.run(arguments, self.body.job.copy());
            // SAFETY: the caller is the one that has claimed it, and it does not move.
            unsafe { self.room.poll(context, make) }
        });
        let result = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(error) => Err(error),
        };
        // SAFETY: the same.
        unsafe { self.room.clear() };
        self.body.job.cell().finish(result);
        Poll::Ready(())
    }

    unsafe fn let_go(&self) {
        // SAFETY: the caller is the one that has claimed it.
        unsafe { self.room.clear_quietly() };
        self.body.let_go(true);
    }
}

/// Runs a piece of the body. What panics beside it, such as a subscriber, ends the call too.
fn run<A, T, B: Body<A>, R>(
    call: &AsyncCall<A, T, B>,
    carried: Option<&Carried>,
    piece: impl FnOnce() -> R,
) -> Result<R, Error> {
    let cell = call.body.job.cell();
    panic::catch(call.body.job.function().name(), || cell.run(|| carry::within(carried, piece)))
}
