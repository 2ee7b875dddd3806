//! A cell with the job that will fill it, and with what its value may be made from.
//!
//! Both lie beside the word that decides, and only the winner of a right touches them. The job is
//! for whoever leaves `QUEUED`. What a value is made from is for whoever ends the call, and then
//! for whoever takes the value.

use super::Cell;
use super::state::{FINISHING, PENDING, QUEUED, RUNNING};
use crate::carry::Carried;
use crate::error::{Error, ErrorKind};
use crate::function::Function;
use crate::limit::{Limited, Limiter};
use crate::observe::Observed;
#[cfg(feature = "process")]
use crate::panic::drop_quietly;
use crate::place::Place;
use crate::relay;
use crate::sync::UnsafeCell;
use crate::worker::line::Ticket;
use crate::{timer, tokio};

/// A [`Cell`] with the job that will fill it. Engines embed it in their call objects. A call may
/// also end with an `R`, from which the thread that takes its value makes that.
pub(crate) struct JobCell<J, T, R = ()> {
    function: &'static Function,
    /// For the line before its worker, if that is one with state.
    ticket: Option<Ticket>,
    cell: Cell<T>,
    job: UnsafeCell<Option<J>>,
    unmade: UnsafeCell<Option<R>>,
}

// SAFETY: as for `Cell`; `job` is touched only by the thread that won the step to `RUNNING`,
// `unmade` by the one that won the step to `FINISHING` and then by the one that set `TAKEN`.
unsafe impl<J: Send, T: Send, R: Send> Sync for JobCell<J, T, R> {}
// SAFETY: it owns a `J`, an `R` and a `Cell<T>`, which are `Send`, and what can be shared.
unsafe impl<J: Send, T: Send, R: Send> Send for JobCell<J, T, R> {}

const _: () = {
    const fn are_shared<T: Send + Sync>() {}
    are_shared::<(&'static Function, Option<Ticket>)>();
};

/// What runs a job: a function of that alone, or one that is told to which copy of a worker with
/// state it was assigned.
#[cfg(any(feature = "threads", feature = "async"))]
pub(crate) trait Body<J>: Copy + Send + Sync + 'static {
    type Output;

    fn run(self, job: J, copy: usize) -> Self::Output;
}

#[cfg(any(feature = "threads", feature = "async"))]
impl<J: 'static, R: 'static> Body<J> for fn(J) -> R {
    type Output = R;

    #[inline]
    fn run(self, job: J, _: usize) -> R {
        self(job)
    }
}

#[cfg(any(feature = "threads", feature = "async"))]
impl<J: 'static, R: 'static> Body<J> for fn(J, usize) -> R {
    type Output = R;

    #[inline]
    fn run(self, job: J, copy: usize) -> R {
        self(job, copy)
    }
}

/// A claimed job with its place, which must be held until the body has ended and its arguments are
/// dropped.
pub(crate) struct Claim<J> {
    pub(crate) job: J,
    pub(crate) place: Place,
    /// What was current at the call.
    pub(crate) carried: Option<Carried>,
}

impl<J, T, R> JobCell<J, T, R> {
    /// A cell whose job may be claimed, or is `PENDING` if the function has a limit.
    #[inline(always)]
    pub(crate) fn new(function: &'static Function, mode: &'static str, job: J) -> Self {
        Self::beside(tokio::hold_clock(), function, mode, job)
    }

    /// The same, and the paused clock is kept until the call has ended.
    #[inline(always)]
    pub(crate) fn beside(
        clock: Option<tokio::HeldClock>,
        function: &'static Function,
        mode: &'static str,
        job: J,
    ) -> Self {
        let stage = if function.limiter().is_some() { PENDING } else { QUEUED };
        Self::at(stage, clock, function, mode, job, None)
    }

    /// A cell for a call to a worker with state: `PENDING` until it is its turn.
    pub(crate) fn in_line(
        function: &'static Function,
        mode: &'static str,
        job: J,
        ticket: Ticket,
    ) -> Self {
        Self::in_line_beside(tokio::hold_clock(), function, mode, job, ticket)
    }

    /// The same beside a clock.
    #[inline(always)]
    pub(crate) fn in_line_beside(
        clock: Option<tokio::HeldClock>,
        function: &'static Function,
        mode: &'static str,
        job: J,
        ticket: Ticket,
    ) -> Self {
        Self::at(PENDING, clock, function, mode, job, Some(ticket.of(function)))
    }

    // Always, like what it calls: each of them would copy the whole cell.
    #[inline(always)]
    fn at(
        stage: u32,
        clock: Option<tokio::HeldClock>,
        function: &'static Function,
        mode: &'static str,
        job: J,
        ticket: Option<Ticket>,
    ) -> Self {
        if function.options().timeout.is_some() {
            timer::prepare();
        }
        let mut cell = Cell::at(stage, Observed::call(function, mode));
        cell.clock = UnsafeCell::new(clock);
        Self::of(function, cell, Some(job), ticket)
    }

    /// A cell of a call that somebody else already runs.
    #[cfg(feature = "cluster")]
    pub(crate) fn started(function: &'static Function, mode: &'static str) -> Self {
        let observed = Observed::call(function, mode);
        observed.started();
        Self::of(function, Cell::at(RUNNING, observed), None, None)
    }

    #[inline(always)]
    fn of(
        function: &'static Function,
        cell: Cell<T>,
        job: Option<J>,
        ticket: Option<Ticket>,
    ) -> Self {
        let (job, unmade) = (UnsafeCell::new(job), UnsafeCell::new(None));
        Self { function, ticket, cell, job, unmade }
    }

    pub(crate) fn function(&self) -> &'static Function {
        self.function
    }

    pub(crate) fn cell(&self) -> &Cell<T> {
        &self.cell
    }

    /// For its turn, if it is a call to a worker with state.
    pub(crate) fn ticket(&self) -> Option<&Ticket> {
        self.ticket.as_ref()
    }

    /// Assigns it to this copy of its worker.
    pub(crate) fn assign(&self, copy: usize, order: u64) {
        self.ticket.iter().for_each(|ticket| ticket.assign(copy, order));
    }

    /// The copy of its worker that it was assigned to.
    pub(crate) fn copy(&self) -> usize {
        self.ticket.as_ref().map_or(0, Ticket::copy)
    }

    /// Under what it needs a place beside its turn, if it is a call to a worker with state.
    pub(crate) fn limited(&self) -> Option<Limited> {
        self.ticket.as_ref().filter(|ticket| ticket.needs_place())?;
        self.function.limited()
    }

    fn limiter_beside_turn(&self) -> Option<&'static Limiter> {
        self.limited().map(|limited| limited.limiter)
    }

    /// What its end passes on, once.
    #[inline]
    pub(crate) fn place(&self) -> Place {
        match &self.ticket {
            Some(ticket) if ticket.makes() => Place::FREE,
            Some(ticket) => Place::turn(ticket.turn(), self.limiter_beside_turn()),
            None => self.function.limiter().map_or(Place::FREE, Place::under),
        }
    }

    /// Makes a pending job claimable; returns false if it was revoked.
    pub(crate) fn admit(&self) -> bool {
        self.cell.state.advance(PENDING, QUEUED)
    }

    /// Claims the job, to run it. Exactly one caller succeeds.
    #[inline]
    pub(crate) fn claim(&self) -> Option<Claim<J>> {
        if !self.cell.state.advance(QUEUED, RUNNING) {
            return None;
        }
        self.cell.observed.started();
        let carried = self.cell.observed.take_carried();
        Some(Claim { job: self.take_job()?, place: self.place(), carried })
    }

    #[inline]
    fn take_job(&self) -> Option<J> {
        self.job.with_mut(|job| {
            // SAFETY: called once, by the one caller that won the step to `RUNNING`.
            unsafe { (*job).take() }
        })
    }

    /// Ends a running call with what its value is made from, as [`Cell::finish`] does with the
    /// value.
    #[cfg(feature = "process")]
    pub(crate) fn finish_unmade(&self, from: R) {
        let cell = &self.cell;
        if !cell.state.advance(RUNNING, FINISHING) {
            return drop_quietly(from);
        }
        cell.observed.ended(&Ok(()));
        self.unmade.with_mut(|unmade| {
            // SAFETY: only one caller wins the step to `FINISHING`, and nobody reads before
            // `FINISHED`.
            unsafe { *unmade = Some(from) }
        });
        cell.publish(0, drop_quietly);
    }

    /// Takes the output, or makes it; only the first caller gets it.
    #[cfg(feature = "process")]
    pub(crate) fn take_or_make(
        &self,
        make: impl FnOnce(R) -> Result<T, Error>,
    ) -> Option<Result<T, Error>> {
        if !self.cell.win_output() {
            return None;
        }
        self.cell.output().or_else(|| {
            let unmade = self.unmade.with_mut(|unmade| {
                // SAFETY: written before `FINISHED`, if ever; only one caller wins the output.
                unsafe { (*unmade).take() }
            });
            unmade.map(make)
        })
    }
}

impl<J: Send + 'static, T, R> JobCell<J, T, R> {
    /// Ends a task that has not started with this error, and drops its job on this thread. Returns
    /// the error if the task has started.
    pub(crate) fn revoke(&self, why: Error) -> Result<(), Error> {
        let place = if self.cell.state.advance(PENDING, RUNNING) {
            match &self.ticket {
                Some(ticket) => {
                    self.leave_line();
                    ticket.line().give_up();
                }
                None => _ = self.function.limiter().inspect(|limiter| limiter.give_up()),
            }
            Place::FREE
        } else if self.cell.state.advance(QUEUED, RUNNING) {
            self.place()
        } else {
            return Err(why);
        };
        self.end_unstarted(why, place);
        Ok(())
    }

    /// Ends a pending task that gets no place, and drops its job on this thread; returns whether it
    /// was pending.
    pub(crate) fn refuse(&self, why: ErrorKind) -> bool {
        let was_pending = self.cell.state.advance(PENDING, RUNNING);
        if was_pending {
            self.leave_line();
            self.end_unstarted(Error::new(self.function.name(), why), Place::FREE);
        }
        was_pending
    }

    /// It does not wait at its worker any more, and has no place.
    fn leave_line(&self) {
        self.limiter_beside_turn().iter().for_each(|limiter| limiter.uncount_elsewhere());
    }

    /// It has ended. Where it waits at its worker a second time, it does so no more.
    #[cfg(feature = "process")]
    pub(crate) fn leave_line_again(&self) {
        if let Some(ticket) = self.ticket.as_ref().filter(|ticket| ticket.leave_again()) {
            self.leave_line();
            ticket.line().give_up();
        }
    }

    fn end_unstarted(&self, why: Error, place: Place) {
        self.cell.observed.started();
        self.cell.request_cancel();
        let job = self.take_job();
        // First, since the job's destructors may take long.
        self.cell.finish(Err(why));
        // It may own tasks, whose arguments own others.
        relay::discard(job);
        relay::discard(self.cell.observed.take_carried());
        drop(place);
    }
}
