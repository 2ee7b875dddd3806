//! The line of a worker with state under loom: callers, a body that loses the value, and the end of
//! the last handle.
//!
//! What has the turn is run by a thread of its own, as an engine would. CONTRIBUTING.md has the
//! command.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use loom::model::Builder;
use loom::thread;

use super::{Home, Line};
use crate::error::ErrorKind;
use crate::function::Function;
use crate::limit::Admit;

static ONCE: Function = Function::new("modelled").restarts(1);

fn check(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

/// What happened. Loom need not see it: the line alone is to keep calls apart.
#[derive(Default)]
struct Seen {
    has_turn: AtomicBool,
    is_lost: AtomicBool,
    made: AtomicUsize,
    cleared: AtomicUsize,
    ran: AtomicUsize,
    refused: AtomicUsize,
}

impl Seen {
    fn turn(&self, run: impl FnOnce()) {
        assert!(!self.has_turn.swap(true, SeqCst), "two at once");
        run();
        assert!(self.has_turn.swap(false, SeqCst));
    }
}

struct Modelled(Arc<Seen>);

impl Home for Modelled {
    fn make(&self, line: &Arc<Line>) {
        self.0.turn(|| {
            self.0.made.fetch_add(1, SeqCst);
            self.0.is_lost.store(false, SeqCst);
            line.made(Ok(()));
        });
        line.leave();
    }

    fn clear(&self, line: &Arc<Line>, _: bool) {
        self.0.turn(|| _ = self.0.cleared.fetch_add(1, SeqCst));
        line.leave();
    }

    fn is_lost(&self) -> bool {
        self.0.is_lost.load(SeqCst)
    }
}

struct Call {
    seen: Arc<Seen>,
    line: Arc<Line>,
    loses: bool,
}

impl Admit for Call {
    fn admit(self: Arc<Self>) -> bool {
        self.seen.turn(|| {
            assert!(!self.seen.is_lost.load(SeqCst), "it gets a value");
            // Others may come now.
            thread::yield_now();
            self.seen.ran.fetch_add(1, SeqCst);
            self.seen.is_lost.store(self.loses, SeqCst);
        });
        self.line.leave();
        true
    }

    fn refuse(self: Arc<Self>, _: ErrorKind) -> bool {
        self.seen.refused.fetch_add(1, SeqCst);
        true
    }

    fn is_pending(&self) -> bool {
        true
    }
}

fn start() -> (Arc<Seen>, Arc<Line>) {
    let seen = Arc::new(Seen::default());
    let line = Line::new(&ONCE, Box::new(Modelled(Arc::clone(&seen))));
    line.begin();
    (seen, line)
}

fn call(seen: &Arc<Seen>, line: &Arc<Line>, loses: bool) {
    let call = Call { seen: Arc::clone(seen), line: Arc::clone(line), loses };
    line.enter(Arc::new(call), false);
}

#[test]
fn every_call_has_the_turn_once_and_alone() {
    check(|| {
        let (seen, line) = start();
        let other = {
            let (seen, line) = (Arc::clone(&seen), Arc::clone(&line));
            thread::spawn(move || call(&seen, &line, true))
        };
        call(&seen, &line, false);
        other.join().unwrap();
        line.abandon();
        assert_eq!((seen.ran.load(SeqCst), seen.refused.load(SeqCst)), (2, 0));
        assert_eq!(seen.cleared.load(SeqCst), 1, "what is left is dropped");
    });
}

#[test]
fn a_call_beside_the_end_runs_or_is_refused() {
    check(|| {
        let (seen, line) = start();
        let other = {
            let (seen, line) = (Arc::clone(&seen), Arc::clone(&line));
            thread::spawn(move || call(&seen, &line, false))
        };
        line.stop();
        other.join().unwrap();
        assert_eq!(seen.ran.load(SeqCst) + seen.refused.load(SeqCst), 1);
        assert_eq!((seen.made.load(SeqCst), seen.cleared.load(SeqCst)), (1, 1));
    });
}
