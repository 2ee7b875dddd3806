//! What is current at the call is current in the task: in each mode that supports it, whoever runs
//! the body and however often. A hook that does its worst harms only its own call.

use std::cell::Cell;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use trine::{Config, Error, Task, concurrent};
use trine_tests::checks::{ends_in_time, wait_until};
use trine_tests::programs::alone;

thread_local! {
    static CURRENT: Cell<u32> = const { Cell::new(0) };
}

/// How many values were captured and not dropped yet, or restored and not set back.
static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// Which part of the hook panics.
static PANICS: AtomicU32 = AtomicU32::new(NOTHING);
const NOTHING: u32 = 0;
const CAPTURE: u32 = 1;
const RESTORE: u32 = 2;
const GUARD: u32 = 3;
const VALUE: u32 = 4;
/// All of them make calls.
const CALLS: u32 = 5;
/// They block, wherever they are.
const BLOCKS: u32 = 6;

#[concurrent(threads)]
fn of_the_hook() -> u32 {
    CURRENT.get();
    9
}

fn panic_if(part: u32) {
    let panics = PANICS.load(SeqCst);
    assert!(panics != part, "in part {part} of the hook");
    if panics == CALLS {
        assert_eq!(of_the_hook().join().unwrap(), 9);
        assert_eq!(futures::executor::block_on(of_the_hook()).unwrap(), 9);
    } else if panics == BLOCKS {
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(elsewhere().join().unwrap(), 0);
    }
}

struct Captured(u32);

impl Drop for Captured {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, SeqCst);
        panic_if(VALUE);
    }
}

struct Entered(u32);

impl Drop for Entered {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, SeqCst);
        CURRENT.set(self.0);
        panic_if(GUARD);
    }
}

fn carry() {
    let capture = || {
        panic_if(CAPTURE);
        ALIVE.fetch_add(1, SeqCst);
        Captured(CURRENT.get())
    };
    let restore = |captured: &Captured| {
        panic_if(RESTORE);
        ALIVE.fetch_add(1, SeqCst);
        Entered(CURRENT.replace(captured.0))
    };
    Config::new().threads(2).carry(capture, restore).apply().unwrap();
}

macro_rules! mode {
    ($module:ident, $mode:ident, $pause:expr, $($async:ident)?) => {
        mod $module {
            use super::{CURRENT, fails_twice};
            use trine::{Error, concurrent};

            #[concurrent($mode)]
            pub(super) $($async)? fn plain() -> u32 {
                $pause;
                CURRENT.get()
            }

            #[concurrent($mode)]
            pub(super) $($async)? fn panics() -> u32 {
                panic!("in the body")
            }

            #[concurrent($mode, limit = 1)]
            $($async)? fn limited() -> u32 {
                $pause;
                CURRENT.get()
            }

            #[concurrent($mode, retries = 2, backoff = 1ms)]
            $($async)? fn retried(number: u32) -> Result<u32, ()> {
                $pause;
                fails_twice(number)
            }

            #[concurrent($mode, scoped)]
            $($async)? fn borrows(number: &u32) -> u32 {
                $pause;
                CURRENT.get() + number
            }

            pub(super) const WAYS: &[(&str, fn() -> Result<u32, Error>)] = &[
                ("joined", || plain().join()),
                ("joined by nobody", || plain().timeout(super::LONG).join()),
                ("awaited", || futures::executor::block_on(plain())),
                ("under a limit", || {
                    trine::gather([limited(), limited(), limited()]).join().map(|all| {
                        assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
                        all[2]
                    })
                }),
                ("tried again", || retried(CURRENT.get()).join().map(|value| value.unwrap())),
                ("in a scope", || trine::scope(|s| borrows(s, &0).join())),
                ("sequential", || trine::sequential(|| plain().join())),
                ("given up", || {
                    drop(plain());
                    Ok(CURRENT.get())
                }),
            ];
        }
    };
}

const LONG: Duration = Duration::from_secs(60);

/// Fails two times out of three.
fn fails_twice(number: u32) -> Result<u32, ()> {
    static TRIES: AtomicU32 = AtomicU32::new(0);
    assert_eq!(CURRENT.get(), number, "in a later try");
    if TRIES.fetch_add(1, SeqCst) % 3 == 2 { Ok(CURRENT.get()) } else { Err(()) }
}

mode!(threads, threads, std::thread::yield_now(),);
mode!(asynchronous, async, tokio::task::yield_now().await, async);

#[test]
fn what_is_current_at_the_call_is_current_in_the_task() {
    alone(what_is_current_at_the_call_is_current_in_the_task, &[], || {
        carry();
        for number in 1..20 {
            CURRENT.set(number);
            for (name, way) in threads::WAYS.iter().chain(asynchronous::WAYS) {
                assert_eq!(way().unwrap(), number, "{name}");
                assert_eq!(CURRENT.get(), number, "{name}: afterwards");
            }
            interleaved(number);
        }
        CURRENT.set(0);
        wait_until(|| ALIVE.load(SeqCst) == 0);
    });
}

/// Tasks that take turns on one thread, which has a value of its own in between.
fn interleaved(number: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let value = runtime.block_on(async {
        CURRENT.set(number + 1000);
        let first = asynchronous::plain();
        CURRENT.set(number + 2000);
        let second = asynchronous::plain();
        CURRENT.set(number);
        (first.await.unwrap(), second.await.unwrap())
    });
    assert_eq!(value, (number + 1000, number + 2000));
}

/// Which part of the hook panics, and what becomes of a call.
const WORST: &[(u32, Result<u32, &str>)] = &[
    (NOTHING, Ok(7)),
    (CAPTURE, Err("panicked: in part 1 of the hook")),
    (RESTORE, Err("panicked: in part 2 of the hook")),
    (GUARD, Ok(7)),
    (VALUE, Ok(7)),
    (CALLS, Ok(7)),
    (BLOCKS, Ok(7)),
];

#[concurrent(process)]
fn elsewhere() -> u32 {
    CURRENT.get()
}

#[test]
fn a_hook_that_panics_is_the_error_of_its_call_alone() {
    alone(a_hook_that_panics_is_the_error_of_its_call_alone, &[], || {
        carry();
        CURRENT.set(7);
        let calls = [
            ("threads", threads::plain as fn() -> trine::Task<u32>, threads::panics as fn() -> _),
            ("async", asynchronous::plain, asynchronous::panics),
        ];
        for (part, expected) in WORST {
            for (mode, plain, panics) in calls {
                ends_in_time(mode, || {
                    CURRENT.set(7);
                    PANICS.store(*part, SeqCst);
                    check(plain().join(), *expected);
                    check(futures::executor::block_on(plain()), *expected);
                    let error = panics().join().unwrap_err();
                    let in_body = expected.err().unwrap_or("panicked: in the body");
                    assert!(error.to_string().contains(in_body), "{mode}, {part}: {error}");
                    drop(plain());
                    // A call that carries nothing is not affected.
                    assert_eq!(elsewhere().join().unwrap(), 0);
                    PANICS.store(NOTHING, SeqCst);
                    check(plain().join(), Ok(7));
                });
            }
        }
        wait_until(|| ALIVE.load(SeqCst) == 0);
    });
}

/// Closures that run later, or on another thread, with what is current where they are given.
type Closure = fn(Task<u32>) -> Result<u32, Error>;

const CLOSURES: &[(&str, Closure)] = &[
    ("map", |task| elsewhere_now(task.map(|_| CURRENT.get())).join()),
    ("map, awaited", |task| {
        futures::executor::block_on(elsewhere_now(task.map(|_| CURRENT.get())))
    }),
    ("map, seen by nobody", |task| {
        let task = elsewhere_now(task.map(|_| CURRENT.get()));
        wait_until(|| task.is_finished());
        task.join()
    }),
    ("map of an outcome", |task| {
        elsewhere_now(task.outcome().map(|outcome| outcome.map(|_| CURRENT.get()))).join()?
    }),
    ("then", |task| elsewhere_now(task.then(|_| threads::plain())).join()),
    ("then, and what is called there", |task| {
        let next = |_| asynchronous::plain().map(|value| value.max(CURRENT.get()));
        elsewhere_now(task.then(next)).join()
    }),
    ("a chain", |task| {
        let task = task.map(|_| CURRENT.get()).then(|value| elsewhere().map(move |_| value));
        elsewhere_now(task).join()
    }),
    ("gathered", |task| {
        let tasks = [task.map(|_| CURRENT.get()), elsewhere().map(|_| CURRENT.get())];
        elsewhere_now(trine::gather(tasks)).join().map(|both| {
            assert_eq!(both[0], both[1]);
            both[0]
        })
    }),
    ("given up", |task| {
        let number = CURRENT.get();
        drop(task.map(|_| CURRENT.get()));
        Ok(number)
    }),
];

/// Something else is current from here on.
fn elsewhere_now<T>(task: T) -> T {
    CURRENT.set(CURRENT.get() + 1000);
    task
}

type Call = fn() -> Task<u32>;

const MODES: &[(&str, Call)] =
    &[("threads", threads::plain), ("async", asynchronous::plain), ("process", elsewhere)];

#[test]
fn what_is_current_where_a_closure_is_given_is_current_in_it() {
    alone(what_is_current_where_a_closure_is_given_is_current_in_it, &[], || {
        carry();
        for number in 1..20 {
            for (mode, call) in MODES {
                for (name, closure) in CLOSURES {
                    CURRENT.set(number);
                    assert_eq!(closure(call()).unwrap(), number, "{mode}, {name}");
                }
            }
            CURRENT.set(number);
            assert_eq!(both_arms(), (number, number));
            assert_eq!(asks(number).join().unwrap(), Err(number));
            assert_eq!(asks_elsewhere(number).join().unwrap(), Err(number));
        }
        CURRENT.set(0);
        wait_until(|| ALIVE.load(SeqCst) == 0);
    });
}

/// The second arm runs on another thread: neither ends before both have begun.
fn both_arms() -> (u32, u32) {
    let begun = Barrier::new(2);
    let arm = || {
        begun.wait();
        CURRENT.get()
    };
    trine::join(arm, arm)
}

/// Always, where what is current is what it was at the call.
fn is_current(outcome: Result<&Result<u32, u32>, &Error>) -> bool {
    assert_eq!(outcome.unwrap(), &Err(CURRENT.get()), "in `retry_if`");
    true
}

#[concurrent(threads, retries = 2, backoff = 1ms, retry_if = is_current)]
fn asks(number: u32) -> Result<u32, u32> {
    Err(number)
}

#[concurrent(process, retries = 2, backoff = 1ms, retry_if = is_current)]
fn asks_elsewhere(number: u32) -> Result<u32, u32> {
    Err(number)
}

#[test]
fn a_hook_that_panics_is_the_error_of_its_closure_alone() {
    alone(a_hook_that_panics_is_the_error_of_its_closure_alone, &[], || {
        carry();
        for (part, expected) in WORST {
            for (mode, call) in MODES {
                for (name, closure) in CLOSURES {
                    // Its value is what was current, and its task was given up.
                    let expected = if *name == "given up" { Ok(7) } else { *expected };
                    ends_in_time(&format!("{mode}, {name}, {part}"), || {
                        CURRENT.set(7);
                        PANICS.store(*part, SeqCst);
                        check(closure(call()), expected);
                        PANICS.store(NOTHING, SeqCst);
                        CURRENT.set(7);
                        check(closure(call()), Ok(7));
                    });
                }
            }
            ends_in_time("join", || {
                CURRENT.set(7);
                PANICS.store(*part, SeqCst);
                let joined = std::panic::catch_unwind(|| trine::join(|| 1, || CURRENT.get()));
                PANICS.store(NOTHING, SeqCst);
                assert_eq!(joined.is_ok(), expected.is_ok(), "join, {part}");
                CURRENT.set(7);
                assert_eq!(both_arms(), (7, 7));
            });
        }
        wait_until(|| ALIVE.load(SeqCst) == 0);
    });
}

fn check(result: Result<u32, Error>, expected: Result<u32, &str>) {
    match (result, expected) {
        (Ok(value), Ok(expected)) => assert_eq!(value, expected),
        (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
        (result, expected) => panic!("{result:?} where {expected:?} was to come"),
    }
}
