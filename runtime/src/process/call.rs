//! A call of a process function: its cell, and the handle's side of it.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::cell::{Cell, Claim, JobCell};
use crate::error::{Error, ErrorKind};
use crate::function::Function;
use crate::limit::{Admit, Limited};
use crate::process::address::AtomicAddress;
use crate::process::channel::ParentEnd;
use crate::process::code::{Code, round_trip};
use crate::process::job::{AnyCall, Job, Reply, status};
use crate::process::platform::max_handles;
use crate::process::pool::Pool;
use crate::process::pool::residence::{Part, Residence, Residences};
use crate::process::value::message::Message;
use crate::relay;
use crate::stream::flow::MAX_FILES;
use crate::task::{Call, deadline};
use crate::timer::Alarm;
use crate::worker::line::{Line, Ticket};

mod outlet;
mod reply;

#[cfg(feature = "cluster")]
pub(crate) use self::outlet::measure;
pub(crate) use self::outlet::{Items, weight_of};
pub(crate) use self::reply::{ReplyCell, item, items};

pub(crate) struct ProcessCall<T> {
    job: ReplyCell<Job, T>,
    pool: &'static Pool,
    address: AtomicAddress,
    /// Where its items go, if it yields.
    items: Option<Box<Items>>,
    /// Where it runs, if it is a method of a worker with state.
    stay: Option<Stay<T>>,
}

/// The value that a method is about.
pub(crate) struct Stay<T> {
    pub(crate) residences: Residences,
    /// It takes `&mut self`.
    pub(crate) changes: bool,
    /// It may be sent before the call before it has ended.
    pub(crate) goes_ahead: bool,
    pub(crate) here: Here<T>,
    /// How it gets there, if the value is on another machine.
    #[cfg(feature = "cluster")]
    pub(crate) away: Option<Away>,
}

/// How a call gets to another machine, and its number among those.
#[cfg(feature = "cluster")]
#[derive(Clone, Copy)]
pub(crate) struct Away {
    pub(crate) number: u64,
    pub(crate) submit: fn(Arc<dyn AnyCall>),
    pub(crate) stop: fn(u64),
}

/// What runs a method where its value is kept in this process.
pub(crate) enum Here<T> {
    Code(Code<T>),
    /// It puts its items where they are read.
    Yields(Inline<T>),
    /// The value is elsewhere.
    Never,
}

type Inline<T> = Box<dyn Fn(&Message) -> Result<T, Error> + Send + Sync>;

impl<T: DeserializeOwned + Send + 'static> ProcessCall<T> {
    pub(crate) fn start(
        function: &'static Function,
        job: Job,
        pool: &'static Pool,
        items: Option<Items>,
    ) -> Arc<Self> {
        let call = Arc::new(Self {
            items: items.map(Box::new),
            stay: None,
            job: JobCell::new(function, "process", job),
            pool,
            address: AtomicAddress::nowhere(),
        });
        match function.limiter() {
            None => pool.submit(call.clone()),
            Some(limiter) => limiter.enter(function.options(), call.clone()),
        }
        call
    }

    /// A call of a worker with state, once it is its turn.
    pub(crate) fn enter(
        function: &'static Function,
        job: Job,
        pool: &'static Pool,
        line: &Arc<Line>,
        (stay, items): (Stay<T>, Option<Items>),
    ) -> Arc<Self> {
        let call = Arc::new(Self {
            items: items.map(Box::new),
            stay: Some(stay),
            job: JobCell::in_line(function, "process", job, Ticket::new(Arc::clone(line))),
            pool,
            address: AtomicAddress::nowhere(),
        });
        line.enter(call.clone());
        call
    }

    #[cfg(feature = "cluster")]
    fn away(&self) -> Option<Away> {
        self.stay.as_ref()?.away
    }

    /// Where the value is of the copy that it was assigned to.
    fn residence<'a>(&self, stay: &'a Stay<T>) -> &'a Residence {
        &stay.residences[self.job.copy()]
    }

    /// Runs a method where its value is kept in this process.
    fn run_inline(&self) {
        let Some(stay) = &self.stay else { return };
        let Some(Claim { job, place: _place, .. }) = self.job.claim() else { return };
        let result = match &stay.here {
            Here::Code(code) => round_trip(self.job.function().name(), &job.message, *code),
            Here::Yields(run) => run(&job.message),
            Here::Never => return,
        };
        if stay.changes && result.as_ref().is_err_and(Error::is_panic) {
            self.residence(stay).spoil();
        }
        self.cell().finish(result);
    }
}

impl<T: DeserializeOwned + Send + 'static> AnyCall for ProcessCall<T> {
    fn claim(&self) -> Option<Claim<Job>> {
        self.job.claim()
    }

    fn function(&self) -> &'static Function {
        self.job.function()
    }

    fn is_finished(&self) -> bool {
        self.job.cell().is_finished()
    }

    fn address(&self) -> &AtomicAddress {
        &self.address
    }

    fn goes_to(&self, worker: u32) {
        self.job.cell().goes_to(worker);
    }

    fn ahead(&self) -> u32 {
        self.items.as_ref().map_or(0, |items| items.ahead)
    }

    fn take_item(&self, channel: &Arc<ParentEnd>, number: u64, item: Reply) -> bool {
        let Some(items) = &self.items else { return false };
        items.outlet.get_or_init(|| (Arc::clone(channel), number));
        let files = item.handles.len();
        if files > 0 {
            // A worker that obeys waits before it sends so many.
            let most = MAX_FILES + max_handles();
            if items.flow.sum(|reply| reply.handles.len()) + files > most {
                return false;
            }
        }
        // Where nothing more is wanted it is dropped.
        items.flow.poll_push(&mut Some(item), None).is_ready()
    }

    #[cfg(feature = "cluster")]
    fn far_number(&self) -> Option<u64> {
        self.away().map(|away| away.number)
    }

    #[cfg(feature = "cluster")]
    fn take_far_item(&self, item: Reply) {
        // Where nothing more is wanted it is dropped.
        if let Some(items) = &self.items {
            let _ = items.flow.push_beyond(&mut Some(item));
        }
    }

    fn has_yielded(&self) -> bool {
        self.items.as_ref().is_some_and(|items| items.outlet.get().is_some())
    }

    fn has_news(&self) -> bool {
        self.is_finished() || self.items.as_ref().is_some_and(|items| items.flow.has_items())
    }

    fn start_clock(self: Arc<Self>) -> Option<Alarm> {
        self.job.function().options().timeout.map(|allowed| deadline(&self, allowed))
    }

    fn stay(&self) -> Option<(&Residence, Part)> {
        self.stay.as_ref().map(|stay| (self.residence(stay), Part::Uses))
    }

    fn changes(&self) -> bool {
        self.stay.as_ref().is_some_and(|stay| stay.changes)
    }

    fn ticket(&self) -> Option<&Ticket> {
        self.job.ticket()
    }

    fn limited(&self) -> Option<Limited> {
        self.job.limited()
    }

    fn assign(&self, copy: usize, order: u64) {
        self.job.assign(copy, order);
    }

    fn complete(&self, reply: Reply) {
        if reply.status == status::PANICKED
            && let Some(stay) = self.stay.as_ref().filter(|stay| stay.changes)
        {
            // Before anybody gets the turn.
            self.residence(stay).spoil();
        }
        self.job.end(reply);
    }

    fn fail(&self, error: Error) {
        self.job.cell().finish(Err(error));
    }

    fn leave(&self) {
        drop(self.job.place());
    }
}

impl<T: DeserializeOwned + Send + 'static> Admit for ProcessCall<T> {
    fn is_pending(&self) -> bool {
        self.cell().is_pending()
    }

    fn goes_ahead(&self) -> bool {
        self.stay.as_ref().is_some_and(|stay| stay.goes_ahead)
    }

    fn limited(&self) -> Option<Limited> {
        self.job.limited()
    }

    fn assign(&self, copy: usize, order: u64) {
        self.job.assign(copy, order);
    }

    fn refuse(self: Arc<Self>, why: ErrorKind) -> bool {
        self.job.refuse(why)
    }

    fn admit(self: Arc<Self>) -> bool {
        let admitted = self.job.admit();
        if self.stay.as_ref().is_some_and(|stay| self.residence(stay).is_here()) {
            // Not where whoever ended the one before it must run no code of users.
            relay::run(move || self.run_inline());
            return admitted;
        }
        #[cfg(feature = "cluster")]
        if let Some(away) = self.away() {
            if admitted {
                (away.submit)(self);
            }
            return admitted;
        }
        if admitted {
            self.pool.submit(self);
        }
        admitted
    }

    /// Takes its reply, so that the next one is sent without another thread.
    fn assist(self: Arc<Self>) -> bool {
        let was_finished = self.is_finished();
        if self.items.is_none() {
            self.pool.assist(&*self);
        }
        !was_finished && self.is_finished()
    }
}

impl<T: DeserializeOwned + Send + 'static> Call<T> for ProcessCall<T> {
    fn cell(&self) -> &Cell<T> {
        self.job.cell()
    }

    fn name(&self) -> &'static str {
        self.job.function().name()
    }

    fn take(&self) -> Option<Result<T, Error>> {
        self.job.take()
    }

    fn help(self: Arc<Self>) {
        if let Some(line) = self.job.ticket().map(Ticket::line).filter(|line| line.is_single()) {
            // Those before it have to end first.
            while self.cell().is_pending() && line.assist() {}
        }
        self.pool.help(&*self);
    }

    fn rest(&self) {
        self.pool.take_in(self.address.load());
    }

    fn glance(&self) {
        self.pool.glance(self);
    }

    fn cancel(self: Arc<Self>, why: Error) {
        if let Err(why) = self.job.revoke(why) {
            self.cell().request_cancel();
            if self.items.is_some() {
                // What it has yielded until now comes before its end.
                self.pool.take_in(self.address.load());
            }
            let is_gentle = self.items.is_some() && !why.is_timeout();
            let finish = || _ = self.cell().finish(Err(why));
            if is_gentle {
                self.pool.wind_up(|| self.address.load(), finish);
            } else {
                self.pool.recall(|| self.address.load(), finish);
            }
            self.job.leave_line_again();
            #[cfg(feature = "cluster")]
            self.away().into_iter().for_each(|away| (away.stop)(away.number));
        }
    }
}
