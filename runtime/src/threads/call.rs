//! A task of the pool: claimed by a worker or by the thread that joins it, whoever comes first.

use std::sync::Arc;

use super::{pool, seat, worker};
use crate::cell::{Body, Cell, Claim, JobCell};
use crate::error::{Error, ErrorKind};
use crate::function::Function;
use crate::limit::{Admit, Limited};
use crate::options::Priority;
use crate::relay::Asked;
use crate::task::{Call, deadline};
use crate::worker::line::Ticket;
use crate::{carry, config, panic, sequential, stack, tokio};

pub(super) struct ThreadCall<A, T, B = fn(A) -> T> {
    pub(super) job: JobCell<A, T>,
    pub(super) body: B,
}

/// Whether a joiner may run bodies on this thread: inside of a tokio runtime they could not start
/// their own, and near the end of its stack they might overflow it. Where there is no thread that
/// has more, they run nevertheless.
fn may_run_bodies() -> bool {
    let has_room = || stack::has_room(config::thread().stack) || pool::pool().serves().is_err();
    tokio::may_run_bodies() && has_room()
}

impl<A: Send + 'static, T: Send + 'static, B: Body<A, Output = T>> ThreadCall<A, T, B> {
    /// Runs the body on this thread, if nobody else does.
    fn claim_and_run(self: Arc<Self>) -> bool {
        let Some(Claim { job: arguments, place: _place, carried }) = self.job.claim() else {
            return false;
        };
        let (function, cell) = (self.job.function(), self.job.cell());
        // A panic from here on, in the body, a subscriber or in setting an alarm, ends the call.
        let result = panic::catch(function.name(), || {
            cell.run(|| {
                let _alarm = function.options().timeout.map(|allowed| deadline(&self, allowed));
                carry::within(carried.as_ref(), || self.body.run(arguments, self.job.copy()))
            })
        });
        cell.finish(result);
        true
    }

    /// The same for a joiner.
    fn run_here(self: Arc<Self>) -> bool {
        if !may_run_bodies() {
            return false;
        }
        let call = Arc::as_ptr(&self);
        let function = self.job.function();
        let ran = worker::attributed(function, || self.claim_and_run());
        let is_at_a_seat = ran && function.options().priority == Priority::Usual;
        if is_at_a_seat && seat::mine_if_any().is_some_and(|seat| seat.take_back(call)) {
            pool::pool().published();
        }
        ran
    }
}

impl<A, T, B> ThreadCall<A, T, B> {
    fn unserved(&self, why: &str) -> Error {
        Error::new(self.job.function().name(), ErrorKind::Worker { message: why.to_owned() })
    }
}

impl<A, T, B> seat::Runnable for ThreadCall<A, T, B>
where
    A: Send + 'static,
    T: Send + 'static,
    B: Body<A, Output = T>,
{
    fn is_queued(&self) -> bool {
        self.cell().is_queued()
    }

    fn function(&self) -> &'static Function {
        self.job.function()
    }

    fn run(self: Arc<Self>) {
        self.claim_and_run();
    }

    fn refuse(&self, why: &str) -> bool {
        if self.is_wanted() {
            let _ = self.job.revoke(self.unserved(why));
            return true;
        }
        let why = ErrorKind::Worker { message: why.to_owned() };
        if let Some(ticket) = self.job.ticket() {
            ticket.line().refuse_wanted(&why);
        }
        if let Some(limiter) = self.job.function().limiter() {
            limiter.refuse_wanted(&why);
        }
        false
    }
}

impl<A, T, B> Admit for ThreadCall<A, T, B>
where
    A: Send + 'static,
    T: Send + 'static,
    B: Body<A, Output = T>,
{
    fn limited(&self) -> Option<Limited> {
        self.job.limited()
    }

    fn assign(&self, copy: usize, order: u64) {
        self.job.assign(copy, order);
    }

    fn is_pending(&self) -> bool {
        self.cell().is_pending()
    }

    fn is_wanted(&self) -> bool {
        !self.cell().is_abandoned() && !self.job.ticket().is_some_and(Ticket::makes)
    }

    fn refuse(self: Arc<Self>, why: ErrorKind) -> bool {
        self.job.refuse(why)
    }

    fn admit(self: Arc<Self>) -> bool {
        let admitted = self.job.admit();
        if admitted && sequential::is_on() {
            // Of a worker with state: other calls have ended by now.
            self.claim_and_run();
        } else if admitted {
            pool::push(self);
        }
        admitted
    }

    fn assist(self: Arc<Self>) -> bool {
        self.job.ticket().is_none_or(Ticket::may_be_helped) && self.run_here()
    }
}

impl<A, T, B> Call<T> for ThreadCall<A, T, B>
where
    A: Send + 'static,
    T: Send + 'static,
    B: Body<A, Output = T>,
{
    fn cell(&self) -> &Cell<T> {
        self.job.cell()
    }

    fn name(&self) -> &'static str {
        self.job.function().name()
    }

    fn has_deadline(&self) -> bool {
        self.job.function().options().timeout.is_some()
    }

    fn help(self: Arc<Self>) {
        if let Some(ticket) = self.job.ticket() {
            let line = ticket.line();
            // Those before it have to end first, and may run here as well. Before several copies
            // any may be the first to end, unless nobody else runs one.
            let helps = || line.is_single() || pool::pool().serves().is_err();
            let may_help = || may_run_bodies() && helps();
            while self.cell().is_pending() && may_help() && line.assist() {}
        }
        self.run_here();
    }

    fn hasten(self: Arc<Self>) {
        if self.cell().is_queued() {
            pool::pool().dispatch(self);
        }
    }

    fn needs_this_thread(self: Arc<Self>, asked: &mut Asked) -> bool {
        let will_be_helped = || {
            let may_be = !self.has_deadline() && may_run_bodies();
            let is_there = self.cell().is_queued() || self.job.ticket().is_some();
            asked.helps && may_be && is_there
        };
        if let Err(why) = pool::pool().serves()
            && !will_be_helped()
            && let Err(error) = self.job.revoke(self.unserved(&why))
            && !pool::pool().is_here()
        {
            // If it runs anywhere, then in the process that this one was forked from.
            self.cell().finish(Err(error));
        }
        false
    }

    fn cancel(self: Arc<Self>, why: Error) {
        let Err(why) = self.job.revoke(why) else { return seat::bury() };
        if why.is_timeout() {
            // First: a body that sees the request may return at once, after its deadline.
            self.cell().finish(Err(why));
        }
        self.cell().request_cancel();
    }
}
