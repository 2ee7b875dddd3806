//! The protocol between callers and machines, without I/O: what is modelled here is what runs.
//!
//! A machine grants a caller a **lease**, under which calls are sent to this one machine and
//! nowhere else. Frames of a lease arrive once and in order ([`delivery`]), so a call is begun at
//! most once whatever the network does; a lease's number is never used twice, so what somebody
//! kept and sends again belongs to no lease.
//!
//! ```text
//! caller ── Open ──────────────▶ any machine of the build
//!        ◀── Opened ──────────── lease, credit: how many calls may be sent
//!        ── Call, Cancel ──────▶
//!        ◀── Ended, Returned ─── an answer, or: never begun and never will be
//! ```
//!
//! **Time.** A machine stamps what it sends; the caller echoes the latest stamp. A machine begins
//! calls, and lets them run, until [`Terms::lease`] after the stamp that was echoed last, and then
//! stops what is left. A caller gives a machine up when nothing came for that long and a margin.
//! The stamp was made before it came, so the machine has stopped by then, however late messages
//! are and whatever the clocks say: only their rates have to agree, by a quarter. What was under a
//! lease that is given up is lost, begun or not; only a call that no machine was ever sent, or that
//! its machine has returned, goes to another.
//!
//! **Truth.** A caller that is cut off from the broker judges nobody; when it is back it asks, and
//! the machine answers with what became of each call.

mod caller;
mod delivery;
mod fairness;
mod links;
mod machine;
mod messages;
#[cfg(test)]
mod model;

pub(crate) use caller::{Caller, Deed as CallerDeed, End, Why};
pub(crate) use machine::{Deed as MachineDeed, Machine};
#[cfg(test)]
pub(crate) use messages::Order;
pub(crate) use messages::{ToCaller, ToMachine, Weight};

/// Milliseconds on some clock of one's own that counts on whatever happens, also in sleep.
pub(crate) type Moment = u64;

/// How long things last, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// So long may this machine begin and run calls without a word of their caller. Whoever gets a
    /// lease of it is told.
    pub(crate) lease: u64,
    /// So long does a machine keep answers for a caller that is away, and a caller wait for the
    /// broker with calls that a machine has.
    pub(crate) keep: u64,
    /// So long waits a call for which no machine is there.
    pub(crate) wait: u64,
}

impl Terms {}
