//! A call: its job, its body, and its end.

use std::future::{Future, poll_fn};
use std::io;
use std::sync::Arc;
use std::task::{Poll, Waker};

use ::tokio::runtime::Handle;

use super::host;
use super::running::{Room, Runs};
use super::stoppable::Stoppable;
use crate::cell::{Body, Cell, JobCell};
use crate::error::{Error, ErrorKind};
use crate::function::Function;
use crate::limit::{Admit, Limited};
use crate::relay::Asked;
use crate::task::{Call, Task};
use crate::worker::line::{Ticket, Turn};
use crate::{sequential, tokio, wait};

#[allow(unsafe_code, reason = "a body that lies in its call")]
mod body;

pub(super) struct AsyncCall<A, T, B: Body<A>> {
    /// The arguments, and what makes a future of them.
    body: Stoppable<(A, B), T, Waker>,
    /// The body, once it has begun.
    room: Room<(A, B), B::Output>,
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
        let kept = is_kept.then(|| runtime.clone());
        let clock = tokio::keep_clock_beside(runtime);
        let job = JobCell::beside(clock, function, "async", (arguments, body));
        let call = Arc::new(Self::new(job, kept));
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
        let clock = tokio::hold_clock_beside(&runtime);
        let job = JobCell::in_line_beside(clock, function, "async", (arguments, body), ticket);
        Arc::new(Self::new(job, Some(runtime)))
    }

    // Always: it would be copied.
    #[inline(always)]
    fn new(job: JobCell<(A, B), T>, runtime: Option<Handle>) -> Self {
        Self { body: Stoppable::new(job), room: Room::new(), runtime }
    }

    /// Begins a call that nobody waits for and that has the turn.
    pub(super) fn begin(self: Arc<Self>, turn: &Turn) {
        turn.hold(self.clone());
        self.cell().abandon();
        self.admit();
    }

    fn spawn_on(self: &Arc<Self>, runtime: &Handle) {
        host::run(runtime, self.body.job.function(), self.clone());
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
            let mut running = self.claim();
            wait::block_on(poll_fn(|context| {
                running.as_mut().map_or(Poll::Ready(()), |running| running.poll(context))
            }));
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
        if let Some(waker) = self.body.cancel(why) {
            waker.wake();
        }
    }

    fn needs_this_thread(self: Arc<Self>, asked: &mut Asked) -> bool {
        let is_driven_here =
            |runtime: &Handle| !tokio::is_multi_thread(runtime) && tokio::is_driven_here(runtime);
        asked.blocks && self.runtime.as_ref().is_some_and(is_driven_here)
    }
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
