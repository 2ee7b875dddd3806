//! Stacks do not grow with the number of combinators: shapes × ways to end × modes.
//!
//! Everything runs on a stack that a tenth of the links would overflow if they nested.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use trine::{Task, concurrent, gather, race};
use trine_tests::gate::Gate;
use trine_tests::modes::{MODES, Mode};

const LINKS: u32 = 10_000;
const STACK: usize = 256 << 10;
/// Only to end a hang.
const LONG: Duration = Duration::from_secs(60);

type Shape = fn(Task<u32>) -> Task<u32>;

/// They turn one task into many that depend on each other.
const SHAPES: &[(&str, Shape)] = &[
    ("map", |first| (0..LINKS).fold(first, |task, _| task.map(|number| number))),
    ("outcome", |first| {
        (0..LINKS / 2).fold(first, |task, _| task.outcome().map(|outcome| outcome.unwrap()))
    }),
    ("then before", |first| {
        // The next task is ready, and only waits for its turn to be polled.
        let ready = MODES[0].value;
        (0..LINKS / 4).fold(first, |task, _| task.then(ready).map(|number| number - 1))
    }),
    ("then after", descend_from),
    ("gather", |first| (0..LINKS).fold(first, |task, _| gather([task]).map(|numbers| numbers[0]))),
    ("gather of a list", |first| {
        (0..LINKS).fold(first, |task, _| gather(vec![task]).map(|numbers| numbers[0]))
    }),
    ("race", |first| (0..LINKS).fold(first, |task, _| race([task]))),
];

/// Each link is made by the previous one, and is ready at once.
fn descend_from(first: Task<u32>) -> Task<u32> {
    fn descend(left: u32, number: u32) -> Task<u32> {
        let here = done(number);
        if left == 0 { here } else { here.then(move |number| descend(left - 1, number)) }
    }
    first.then(|number| descend(LINKS, number))
}

/// A task that has already ended.
fn done(number: u32) -> Task<u32> {
    trine::sequential(|| same(number))
}

#[concurrent(threads)]
fn same(number: u32) -> u32 {
    number
}

type End = fn(Task<u32>, Gate);

const ENDS: &[(&str, End)] = &[
    ("joined", |task, gate| {
        release(gate);
        assert_eq!(task.join().unwrap(), 7);
    }),
    ("awaited", |task, gate| {
        release(gate);
        assert_eq!(futures::executor::block_on(task).unwrap(), 7);
    }),
    ("joined when it has ended", |task, gate| {
        release(gate);
        while !task.is_finished() {
            thread::yield_now();
        }
        assert_eq!(task.join().unwrap(), 7);
    }),
    ("dropped", |task, gate| {
        drop(task);
        drop(gate);
    }),
    ("cancelled", |task, gate| {
        task.cancel();
        drop(gate);
        assert!(task.join().unwrap_err().is_cancelled());
    }),
    ("detached", |task, gate| {
        let (done, is_done) = mpsc::channel();
        task.map(move |number| done.send(number).unwrap()).detach();
        release(gate);
        assert_eq!(is_done.recv_timeout(LONG).unwrap(), 7);
    }),
];

/// Lets the body go on once it has come.
fn release(gate: Gate) {
    thread::spawn(move || drop(gate.entered()));
}

fn on_a_small_stack(what: &str, run: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let small = thread::Builder::new().stack_size(STACK).name(what.to_owned());
    let run = move || {
        run();
        done.send(())
    };
    small.spawn(run).unwrap();
    is_done.recv_timeout(LONG).unwrap_or_else(|_| panic!("{what}: failed or hangs"));
}

fn every_end_of(shape: &str, mode: &'static Mode) {
    for (end, finish) in ENDS {
        let (_, combine) = *SHAPES.iter().find(|(name, _)| *name == shape).unwrap();
        on_a_small_stack(&format!("{shape}, {}, {end}", mode.name), move || {
            let gate = Gate::new();
            finish(combine((mode.gated)(gate.port())), gate);
        });
    }
}

#[test]
fn chains_end_in_a_loop() {
    crate::configure();
    for mode in MODES {
        for (shape, _) in SHAPES {
            every_end_of(shape, mode);
        }
    }
}

#[test]
fn arguments_that_own_calls_are_dropped_in_a_loop() {
    crate::configure();
    #[concurrent(threads, limit = 1)]
    fn holds(_other: Option<Task<()>>, _gate: Option<mpsc::Receiver<()>>) {
        if let Some(gate) = _gate {
            let _ = gate.recv();
        }
    }
    on_a_small_stack("arguments", || {
        let (open, gate) = mpsc::channel();
        let first = holds(None, Some(gate));
        let last = (0..LINKS).fold(holds(None, None), |task, _| holds(Some(task), None));
        drop(last);
        drop(open);
        first.join().unwrap();
    });
}
