//! A call, and what tokio runs of it: the body, then the end of the cell.
//!
//! tokio moves what it runs a few times before it does, so that is small: written as an `async fn`,
//! it would also keep room for what is never there at the same time.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::tokio::runtime::Handle;
use ::tokio::task::JoinHandle;
use pin_project_lite::pin_project;

use super::deadline::Deadline;
use super::ranked;
use super::stoppable::Stoppable;
use crate::carry::{self, Carried};
use crate::cell::{Body, Cell, JobCell};
use crate::error::{Error, ErrorKind};
use crate::function::Function;
use crate::limit::{Admit, Limited};
use crate::options::Priority;
use crate::place::Place;
use crate::relay::Asked;
use crate::task::{Call, Task, time_out};
use crate::worker::line::{Ticket, Turn};
use crate::{panic, sequential, tokio, wait};

pub(super) struct AsyncCall<A, T, B> {
    /// The arguments, and what makes a future of them. Stopped by tokio's handle, whose memory is
    /// given back with the call's, where the call was made: threads that free each other's memory
    /// wait for each other.
    body: Stoppable<(A, B), T, JoinHandle<()>>,
    /// Where it runs. Kept if the function has a limit, to start it later, and for a current-thread
    /// runtime, whose thread must not block on it.
    runtime: Option<Handle>,
}

impl<A, T, B> AsyncCall<A, T, B>
where
    A: Send + 'static,
    T: Send + 'static,
    B: Body<A, Output: Future<Output = T> + Send>,
{
    /// Starts a call there, or has it wait for a place.
    pub(super) fn start(
        runtime: &Handle,
        function: &'static Function,
        arguments: A,
        body: B,
    ) -> Task<T> {
        let is_kept = function.limiter().is_some() || !tokio::is_multi_thread(runtime);
        let mut job = JobCell::new(function, "async", (arguments, body));
        job.keep_clock(tokio::keep_clock_beside(runtime));
        let call =
            Arc::new(Self { body: Stoppable::new(job), runtime: is_kept.then(|| runtime.clone()) });
        match function.limiter() {
            None => call.spawn_on(runtime),
            Some(limiter) => limiter.enter(function.options(), call.clone()),
        }
        Task::new(call)
    }

    /// A call that waits for its turn at a worker with state.
    pub(super) fn in_line(
        runtime: Handle,
        function: &'static Function,
        ticket: Ticket,
        arguments: A,
        body: B,
    ) -> Arc<Self> {
        let mut job = JobCell::in_line(function, "async", (arguments, body), ticket);
        job.keep_clock(tokio::hold_clock_beside(&runtime));
        Arc::new(Self { body: Stoppable::new(job), runtime: Some(runtime) })
    }

    /// Begins a call that nobody waits for and that has the turn.
    pub(super) fn begin(self: Arc<Self>, turn: &Turn) {
        turn.hold(self.clone());
        self.cell().abandon();
        self.admit();
    }

    fn spawn_on(self: &Arc<Self>, runtime: &Handle) {
        if ranked::concerns(self.body.job.function()) {
            return ranked::spawn(runtime, Arc::clone(self) as Arc<dyn ranked::Waiting>);
        }
        self.body.start(|| runtime.spawn(Drive::new(Arc::clone(self))));
    }
}

impl<A, T, B> ranked::Waiting for AsyncCall<A, T, B>
where
    A: Send + 'static,
    T: Send + 'static,
    B: Body<A, Output: Future<Output = T> + Send>,
{
    fn priority(&self) -> Priority {
        self.body.job.function().options().priority
    }

    fn is_queued(&self) -> bool {
        self.body.job.cell().is_queued()
    }

    fn drive(self: Arc<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(Drive::new(self))
    }

    fn keep(&self, handle: JoinHandle<()>) {
        self.body.keep(handle);
    }
}

impl<A, T, B> Admit for AsyncCall<A, T, B>
where
    A: Send + 'static,
    T: Send + 'static,
    B: Body<A, Output: Future<Output = T> + Send>,
{
    fn limited(&self) -> Option<Limited> {
        self.body.job.limited()
    }

    fn assign(&self, copy: usize, order: u64) {
        self.body.job.assign(copy, order);
    }

    fn is_pending(&self) -> bool {
        self.cell().is_pending()
    }

    fn refuse(self: Arc<Self>, why: ErrorKind) -> bool {
        self.body.job.refuse(why)
    }

    fn admit(self: Arc<Self>) -> bool {
        let admitted = self.body.job.admit();
        if admitted && sequential::is_on() {
            // Of a worker with state: other calls have ended by now.
            wait::block_on(Drive::new(self));
        } else if admitted && let Some(runtime) = &self.runtime {
            self.spawn_on(runtime);
        }
        admitted
    }
}

impl<A, T, B> Call<T> for AsyncCall<A, T, B>
where
    A: Send + 'static,
    T: Send + 'static,
    B: Body<A, Output: Future<Output = T> + Send>,
{
    fn cell(&self) -> &Cell<T> {
        self.body.job.cell()
    }

    fn name(&self) -> &'static str {
        self.body.job.function().name()
    }

    fn cancel(self: Arc<Self>, why: Error) {
        // A body that is being polled right now stops when it comes to its await.
        if let Some(handle) = self.body.cancel(why, JoinHandle::abort_handle) {
            handle.abort();
        }
    }

    fn needs_this_thread(self: Arc<Self>, asked: &mut Asked) -> bool {
        let is_driven_here =
            |runtime: &Handle| !tokio::is_multi_thread(runtime) && tokio::is_driven_here(runtime);
        asked.blocks && self.runtime.as_ref().is_some_and(is_driven_here)
    }
}

pin_project! {
    /// A call that tokio owns. The fields are dropped in this order: wherever tokio drops it, the
    /// body's values are dropped before the task ends.
    struct Drive<A, T, B>
    where
        A: Send,
        A: 'static,
        T: Send,
        T: 'static,
        B: Body<A>,
        B::Output: Future<Output = T>,
        B::Output: Send,
    {
        #[pin]
        body: Option<B::Output>,
        alarm: Option<Box<Deadline>>,
        carried: Option<Carried>,
        place: Option<Place>,
        driver: Driver<A, T, B>,
    }
}

impl<A, T, B> Drive<A, T, B>
where
    A: Send + 'static,
    T: Send + 'static,
    B: Body<A, Output: Future<Output = T> + Send>,
{
    fn new(call: Arc<AsyncCall<A, T, B>>) -> Self {
        Self {
            body: None,
            alarm: None,
            carried: None,
            place: None,
            driver: Driver { call, has_claimed: false },
        }
    }
}

impl<A, T, B> Future for Drive<A, T, B>
where
    A: Send + 'static,
    T: Send + 'static,
    B: Body<A, Output: Future<Output = T> + Send>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let mut job = None;
        if this.body.is_none() {
            this.driver.has_claimed = true;
            let Some(claim) = this.driver.call.body.job.claim() else {
                this.driver.has_claimed = false;
                return Poll::Ready(());
            };
            let call = &this.driver.call;
            job = Some(claim.job);
            (*this.place, *this.carried) = (Some(claim.place), claim.carried);
            let deadline = |allowed| Box::new(Deadline::after(allowed, time_out(call, allowed)));
            *this.alarm = call.body.job.function().options().timeout.map(deadline);
        }
        let call = &this.driver.call;
        let polled = run(call, this.carried.as_ref(), || {
            if let Some((arguments, body)) = job {
                this.body.set(Some(body.run(arguments, call.body.job.copy())));
            }
            let body = this.body.as_mut().as_pin_mut();
            body.map_or(Poll::Pending, |body| body.poll(context))
        });
        let result = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(error) => Err(error),
        };
        this.body.set(None);
        call.cell().finish(result);
        // Now, and not when tokio gets to it.
        (*this.alarm, *this.carried, *this.place) = (None, None, None);
        Poll::Ready(())
    }
}

/// Ends the task if tokio drops it before it has ended, for example as its runtime shuts down.
struct Driver<A, T, B>
where
    A: Send + 'static,
    T: Send + 'static,
    B: Body<A, Output: Future<Output = T> + Send>,
{
    call: Arc<AsyncCall<A, T, B>>,
    has_claimed: bool,
}

impl<A, T, B> Drop for Driver<A, T, B>
where
    A: Send + 'static,
    T: Send + 'static,
    B: Body<A, Output: Future<Output = T> + Send>,
{
    fn drop(&mut self) {
        self.call.body.let_go(self.has_claimed);
    }
}

/// Runs a piece of the body. What panics beside it, such as a subscriber, ends the call too.
fn run<A, T, B, R>(
    call: &AsyncCall<A, T, B>,
    carried: Option<&Carried>,
    piece: impl FnOnce() -> R,
) -> Result<R, Error> {
    let cell = call.body.job.cell();
    panic::catch(call.body.job.function().name(), || cell.run(|| carry::within(carried, piece)))
}

/// The task of a call for which there is no runtime.
pub(super) fn refused<T: Send + 'static>(
    function: &'static Function,
    refusal: &io::Error,
) -> Task<T> {
    let message = format!("no tokio runtime to run it on: {refusal}");
    sequential::done(
        function.name(),
        Err(Error::new(function.name(), ErrorKind::Worker { message })),
    )
}
