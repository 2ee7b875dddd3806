//! The pool as the owner of its workers: what it does when the dispatcher reports something about
//! one.

use std::sync::Arc;
use std::time::Duration;

use super::books::{Chore, Pool};
use super::dispatcher::Owner;
use super::harvest::read_socket;
use super::joined::Joined;
use super::link::Link;
use super::recall::CORRUPT;
use crate::error::{Error, ErrorKind};
use crate::observe;
use crate::process::channel::{Cause, Listener};
use crate::process::job::{Panic, codec_error};
use crate::process::platform::End;

/// From how many replies at a time on the dispatcher polls instead of waiting for each.
const MANY: usize = 8;

/// For how long a worker may have the chance to make progress and make none before it is replaced.
const MAX_STALLED: Duration = Duration::from_secs(5);

impl Owner for Pool {
    fn start_worker(&'static self, era: u32) {
        self.start_counted_worker(era);
    }

    fn take_replies(&'static self, link: &Arc<Link>) -> bool {
        self.greet(link);
        self.note_wait(link);
        // A joining thread holds the desk, and leaves the worker in order.
        let Some(mut desk) = link.knock() else { return false };
        link.announce(&mut desk, Listener::Looking);
        read_socket(link, &mut desk.papers);
        let is_many = self.harvest(link, &mut desk.papers, &Joined::none()) >= MANY;
        if !is_many {
            self.leave(link, desk, &Joined::none());
        }
        is_many
    }

    fn look_after(&'static self, link: &Arc<Link>) {
        self.greet(link);
        self.note_wait(link);
        // A body may have read its worker's socket, or filled it, and then no bell is heard.
        self.take_once(link);
        self.replace_if_stalled(link);
    }

    fn bury(&'static self, link: &Arc<Link>) {
        let end = link.reap();
        let mut desk = link.desk();
        read_socket(link, &mut desk.papers);
        if link.offence(end).is_none() {
            self.harvest(link, &mut desk.papers, &Joined::none());
        }
        drop(desk);
        let why = link.offence(end).map_or_else(|| ended_idle(link, end), str::to_owned);
        observe::worker_ended(link.process.id(), &how_it_ended(end));
        for request in self.strike_out(link, &why) {
            let error = blame(link, request.call.function().name(), end);
            request.call.fail(error);
        }
    }
}

impl Pool {
    /// Welcomes a worker that has begun to serve. Its first bell says so, and whoever reads that
    /// may be the only one to hear it.
    pub(super) fn greet(&'static self, link: &Link) {
        if link.is_newly_serving() {
            self.welcome(link);
        }
    }

    /// Replaces a worker that does nothing although it has something to do. Its requests go to
    /// others; no call is blamed.
    fn replace_if_stalled(&'static self, link: &Arc<Link>) {
        self.change(|state, chores| {
            let Some(outbox) = state.outbox(link.key) else { return };
            if !outbox.is_stalled(MAX_STALLED) {
                return;
            }
            let taken = outbox.withdraw_from(outbox.first, usize::MAX);
            let begun = outbox.unanswered.iter().find(|sent| sent.request.is_some());
            if begun.is_none() {
                outbox.link.doom();
                chores.add(Chore::Kill(Arc::clone(&outbox.link)));
            } else if outbox.is_stalled(MAX_STALLED) {
                // It claims to be past calls that it has not answered.
                outbox.link.doom();
                chores.add(Chore::Condemn(Arc::clone(&outbox.link), CORRUPT));
            }
            state.put_back(taken);
            self.hand_out(state, chores);
        });
    }
}

/// For the observers.
fn how_it_ended(end: End) -> String {
    match (end.signal, end.code) {
        (Some(signal), _) => format!("killed by signal {signal}"),
        (_, Some(code)) => format!("exited with code {code}"),
        _ => "ended".into(),
    }
}

/// The error of a worker that ended while it ran nothing.
fn ended_idle(link: &Link, end: End) -> String {
    let when = if link.has_served() { "before it began the call" } else { "as it started" };
    match (end.signal, end.code) {
        (Some(signal), _) => format!("its worker was killed by signal {signal} {when}"),
        (_, Some(code)) => format!("its worker exited with code {code} {when}"),
        _ => format!("its worker ended {when}"),
    }
}

/// The error that the death of a worker means for the call that it ran.
fn blame(link: &Link, name: &'static str, end: End) -> Error {
    if let Some(offence) = link.offence(end) {
        return codec_error(name, offence);
    }
    if end.is_abort() || end.is_unknown() {
        // A panic first: it may be about a failed allocation, but says more.
        if let Some(panic) = link.channel.report().and_then(|report| Panic::decode(&report)) {
            return panic.into_error(name);
        }
        if link.channel.is_cause(Cause::MemoryLimit) {
            return Error::new(name, ErrorKind::MemoryLimit);
        }
    }
    if (end.is_fault() || end.is_unknown()) && link.channel.is_cause(Cause::StackOverflow) {
        return Error::new(name, ErrorKind::StackOverflow);
    }
    Error::new(name, ErrorKind::Crashed { signal: end.signal, code: end.code })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::pool::waits::Waits;

    #[test]
    fn a_worker_that_was_buried_as_it_started_is_in_no_books() {
        let pool: &Pool = Box::leak(Box::new(Pool::new(None, false, Waits::Never, None, 1)));
        let link = Arc::new(Link::start(0).unwrap());
        pool.lock().starting = 1;
        pool.bury(&link);
        pool.note_start(Ok(link), 0);
        // With it in the books, calls would wait for somebody who never comes.
        let state = pool.lock();
        assert!(state.outboxes.is_empty() && state.no_more);
        assert_eq!(state.starting, 0);
    }
}
