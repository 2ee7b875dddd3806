//! The line of a worker with state under loom: callers, a body that loses the value, another value
//! that takes the place of one that is worn, and the end of the last handle.
//!
//! What has the turn is run by a thread of its own, as an engine would. CONTRIBUTING.md has the
//! command.

use std::mem;
use std::sync::Arc;

use loom::model::Builder;
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use loom::thread;

use super::{Home, Line, Ticket, Turn};
use crate::error::ErrorKind;
use crate::function::Function;
use crate::limit::{Admit, Limited};

#[cfg(feature = "process")]
mod ahead;

static NEVER: Function = Function::new("modelled");
static ONCE: Function = Function::new("modelled").restarts(1);
static LIMITED: Function = Function::new("modelled").limit(1);

fn check(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(4);
    builder.check(run);
}

/// What happened. Loom has to see it: it tries the orders of what it knows to be shared.
#[derive(Default)]
struct Seen {
    copies: Vec<Copy>,
    ran: AtomicUsize,
    refused: AtomicUsize,
    /// How many were told that the constructor had failed, which it never does here.
    misinformed: AtomicUsize,
    /// What makes other values.
    preparing: Mutex<Vec<thread::JoinHandle<()>>>,
}

/// What happened at one copy.
#[derive(Default)]
struct Copy {
    has_turn: AtomicBool,
    is_lost: AtomicBool,
    made: AtomicUsize,
    cleared: AtomicUsize,
    is_worn: AtomicBool,
    renewed: AtomicUsize,
}

impl Copy {
    fn turn(&self, run: impl FnOnce()) {
        assert!(!self.has_turn.swap(true, SeqCst), "two at once");
        run();
        assert!(self.has_turn.swap(false, SeqCst));
    }
}

impl Seen {
    fn sum(&self, of: impl Fn(&Copy) -> &AtomicUsize) -> usize {
        self.copies.iter().map(|copy| of(copy).load(SeqCst)).sum()
    }

    fn wait_for_what_is_prepared(&self) {
        let preparing = mem::take(&mut *self.preparing.lock().unwrap());
        preparing.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

struct Modelled(Arc<Seen>, usize);

impl Modelled {
    fn copy(&self) -> &Copy {
        &self.0.copies[self.1]
    }
}

impl Home for Modelled {
    fn make(&self, turn: Turn) {
        self.copy().turn(|| {
            self.copy().made.fetch_add(1, SeqCst);
            self.copy().is_lost.store(false, SeqCst);
            turn.made(Ok(()));
        });
        turn.leave();
    }

    fn clear(&self, turn: Turn, _: bool) {
        self.copy().turn(|| _ = self.copy().cleared.fetch_add(1, SeqCst));
        turn.leave();
    }

    fn is_lost(&self) -> bool {
        self.copy().is_lost.load(SeqCst)
    }

    fn is_worn(&self) -> bool {
        self.copy().is_worn.load(SeqCst)
    }

    fn prepare(&self, turn: Turn) {
        self.copy().is_worn.store(false, SeqCst);
        let preparing = thread::spawn(|| turn.prepared());
        self.0.preparing.lock().unwrap().push(preparing);
    }

    fn renew(&self, _: Turn, _: bool) {
        self.copy().turn(|| {
            // Others may come now.
            thread::yield_now();
            self.copy().renewed.fetch_add(1, SeqCst);
        });
    }
}

struct Call {
    seen: Arc<Seen>,
    ticket: Ticket,
    loses: bool,
    limited: Option<Limited>,
}

impl Admit for Call {
    fn limited(&self) -> Option<Limited> {
        self.limited
    }

    fn assign(&self, copy: usize, order: u64) {
        self.ticket.assign(copy, order);
    }

    fn admit(self: Arc<Self>) -> bool {
        let copy = &self.seen.copies[self.ticket.copy()];
        copy.turn(|| {
            assert!(!copy.is_lost.load(SeqCst), "it gets a value");
            // Others may come now.
            thread::yield_now();
            self.seen.ran.fetch_add(1, SeqCst);
            copy.is_lost.store(self.loses, SeqCst);
        });
        self.ticket.turn().leave();
        if let Some(limited) = self.limited {
            limited.limiter.leave();
        }
        true
    }

    fn refuse(self: Arc<Self>, why: ErrorKind) -> bool {
        let is_misinformed = matches!(why, ErrorKind::Worker { .. });
        self.seen.misinformed.fetch_add(usize::from(is_misinformed), SeqCst);
        self.seen.refused.fetch_add(1, SeqCst);
        true
    }

    fn is_pending(&self) -> bool {
        true
    }
}

fn start(constructor: &Function, copies: usize) -> (Arc<Seen>, Arc<Line>) {
    let each = (0..copies).map(|_| Copy::default()).collect();
    let seen = Arc::new(Seen { copies: each, ..Seen::default() });
    let home = |copy| -> Box<dyn Home> { Box::new(Modelled(Arc::clone(&seen), copy)) };
    let line = Line::new(constructor, (0..copies).map(home).collect());
    line.begin();
    (seen, line)
}

fn call(seen: &Arc<Seen>, line: &Arc<Line>, loses: bool) {
    enter(seen, line, loses, None);
}

fn enter(seen: &Arc<Seen>, line: &Arc<Line>, loses: bool, limited: Option<Limited>) {
    let (seen, ticket) = (Arc::clone(seen), Ticket::new(Arc::clone(line)));
    line.enter(Arc::new(Call { seen, ticket, loses, limited }));
}

/// A call by another thread.
fn call_beside(seen: &Arc<Seen>, line: &Arc<Line>, loses: bool) -> thread::JoinHandle<()> {
    let (seen, line) = (Arc::clone(seen), Arc::clone(line));
    thread::spawn(move || call(&seen, &line, loses))
}

#[test]
fn every_call_has_a_turn_once_and_alone() {
    for copies in [1, 2] {
        check(move || {
            let (seen, line) = start(&ONCE, copies);
            let other = call_beside(&seen, &line, true);
            call(&seen, &line, false);
            other.join().unwrap();
            line.abandon();
            assert_eq!((seen.ran.load(SeqCst), seen.refused.load(SeqCst)), (2, 0));
            assert_eq!(seen.sum(|copy| &copy.cleared), copies, "what is left is dropped");
        });
    }
}

#[test]
fn a_call_beside_the_end_runs_or_is_refused() {
    for copies in [1, 2] {
        check(move || {
            let (seen, line) = start(&ONCE, copies);
            let other = call_beside(&seen, &line, false);
            line.stop();
            other.join().unwrap();
            assert_eq!(seen.ran.load(SeqCst) + seen.refused.load(SeqCst), 1);
            let left = (seen.sum(|copy| &copy.made), seen.sum(|copy| &copy.cleared));
            assert_eq!(left, (copies, copies));
        });
    }
}

/// Each call loses the value that it has, for good.
#[test]
fn a_copy_that_has_stopped_leaves_what_waits_to_the_other() {
    check(|| {
        let (seen, line) = start(&NEVER, 2);
        let other = call_beside(&seen, &line, true);
        call(&seen, &line, true);
        other.join().unwrap();
        assert_eq!((seen.ran.load(SeqCst), seen.refused.load(SeqCst)), (2, 0));
        call(&seen, &line, false);
        assert_eq!(seen.refused.load(SeqCst), 1, "both are gone");
    });
}

/// Whoever tells what waits that it comes too late has the turn, and a restart waits for that.
#[test]
fn a_restart_beside_the_end_of_a_value_finds_a_constructor() {
    check(|| {
        let (seen, line) = start(&NEVER, 1);
        let its_line = Arc::clone(&line);
        let other = thread::spawn(move || its_line.restart());
        [true, false, false].map(|loses| call(&seen, &line, loses));
        other.join().unwrap();
        call(&seen, &line, false);
        assert_eq!(seen.ran.load(SeqCst) + seen.refused.load(SeqCst), 4);
        assert_eq!(seen.misinformed.load(SeqCst), 0);
    });
}

/// While another value takes the place of the other one's, or without that.
#[test]
fn a_copy_that_has_stopped_leaves_what_waits_for_a_place_to_the_other() {
    for is_worn in [false, true] {
        check(move || {
            let (seen, line) = start(&NEVER, 2);
            let limited = LIMITED.limited().unwrap();
            let place = limited.take_or_stand(|| unreachable!("nobody has one")).unwrap();
            seen.copies[1].is_worn.store(is_worn, SeqCst);
            enter(&seen, &line, false, Some(limited));
            let other = call_beside(&seen, &line, false);
            call(&seen, &line, true);
            call(&seen, &line, false);
            other.join().unwrap();
            seen.wait_for_what_is_prepared();
            assert_eq!(seen.ran.load(SeqCst), 3, "they need no place");
            drop(place);
            assert_eq!((seen.ran.load(SeqCst), seen.refused.load(SeqCst)), (4, 0));
            line.abandon();
            assert_eq!(seen.sum(|copy| &copy.cleared), 2);
        });
    }
}

/// The other value comes during a call, between two, when all have ended, or when none is wanted.
#[test]
fn what_was_prepared_takes_its_place_once_and_beside_no_call() {
    for copies in [1, 2] {
        check(move || {
            let (seen, line) = start(&NEVER, copies);
            seen.copies[0].is_worn.store(true, SeqCst);
            let other = call_beside(&seen, &line, false);
            call(&seen, &line, false);
            other.join().unwrap();
            seen.wait_for_what_is_prepared();
            assert_eq!((seen.ran.load(SeqCst), seen.sum(|copy| &copy.renewed)), (2, 1));
            line.abandon();
            assert_eq!(seen.sum(|copy| &copy.cleared), copies, "what is left is dropped");
        });
    }
}

#[test]
fn what_was_prepared_is_not_forgotten_at_the_end() {
    check(|| {
        let (seen, line) = start(&NEVER, 1);
        seen.copies[0].is_worn.store(true, SeqCst);
        call(&seen, &line, false);
        line.stop();
        seen.wait_for_what_is_prepared();
        assert_eq!(seen.sum(|copy| &copy.renewed), 1, "nobody has it");
        assert_eq!(seen.sum(|copy| &copy.cleared), 1);
    });
}
