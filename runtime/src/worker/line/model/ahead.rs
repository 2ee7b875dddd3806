//! Calls that are sent ahead under loom: a process runs them in the order in which they arrive, and
//! gives those back that it has not begun when a call before them has lost the value.

use std::collections::VecDeque;
use std::sync::Arc;

use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use loom::thread;

use super::super::{Home, Line, Ticket, Turn};
use super::{ONCE, check};
use crate::error::ErrorKind;
use crate::limit::Admit;

/// What goes to the process, and what happened there.
#[derive(Default)]
struct Process {
    sent: Mutex<VecDeque<Arc<Call>>>,
    is_lost: AtomicBool,
    is_closed: AtomicBool,
    made: AtomicUsize,
    cleared: AtomicUsize,
    /// The numbers of the calls that have run, and at which value each did.
    ran: Mutex<Vec<usize>>,
    ran_at: Mutex<Vec<usize>>,
    refused: AtomicUsize,
}

impl Process {
    /// Runs the next call that was sent, or gives it back.
    fn step(&self) -> bool {
        let Some(call) = self.sent.lock().unwrap().pop_front() else { return false };
        let turn = call.ticket.turn();
        if self.is_lost.load(SeqCst) || self.is_closed.load(SeqCst) {
            let order = call.ticket.order();
            turn.come_back(Arc::new(Returned { call, order }));
            return true;
        }
        self.ran.lock().unwrap().push(call.number);
        self.ran_at.lock().unwrap().push(self.made.load(SeqCst));
        self.is_lost.store(call.loses, SeqCst);
        turn.leave();
        true
    }
}

struct Housed(Arc<Process>);

impl Home for Housed {
    fn make(&self, turn: Turn) {
        assert!(self.0.sent.lock().unwrap().is_empty(), "a call is with the value before");
        self.0.made.fetch_add(1, SeqCst);
        self.0.is_lost.store(false, SeqCst);
        self.0.is_closed.store(false, SeqCst);
        turn.made(Ok(()));
        turn.leave();
    }

    fn clear(&self, turn: Turn, _: bool) {
        assert!(self.0.sent.lock().unwrap().is_empty(), "a call is with the value");
        self.0.cleared.fetch_add(1, SeqCst);
        turn.leave();
    }

    fn is_lost(&self) -> bool {
        self.0.is_lost.load(SeqCst)
    }

    fn close(&self) {
        self.0.is_closed.store(true, SeqCst);
    }
}

struct Call {
    process: Arc<Process>,
    ticket: Ticket,
    number: usize,
    loses: bool,
}

impl Admit for Call {
    fn assign(&self, copy: usize, order: u64) {
        self.ticket.assign(copy, order);
    }

    fn goes_ahead(&self) -> bool {
        true
    }

    fn admit(self: Arc<Self>) -> bool {
        // Another thread may send now.
        thread::yield_now();
        let process = Arc::clone(&self.process);
        let mut sent = process.sent.lock().unwrap();
        let is_next = sent.back().is_none_or(|last| last.ticket.order() < self.ticket.order());
        assert!(is_next, "one that had its turn later has arrived before");
        sent.push_back(self);
        true
    }

    fn refuse(self: Arc<Self>, _: ErrorKind) -> bool {
        self.process.refused.fetch_add(1, SeqCst);
        true
    }

    fn is_pending(&self) -> bool {
        true
    }
}

/// A call that has come back, and is sent alone.
struct Returned {
    call: Arc<Call>,
    order: u64,
}

impl Admit for Returned {
    fn assign(&self, copy: usize, order: u64) {
        self.call.assign(copy, order);
    }

    fn admit(self: Arc<Self>) -> bool {
        Arc::clone(&self.call).admit()
    }

    fn refuse(self: Arc<Self>, why: ErrorKind) -> bool {
        Arc::clone(&self.call).refuse(why)
    }

    fn is_pending(&self) -> bool {
        true
    }

    fn order(&self) -> Option<u64> {
        Some(self.order)
    }
}

fn start() -> (Arc<Process>, Arc<Line>) {
    let process = Arc::new(Process::default());
    let home: Box<dyn Home> = Box::new(Housed(Arc::clone(&process)));
    let line = Line::new(&ONCE, Box::new([home]));
    line.begin();
    (process, line)
}

fn call(process: &Arc<Process>, line: &Arc<Line>, number: usize, loses: bool) {
    let (process, ticket) = (Arc::clone(process), Ticket::new(Arc::clone(line)));
    line.enter(Arc::new(Call { process, ticket, number, loses }));
}

/// Whoever has made calls, and whoever ends them, send the next ones.
#[test]
fn they_run_once_and_in_order_beside_their_ends() {
    for first_loses in [false, true] {
        check(move || {
            let (process, line) = start();
            let running = Arc::clone(&process);
            let runs = thread::spawn(move || {
                // It ends with some calls left, which are run below.
                (0..2).for_each(|_| _ = running.step());
            });
            call(&process, &line, 0, first_loses);
            (1..3).for_each(|number| call(&process, &line, number, false));
            runs.join().unwrap();
            while process.step() {}
            assert_eq!(*process.ran.lock().unwrap(), [0, 1, 2]);
            assert_eq!(process.made.load(SeqCst), 1 + usize::from(first_loses));
            line.abandon();
            assert_eq!(process.cleared.load(SeqCst), 1);
        });
    }
}

/// Two make calls while a third ends one: one of them sends at a time.
#[test]
fn they_arrive_in_order_whoever_sends_them() {
    check(|| {
        let (process, line) = start();
        call(&process, &line, 0, false);
        let running = Arc::clone(&process);
        let runs = thread::spawn(move || _ = running.step());
        let (its_process, its_line) = (Arc::clone(&process), Arc::clone(&line));
        let other = thread::spawn(move || call(&its_process, &its_line, 1, false));
        call(&process, &line, 2, false);
        runs.join().unwrap();
        other.join().unwrap();
        while process.step() {}
        assert_eq!(process.ran.lock().unwrap().len(), 3);
    });
}

#[test]
fn none_overtakes_another_of_its_caller() {
    check(|| {
        let (process, line) = start();
        let (its_process, its_line) = (Arc::clone(&process), Arc::clone(&line));
        let other = thread::spawn(move || {
            (10..12).for_each(|number| call(&its_process, &its_line, number, false));
        });
        (0..2).for_each(|number| call(&process, &line, number, number == 0));
        other.join().unwrap();
        while process.step() {}
        let ran = process.ran.lock().unwrap().clone();
        let of = |caller: usize| ran.iter().filter(move |number| **number / 10 == caller);
        assert_eq!(of(0).collect::<Vec<_>>(), [&0, &1]);
        assert_eq!(of(1).collect::<Vec<_>>(), [&10, &11]);
    });
}

#[test]
fn a_stop_beside_them_refuses_or_lets_run() {
    check(|| {
        let (process, line) = start();
        let its_line = Arc::clone(&line);
        let other = thread::spawn(move || its_line.stop());
        (0..2).for_each(|number| call(&process, &line, number, false));
        other.join().unwrap();
        while process.step() {}
        let ran = process.ran.lock().unwrap().len();
        assert_eq!(ran + process.refused.load(SeqCst), 2);
        assert_eq!(process.cleared.load(SeqCst), 1);
    });
}

/// What is closed is the value that was there: what is made after it runs what is sent to it.
#[test]
fn a_restart_beside_them_leaves_the_next_value_open() {
    check(|| {
        let (process, line) = start();
        let its_line = Arc::clone(&line);
        let other = thread::spawn(move || its_line.restart());
        (0..2).for_each(|number| call(&process, &line, number, false));
        other.join().unwrap();
        let mut steps = 0;
        while process.step() {
            steps += 1;
            assert!(steps < 6, "calls go to and fro between their line and a value that is closed");
        }
        assert!(!process.is_closed.load(SeqCst));
        assert_eq!(*process.ran.lock().unwrap(), [0, 1]);
        assert_eq!(process.made.load(SeqCst), 2);
    });
}

#[test]
fn what_has_not_begun_runs_at_the_value_after_a_restart() {
    check(|| {
        let (process, line) = start();
        (0..2).for_each(|number| call(&process, &line, number, false));
        line.restart();
        while process.step() {}
        assert_eq!(*process.ran.lock().unwrap(), [0, 1]);
        assert_eq!(*process.ran_at.lock().unwrap(), [2, 2]);
    });
}
