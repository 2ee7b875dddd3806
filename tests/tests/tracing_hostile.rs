//! A subscriber of `tracing` that panics, blocks or makes calls wherever it hears of a task: run
//! with `--features tracing`. In a program of its own, because there is one subscriber for all
//! tests.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, Once};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use trine::{Task, concurrent, gather};
use trine_tests::checks::{ends_in_time, wait_until};
use trine_tests::gate::Gate;
use trine_tests::modes::MODES as ALL;

/// Which callback panics.
static PANICS_AT: AtomicUsize = AtomicUsize::new(0);

const PLACES: &[&str] = &["nothing", "new", "record", "enter", "exit", "close"];

/// Which callback makes calls and waits for them.
static CALLS_AT: AtomicUsize = AtomicUsize::new(0);
static CALLED: AtomicUsize = AtomicUsize::new(0);

fn told(place: &str, span: u64) {
    assert_ne!(PLACES[PANICS_AT.load(SeqCst)], place, "in the subscriber");
    if PLACES[CALLS_AT.load(SeqCst)] == place && place != "nothing" && span != OF_ITS_OWN {
        CALLED.fetch_add(1, SeqCst);
        // The dispatcher brings the one, and the timer ends the other.
        assert_eq!(futures::executor::block_on(asks()).unwrap(), 7);
        assert!(expires().join().unwrap_err().is_timeout());
    }
}

/// The span of the calls that it makes itself.
const OF_ITS_OWN: u64 = 3;

#[concurrent(process)]
fn asks() -> u32 {
    7
}

#[concurrent(threads, timeout = 1ms)]
fn expires() -> u32 {
    until_cancelled()
}

/// The span of the function at whose end it blocks.
const BLOCKS: u64 = 2;
static BLOCKED: AtomicUsize = AtomicUsize::new(0);
static RELEASED: AtomicBool = AtomicBool::new(false);

/// Whether a call is of a function that comes to a gate, or told how it ended.
struct Says(&'static str, bool);

impl Visit for Says {
    fn record_debug(&mut self, field: &Field, _: &dyn Debug) {
        self.1 |= field.name() == self.0;
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.1 |= field.name() == self.0 || value == self.0;
    }
}

struct Hostile;

impl Subscriber for Hostile {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let is_of = |name| {
            let mut says = Says(name, false);
            attributes.record(&mut says);
            says.1
        };
        let span = match is_of("asks") || is_of("expires") {
            true => OF_ITS_OWN,
            false => u64::from(is_of("gated")) + 1,
        };
        told("new", span);
        Id::from_u64(span)
    }

    fn record(&self, span: &Id, record: &Record<'_>) {
        told("record", span.into_u64());
        let mut says = Says("outcome", false);
        record.record(&mut says);
        if span.into_u64() == BLOCKS && says.1 {
            BLOCKED.fetch_add(1, SeqCst);
            while !RELEASED.load(SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, span: &Id) {
        told("enter", span.into_u64());
    }

    fn exit(&self, span: &Id) {
        told("exit", span.into_u64());
    }

    fn try_close(&self, span: Id) -> bool {
        told("close", span.into_u64());
        true
    }
}

macro_rules! mode {
    ($module:ident, $mode:ident, $never:expr, $($async:ident)?) => {
        mod $module {
            use trine::concurrent;

            #[concurrent($mode)]
            pub(super) $($async)? fn quick(number: u32) -> u32 {
                number
            }

            #[concurrent($mode, limit = 1)]
            pub(super) $($async)? fn limited(number: u32) -> u32 {
                number
            }

            #[concurrent($mode)]
            pub(super) $($async)? fn panics(_number: u32) -> u32 {
                panic!("in the body")
            }

            #[concurrent($mode, timeout = 5ms)]
            pub(super) $($async)? fn never(_number: u32) -> u32 {
                $never
            }
        }
    };
}

fn until_cancelled() -> u32 {
    while !trine::cancelled() {
        std::thread::yield_now();
    }
    0
}

mode!(threads, threads, super::until_cancelled(),);
mode!(process, process, super::until_cancelled(),);
mode!(asynchronous, async, std::future::pending().await, async);

#[concurrent(threads)]
fn serves() -> u32 {
    7
}

type Function = fn(u32) -> Task<u32>;

/// The name of a mode, and its calls: one that succeeds, one that waits for a place, one that
/// panics, and one that ends by its deadline.
const MODES: &[(&str, [Function; 4])] = &[
    ("threads", [threads::quick, threads::limited, threads::panics, threads::never]),
    ("process", [process::quick, process::limited, process::panics, process::never]),
    (
        "async",
        [asynchronous::quick, asynchronous::limited, asynchronous::panics, asynchronous::never],
    ),
];

/// Whether somebody joins them, awaits them or only looks, they end as they should.
fn all_end([quick, limited, panics, never]: [Function; 4]) {
    assert_eq!(gather((0..8).map(quick)).join().unwrap(), Vec::from_iter(0..8));
    assert_eq!(gather((0..8).map(limited)).join().unwrap(), Vec::from_iter(0..8));
    assert_eq!(futures::executor::block_on(quick(1)).unwrap(), 1);
    let later: Vec<_> = (0..4).map(quick).collect();
    wait_until(|| later.iter().all(Task::is_finished));
    assert!(panics(1).join().unwrap_err().is_panic());
    assert!(never(1).join().unwrap_err().is_timeout());
}

fn subscribe() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Hostile).unwrap());
}

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn it_holds_up_no_other_task() {
    let _one_at_a_time = ONE_AT_A_TIME.lock().unwrap_or_else(|poison| poison.into_inner());
    subscribe();
    let mut expected = 0;
    for mode in ALL {
        // One ends where the mode ends it, with nobody waiting, and one by the timer.
        let gates = [Gate::new(), Gate::new()];
        (mode.gated)(gates[0].port()).detach();
        drop(gates[0].entered());
        (mode.gated)(gates[1].port()).timeout(Duration::from_millis(1)).detach();
        expected += 2;
        wait_until(|| BLOCKED.load(SeqCst) == expected);
        for &(mode, calls) in MODES {
            ends_in_time(mode, || all_end(calls));
        }
    }
    RELEASED.store(true, SeqCst);
}

#[test]
fn its_panics_are_nobody_s() {
    let _one_at_a_time = ONE_AT_A_TIME.lock().unwrap_or_else(|poison| poison.into_inner());
    subscribe();
    for (index, place) in PLACES.iter().enumerate() {
        PANICS_AT.store(index, SeqCst);
        for &(mode, [quick, limited, panics, never]) in MODES {
            ends_in_time(&format!("{mode}, {place}"), || {
                assert_eq!(gather((0..8).map(quick)).join().unwrap(), Vec::from_iter(0..8));
                assert_eq!(gather((0..8).map(limited)).join().unwrap(), Vec::from_iter(0..8));
                assert_eq!(futures::executor::block_on(quick(1)).unwrap(), 1);
                assert!(panics(1).join().unwrap_err().is_panic());
                assert!(never(1).join().unwrap_err().is_timeout());
                assert_eq!(trine::sequential(|| quick(2).join()).unwrap(), 2);
                drop(quick(1));
                quick(1).detach();
            });
        }
        assert_eq!(serves().timeout(Duration::from_secs(60)).join().unwrap(), 7);
    }
    PANICS_AT.store(0, SeqCst);
}

#[test]
fn it_may_wait_for_calls_of_its_own() {
    let _one_at_a_time = ONE_AT_A_TIME.lock().unwrap_or_else(|poison| poison.into_inner());
    subscribe();
    for (index, place) in PLACES.iter().enumerate().skip(1) {
        for &(mode, calls) in MODES {
            CALLS_AT.store(index, SeqCst);
            let before = CALLED.load(SeqCst);
            ends_in_time(&format!("{mode}, {place}"), || all_end(calls));
            // The body of a process call is inside of no span here.
            let is_asked = mode != "process" || !["enter", "exit"].contains(place);
            assert!(!is_asked || CALLED.load(SeqCst) > before, "{mode}, {place}: not asked");
            CALLS_AT.store(0, SeqCst);
        }
    }
}
