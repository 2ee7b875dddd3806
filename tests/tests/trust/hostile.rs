//! User code of every kind, in every mode, does its worst: its own call fails or is slow, but other
//! calls and their deadlines are not late, and everything is dropped once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use trine::{Task, concurrent, gather};
use trine_tests::checks::{ends_in_time, wait_until};
use trine_tests::programs::alone;

mod elsewhere;

/// What user code does where it is called.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Deed {
    Nothing,
    Panics,
    PanicsTwice,
    PanicsWithJoins,
    Waits,
    Joins,
    Awaits,
    Reenters,
    Recurses,
}

const DEEDS: &[Deed] = &[
    Deed::Nothing,
    Deed::Panics,
    Deed::PanicsTwice,
    Deed::PanicsWithJoins,
    Deed::Waits,
    Deed::Joins,
    Deed::Awaits,
    Deed::Reenters,
    Deed::Recurses,
];

/// Where it is called.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Place {
    Body,
    Clone,
    Serialize,
    Deserialize,
    DropOfArguments,
    DropOfValue,
    RetryIf,
}

const PLACES: &[Place] = &[
    Place::Body,
    Place::Clone,
    Place::Serialize,
    Place::Deserialize,
    Place::DropOfArguments,
    Place::DropOfValue,
    Place::RetryIf,
];

/// A panic's payload whose destructor panics too.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        panic!("in the payload");
    }
}

/// One that blocks for a call.
struct Joins;

impl Drop for Joins {
    fn drop(&mut self) {
        assert_eq!(quick(1).timeout(Duration::from_secs(60)).join().unwrap(), 1);
    }
}

fn deep(depth: u32) -> u32 {
    if depth == 0 { 0 } else { std::hint::black_box(deep(depth - 1)) + 1 }
}

impl Deed {
    fn panics(self) -> bool {
        matches!(self, Self::Panics | Self::PanicsTwice | Self::PanicsWithJoins)
    }

    fn done(self) {
        match self {
            Self::Nothing => {}
            Self::Panics => panic!("on purpose"),
            Self::PanicsTwice => std::panic::panic_any(Payload),
            Self::PanicsWithJoins => std::panic::panic_any(Joins),
            Self::Waits => std::thread::sleep(Duration::from_millis(20)),
            Self::Joins => assert_eq!(quick(1).join().unwrap(), 1),
            Self::Awaits => assert_eq!(trine::block_on(quick(1)).unwrap(), 1),
            Self::Reenters => {
                drop(quick(1));
                quick(1).detach();
                let both = gather([quick(1), quick(2)]).timeout(Duration::from_secs(60));
                assert_eq!(both.map(|both| both.len()).join().unwrap(), 2);
                assert_eq!(trine::sequential(|| quick(1).join().unwrap()), 1);
                assert_eq!(trine::join(|| 1, || 2), (1, 2));
            }
            Self::Recurses => assert_eq!(deep(1000), 1000),
        }
    }
}

/// How many values were made and not yet dropped in this process.
static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// Does its deed in its place, and counts itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(from = "Plan", into = "Plan")]
struct Hostile(Plan);

type Plan = (Place, Deed, Place);

impl Hostile {
    fn new(at: Place, deed: Deed, is: Place) -> Self {
        ALIVE.fetch_add(1, SeqCst);
        Self((at, deed, is))
    }

    fn act(&self, here: Place) {
        let (at, deed, is) = self.0;
        if at == here && is == here {
            deed.done();
        }
    }
}

impl From<Plan> for Hostile {
    fn from((at, deed, is): Plan) -> Self {
        if at == Place::Deserialize {
            deed.done();
        }
        Self::new(at, deed, is)
    }
}

impl From<Hostile> for Plan {
    fn from(hostile: Hostile) -> Self {
        let (at, deed, _) = hostile.0;
        if at == Place::Serialize {
            deed.done();
        }
        hostile.0
    }
}

impl Clone for Hostile {
    fn clone(&self) -> Self {
        let (at, deed, is) = self.0;
        if at == Place::Clone {
            deed.done();
        }
        Self::new(at, deed, is)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, SeqCst);
        if !std::thread::panicking() {
            self.act(self.0.2);
        }
    }
}

/// Always tries again, if it gets as far as saying so.
fn retry_if(outcome: Result<&Hostile, &trine::Error>) -> bool {
    if let Ok(Hostile((Place::RetryIf, deed, _))) = outcome {
        deed.done();
    }
    true
}

/// One call of each kind in one mode.
struct Mode {
    name: &'static str,
    call: fn(Hostile) -> Task<Hostile>,
    retried: fn(Hostile) -> Task<Result<Hostile, Hostile>>,
    chosen: fn(Hostile) -> Task<Hostile>,
    /// With everything that says when a call starts.
    in_line: [fn(Hostile) -> Task<Hostile>; 2],
    quick: fn(u32) -> Task<u32>,
    never: fn() -> Task<()>,
}

macro_rules! mode {
    ($module:ident, $mode:ident, $never:expr, $($async:ident)?) => {
        mod $module {
            use super::{Hostile, Mode, Place};
            use trine::concurrent;

            pub(super) const MODE: Mode =
                Mode {
                    name: stringify!($mode),
                    call,
                    retried,
                    chosen,
                    in_line: [first, last],
                    quick,
                    never,
                };

            #[concurrent($mode)]
            $($async)? fn call(arguments: Hostile) -> Hostile {
                let (at, deed, _) = arguments.0;
                if at == Place::Body {
                    deed.done();
                }
                // rustc leaks a value that is returned past a panicking destructor.
                drop(arguments);
                Hostile::new(at, deed, Place::DropOfValue)
            }

            #[concurrent($mode, retries = 2, backoff = 1ms)]
            $($async)? fn retried(arguments: Hostile) -> Result<Hostile, Hostile> {
                let (at, deed, _) = arguments.0;
                if at == Place::Body {
                    deed.done();
                }
                drop(arguments);
                Err(Hostile::new(at, deed, Place::DropOfValue))
            }

            #[concurrent($mode, retries = 2, retry_if = super::retry_if)]
            $($async)? fn chosen(arguments: Hostile) -> Hostile {
                let (at, deed, _) = arguments.0;
                drop(arguments);
                Hostile::new(at, deed, Place::DropOfValue)
            }

            #[concurrent($mode, priority = high, limit = 1, queue = 2)]
            $($async)? fn first(arguments: Hostile) -> Hostile {
                let (at, deed, _) = arguments.0;
                if at == Place::Body {
                    deed.done();
                }
                drop(arguments);
                Hostile::new(at, deed, Place::DropOfValue)
            }

            #[concurrent($mode, priority = low)]
            $($async)? fn last(arguments: Hostile) -> Hostile {
                let (at, deed, _) = arguments.0;
                if at == Place::Body {
                    deed.done();
                }
                drop(arguments);
                Hostile::new(at, deed, Place::DropOfValue)
            }

            #[concurrent($mode)]
            $($async)? fn quick(number: u32) -> u32 {
                number
            }

            #[concurrent($mode, timeout = 20ms)]
            $($async)? fn never() {
                $never
            }
        }
    };
}

fn until_cancelled() {
    while !trine::cancelled() {
        std::thread::yield_now();
    }
}

mode!(threads, threads, super::until_cancelled(),);
mode!(process, process, super::until_cancelled(),);
mode!(asynchronous, async, std::future::pending::<()>().await, async);

const MODES: &[Mode] = &[threads::MODE, process::MODE, asynchronous::MODE];

#[concurrent(threads)]
fn quick(number: u32) -> u32 {
    number
}

/// What becomes of the handle.
const ENDS: &[fn(Task<Hostile>)] = &[
    |task| contained(|| drop(task.join())),
    |task| contained(|| drop(futures::executor::block_on(task))),
    |task| contained(|| drop(task)),
    |task| contained(|| task.detach()),
    |task| contained(|| drop(task.timeout(Duration::from_millis(1)).join())),
];

/// Runs what drops a hostile value on this thread, where the panic is the test's own doing.
fn contained(run: impl FnOnce()) {
    if let Err(payload) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
        std::mem::forget(payload);
    }
}

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn bystanders_are_well(name: &str) {
    ends_in_time(name, || {
        for mode in MODES {
            assert_eq!((mode.quick)(7).join().unwrap(), 7, "{name}");
            assert_eq!(futures::executor::block_on((mode.quick)(8)).unwrap(), 8, "{name}");
            assert!((mode.never)().join().unwrap_err().is_timeout(), "{name}");
        }
    });
}

fn in_this_mode(run: &(dyn Fn() + Sync)) {
    run();
}

fn in_sequence(run: &(dyn Fn() + Sync)) {
    trine::sequential(run);
}

type Run = fn(&(dyn Fn() + Sync));

/// How the calls of a row run.
const RUNS: &[(&str, Run)] = &[("", in_this_mode), (" in sequence", in_sequence)];

/// Every mode and deed, in each way to run. Other calls are checked after the last row of a mode.
fn everywhere(places: &[&str], act: impl Fn(&Mode, usize, Deed) + Sync) {
    let _one_at_a_time = ONE_AT_A_TIME.lock();
    for mode in MODES {
        for (index, place) in places.iter().enumerate() {
            for (deed, (run_name, run)) in
                DEEDS.iter().flat_map(|deed| RUNS.iter().map(move |run| (deed, run)))
            {
                let name = format!("{}{run_name}, {place} {deed:?}", mode.name);
                ends_in_time(&name, || run(&|| act(mode, index, *deed)));
            }
        }
        bystanders_are_well(mode.name);
    }
    wait_until(|| ALIVE.load(SeqCst) == 0);
}

#[test]
fn every_place_of_user_code_times_what_it_may_do() {
    let names: Vec<_> = PLACES.iter().map(|place| format!("{place:?}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    everywhere(&names, |mode, index, deed| {
        let hostile = || Hostile::new(PLACES[index], deed, Place::DropOfArguments);
        for end in ENDS {
            contained(|| end((mode.call)(hostile())));
            contained(|| drop((mode.retried)(hostile()).join()));
            contained(|| drop((mode.chosen)(hostile()).join()));
        }
    });
}

/// The same in line for a place, a thread or a worker, behind others that do as bad.
#[test]
fn every_place_in_line_times_what_it_may_do() {
    alone(every_place_in_line_times_what_it_may_do, &[], || {
        let names: Vec<_> = PLACES.iter().map(|place| format!("in line, {place:?}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        everywhere(&names, |mode, index, deed| {
            let hostile = || Hostile::new(PLACES[index], deed, Place::DropOfArguments);
            for end in ENDS {
                for call in mode.in_line {
                    contained(|| end((mode.in_line[0])(hostile())));
                    contained(|| end(call(hostile())));
                }
            }
        });
    });
}

/// The blame is exact, even if the panic's payload panics in turn.
#[test]
fn a_panic_of_a_call_is_told_as_one() {
    const IN_CALLS: &[Place] = &[Place::Body, Place::Serialize, Place::Deserialize];
    let names: Vec<_> = IN_CALLS.iter().map(|place| format!("the blame of {place:?}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    everywhere(&names, |mode, index, deed| {
        let at = IN_CALLS[index];
        let is_reached = mode.name == "process" || at == Place::Body;
        let result = (mode.call)(Hostile::new(at, deed, Place::DropOfArguments)).join();
        match &result {
            Ok(_) => assert!(!(deed.panics() && is_reached)),
            Err(error) => assert!(error.is_panic() && deed.panics() && is_reached, "{error}"),
        }
        contained(|| drop(result));
    });
}
