//! `trine::drain`. In a binary of its own, because it waits for the calls of the whole program.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use trine::{Task, drain};
use trine_tests::gate::Gate;
use trine_tests::modes::{MODES, Mode};

/// It asks about the whole program.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn it_waits_for_what_runs_and_what_is_queued() {
    let _one = ONE_AT_A_TIME.lock();
    assert!(drain(Duration::ZERO), "nothing runs");
    for mode in MODES {
        let gate = Gate::new();
        let (first, second) = ((mode.limited)(gate.port()), (mode.limited)(gate.port()));
        first.detach();
        second.detach();
        for left in ["two calls", "one call"] {
            let entered = gate.entered();
            assert!(!drain(Duration::from_millis(1)), "{left} in {mode:?}");
            drop(entered);
        }
        assert!(drain(Duration::from_secs(60)), "{mode:?}");

        // What is cancelled has ended, whether or not it had started.
        let (running, queued) = ((mode.limited)(gate.port()), (mode.limited)(gate.port()));
        let entered = gate.entered();
        drop((queued, running));
        drop(entered);
        assert!(drain(Duration::from_secs(60)), "{mode:?}");
    }
}

macro_rules! mode {
    ($module:ident, $mode:ident, $($async:ident)?) => {
        mod $module {
            use std::net::TcpStream;

            /// Comes to the gate, in vain; twice.
            #[trine::concurrent($mode, retries = 1, backoff = 50ms)]
            pub(super) $($async)? fn fails(port: u16) -> Result<(), ()> {
                drop(TcpStream::connect(("127.0.0.1", port)));
                Err(())
            }
        }
    };
}

mode!(threads, threads,);
mode!(process, process,);
mode!(asynchronous, async, async);

type Fails = fn(u16) -> Task<Result<(), ()>>;

const FAILS: &[(&str, Fails)] =
    &[("threads", threads::fails), ("process", process::fails), ("async", asynchronous::fails)];

#[test]
fn it_waits_for_the_tries_to_come() {
    let _one = ONE_AT_A_TIME.lock();
    for (mode, fails) in FAILS {
        let gate = Gate::new();
        fails(gate.port()).detach();
        drop(gate.entered());
        assert!(drain(Duration::from_secs(60)), "{mode}");
        assert!(gate.entered_already().is_some(), "{mode}: the second try");
        drop(gate);

        // Unless nobody wants them.
        let gate = Gate::new();
        let task = fails(gate.port());
        drop((gate.entered(), task));
        assert!(drain(Duration::from_secs(60)), "{mode}");
    }
}

static FOLLOWED: AtomicU32 = AtomicU32::new(0);

fn follow() {
    // Long enough for whoever does not wait.
    std::thread::sleep(Duration::from_millis(10));
    FOLLOWED.fetch_add(1, SeqCst);
}

/// As a value, or as a panic's payload.
struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

type Way = fn(&'static Mode);

/// What follows a call, and is counted as it runs.
const WAYS: &[(&str, Way)] = &[
    ("map", |mode| (mode.value)(1).map(|_| follow()).detach()),
    ("outcome", |mode| (mode.panics)(1).outcome().map(|_| follow()).detach()),
    ("then", |mode| {
        (mode.value)(1)
            .then(|_| {
                std::thread::sleep(Duration::from_millis(10));
                (mode.value)(2).map(|_| follow())
            })
            .detach();
    }),
    ("a map that panics", |mode| {
        (mode.value)(1)
            .map(|_| {
                follow();
                std::panic::panic_any(PanicsWhenDropped)
            })
            .detach();
    }),
    ("a value that panics when it is dropped", |mode| {
        (mode.value)(1)
            .map(|_| {
                follow();
                PanicsWhenDropped
            })
            .detach();
    }),
    ("called in a map", |mode| {
        (mode.value)(1).map(|_| (mode.value)(2).map(|_| follow()).detach()).detach();
    }),
];

#[test]
fn it_waits_for_what_follows_a_call() {
    let _one = ONE_AT_A_TIME.lock();
    for mode in MODES {
        let value = mode.value;
        for (name, way) in WAYS {
            for _ in 0..10 {
                let before = FOLLOWED.load(SeqCst);
                way(mode);
                assert!(drain(Duration::from_secs(60)), "{name} in {mode:?}");
                assert_eq!(FOLLOWED.load(SeqCst), before + 1, "{name} in {mode:?}");
            }
        }
        // What was given up has ended, although its handle is there.
        let gate = Gate::new();
        let kept = (mode.gated)(gate.port()).map(|_| follow()).then(move |()| value(1));
        let entered = gate.entered();
        kept.cancel();
        drop(entered);
        assert!(drain(Duration::from_secs(60)), "{mode:?}");
        // So has what has ended.
        let kept = (value(1).map(|number| number), value(1).then(value), value(1).outcome());
        assert!(drain(Duration::from_secs(60)), "{mode:?}");
        drop(kept);
    }
}
