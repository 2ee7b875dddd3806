//! What `trine::stats` counts. In a binary of its own, so that no other calls are counted.

use std::io::Write;

use trine::{FunctionStats, Stream, TaskSet, concurrent, gather, race, stats};
use trine_tests::gate::Gate;
use trine_tests::modes::{MODES, Mode};

/// The counts of a function that was called at least once.
fn of(mode: &Mode, name: &str) -> FunctionStats {
    let is_it = |function: &FunctionStats| (function.name, function.mode) == (name, mode.name);
    stats().functions.into_iter().find(is_it).expect("it was called")
}

#[test]
fn each_call_is_counted_once() {
    for mode in MODES {
        for number in 0..50 {
            (mode.value)(number).join().unwrap();
        }
        // What is made of calls is none.
        let outcomes = gather((50..98).map(|number| (mode.value)(number).outcome().map(|_| ())));
        outcomes.then(|_| race([(mode.value)(98).map(drop)])).join().unwrap();
        TaskSet::from_iter([(mode.value)(99)]).join_next().unwrap().unwrap();
        let value = of(mode, "value");
        assert_eq!((value.queued, value.running, value.done), (0, 0, 100), "{mode:?}");
        assert_eq!(value.failed.total(), 0, "{mode:?}");
        assert_eq!(value.latency.count(), 100, "{mode:?}");
        assert!(value.latency.quantile(0.5) <= value.latency.quantile(0.99), "{mode:?}");

        assert!((mode.fails)(1).join().unwrap().is_err());
        assert_eq!(of(mode, "fails").done, 1, "an `Err` is a value: {mode:?}");

        let printed = stats().to_string();
        let line = format!("value ({}): 0 queued, 0 running, 100 done", mode.name);
        assert!(printed.lines().any(|found| found.starts_with(&line)), "{printed}");
    }
}

#[test]
fn what_waits_and_what_runs_is_told_apart() {
    for mode in MODES {
        let gate = Gate::new();
        let first = (mode.limited)(gate.port());
        let entered = gate.entered();
        let second = (mode.limited)(gate.port());
        let limited = of(mode, "limited");
        assert_eq!((limited.queued, limited.running, limited.done), (1, 1, 0), "{mode:?}");
        drop(second);
        let limited = of(mode, "limited");
        assert_eq!((limited.queued, limited.running), (0, 1), "{mode:?}");
        assert_eq!(limited.failed.cancelled, 1, "{mode:?}");
        drop(entered);
        first.join().unwrap();
        let limited = of(mode, "limited");
        assert_eq!((limited.queued, limited.running, limited.done), (0, 0, 1), "{mode:?}");
    }
}

#[test]
fn failures_are_counted_by_their_kind() {
    for mode in MODES {
        assert!((mode.panics)(1).join().is_err());
        assert_eq!(of(mode, "panics").failed.panicked, 1, "{mode:?}");

        let gate = Gate::new();
        assert!((mode.hangs)(gate.port()).join().unwrap_err().is_timeout());
        assert_eq!(of(mode, "hangs").failed.timed_out, 1, "{mode:?}");

        let gate = Gate::new();
        let runs = (mode.queued)(gate.port());
        let entered = gate.entered();
        let wait = [0, 1].map(|_| (mode.queued)(gate.port()));
        assert!((mode.queued)(gate.port()).join().unwrap_err().is_busy());
        let queued = of(mode, "queued");
        assert_eq!((queued.running, queued.queued, queued.failed.busy), (1, 2, 1), "{mode:?}");
        drop(wait);
        drop(entered);
        runs.join().unwrap();

        if let Some(crashes) = mode.crashes {
            assert!(crashes(1).join().is_err());
            assert_eq!(of(mode, "crashes").failed.crashed, 1, "{mode:?}");
            assert!(stats().workers.deaths >= 1);
        }
    }
}

#[test]
fn a_retry_is_a_call_of_its_own() {
    for mode in MODES {
        let gate = Gate::new();
        let task = (mode.retried)(gate.port());
        for word in ["error", "panic", "value"] {
            gate.entered().write_all(word.as_bytes()).unwrap();
        }
        assert_eq!(task.join().unwrap(), Ok(9));
        let retried = of(mode, "retried");
        assert_eq!((retried.retries, retried.done, retried.failed.panicked), (2, 2, 1), "{mode:?}");
    }
}

#[test]
fn threads_that_end_leave_what_they_counted() {
    let mode = &MODES[0];
    let threads = 8;
    for _ in 0..threads {
        std::thread::spawn(|| (mode.polite)(0).cancel()).join().unwrap();
    }
    let polite = of(mode, "polite");
    assert_eq!(polite.queued + polite.running + polite.done + polite.failed.total(), threads);
}

#[concurrent(threads)]
fn yields(count: u64) -> impl Iterator<Item = u64> {
    (0..count).inspect(|number| assert!(*number < 10, "on purpose"))
}

#[concurrent(process)]
fn yields_in_a_worker(count: u64) -> impl Iterator<Item = u64> {
    (0..count).inspect(|number| assert!(*number < 10, "on purpose"))
}

#[concurrent(async)]
fn yields_awaited(count: u64) -> impl futures::Stream<Item = u64> {
    futures::stream::iter((0..count).inspect(|number| assert!(*number < 10, "on purpose")))
}

/// A function that yields, and its name.
type Yielding = (&'static str, fn(u64) -> Stream<u64>);

/// However many items it has; and it runs for as long as it yields.
#[test]
fn a_stream_is_one_call() {
    let functions: &[Yielding] = &[
        ("yields", yields),
        ("yields_in_a_worker", yields_in_a_worker),
        ("yields_awaited", yields_awaited),
    ];
    for &(name, function) in functions {
        let counts = || {
            let all = stats().functions;
            let of = all.into_iter().find(|function| function.name == name).expect("it was called");
            let failed = of.failed;
            (of.queued, of.running, of.done, failed.cancelled, failed.panicked)
        };
        assert_eq!(function(10).into_iter().count(), 10, "{name}");
        assert_eq!(counts(), (0, 0, 1, 0, 0), "{name}");
        assert_eq!(function(3).gather().join().unwrap(), [0, 1, 2], "{name}");
        assert_eq!(counts(), (0, 0, 2, 0, 0), "{name}");
        assert_eq!(function(20).into_iter().filter(Result::is_ok).count(), 10, "{name}");
        assert_eq!(counts(), (0, 0, 2, 0, 1), "{name}");
    }
}
