//! A subscriber of `tracing` that panics wherever it hears of a task: run with `--features
//! tracing`. In a program of its own, because there is one subscriber for all tests.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use trine::{Task, concurrent, gather};
use trine_tests::checks::ends_in_time;

/// Which callback panics.
static PANICS_AT: AtomicUsize = AtomicUsize::new(0);

const PLACES: &[&str] = &["nothing", "new", "record", "enter", "exit", "close"];

fn told(place: &str) {
    assert_ne!(PLACES[PANICS_AT.load(SeqCst)], place, "in the subscriber");
}

struct Hostile;

impl Subscriber for Hostile {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        told("new");
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {
        told("record");
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {
        told("enter");
    }

    fn exit(&self, _: &Id) {
        told("exit");
    }

    fn try_close(&self, _: Id) -> bool {
        told("close");
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

#[test]
fn its_panics_are_nobody_s() {
    tracing::subscriber::set_global_default(Hostile).unwrap();
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
}
