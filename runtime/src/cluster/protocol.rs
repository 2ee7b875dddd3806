//! The protocol between callers and machines, without I/O, so that the model and the program run
//! the same code.
//!
//! A machine grants a caller a **lease**, under which calls are sent to this one machine and
//! nowhere else. Frames of a lease arrive once and in order ([`delivery`]), so a call is started at
//! most once whatever the network does. A lease's number is never reused, so replayed messages
//! belong to no lease.
//!
//! ```text
//! caller ── Open ──────────────▶ any machine of the build
//!        ◀── Opened ──────────── lease, credit: how many calls may be sent
//!        ── Call, Cancel ──────▶
//!        ◀── Item ────────────── a call that yields goes on
//!        ── Grant ─────────────▶ so many of those are read: it may be as much further
//!        ◀── Ended, Returned ─── an answer, or: never started and never will be
//! ```
//!
//! **Time.** A machine stamps what it sends; the caller echoes the latest stamp. A machine starts
//! calls, and lets them run, until [`Terms::lease`] after the last echoed stamp, and then stops the
//! rest. A caller gives up a machine when nothing has come for that long plus a margin. The stamp
//! was made before it arrived, so the machine has stopped by then, however late messages are and
//! whatever the clocks say: only their rates have to agree, to within a quarter. Calls under a
//! lease that is given up are lost, started or not; only a call that was never sent to a machine,
//! or that its machine has returned, goes to another.
//!
//! **Streams.** Items are frames too, so none is lost or comes twice. A call that waits for its
//! reader gives its place to others until it is granted more.
//!
//! **Values.** What makes a value of a worker with state is a call that goes on for as long as
//! there is the value, as if it waited for a reader. A call about it names that call, follows it
//! under its lease and takes no place. If the value is gone when it comes, it is returned to its
//! caller, who has learned by then that it is gone.
//!
//! **Truth.** A caller that is cut off from the broker gives up nobody; when it is back it asks,
//! and the machine answers with what became of each call.

mod caller;
mod delivery;
mod fairness;
mod links;
mod machine;
mod messages;
#[cfg(test)]
mod model;
mod queues;

pub(crate) use caller::{Caller, Deed as CallerDeed, End, Why};
pub(crate) use machine::{Deed as MachineDeed, Machine};
#[cfg(test)]
pub(crate) use messages::Order;
pub(crate) use messages::{ToCaller, ToMachine, Weight};

/// Milliseconds on a local monotonic clock, which also counts during sleep.
pub(crate) type Moment = u64;

/// Durations in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// How long this machine may start and run calls without hearing from their caller. It is part
    /// of each lease.
    pub(crate) lease: u64,
    /// How long a machine keeps answers for an absent caller, and how long a caller waits for the
    /// broker with calls that a machine has.
    pub(crate) keep: u64,
    /// How long a call waits if there is no machine for it.
    pub(crate) wait: u64,
}

impl Terms {}
