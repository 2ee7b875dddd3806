//! User code of every kind, in every mode, does its worst: its own call fails or is slow, but other
//! calls and their deadlines are not late, and everything is dropped once.

use std::fmt::Display;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use trine::{Task, concurrent, gather};
use trine_tests::checks::{ends_in_time, wait_until};
use trine_tests::programs::alone;

mod driven;
mod elsewhere;
mod modes;
mod scopes;
mod streams;
mod together;
mod workers;

use modes::{MODES, Mode};

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

/// What every body does.
fn body(arguments: Hostile) -> Hostile {
    let (at, deed, _) = arguments.0;
    if at == Place::Body {
        deed.done();
    }
    // rustc leaks a value that is returned past a panicking destructor.
    drop(arguments);
    Hostile::new(at, deed, Place::DropOfValue)
}

/// Always tries again, if it gets as far as saying so.
fn retry_if(outcome: Result<&Hostile, &trine::Error>) -> bool {
    if let Ok(Hostile((Place::RetryIf, deed, _))) = outcome {
        deed.done();
    }
    true
}

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
const RUNS: [(&str, Run); 2] = [("", in_this_mode), (" in sequence", in_sequence)];

/// Every mode and deed, in each way to run. The modes run side by side, and in each of them so many
/// places, since most of the time goes into `Deed::Waits`. Other calls are checked after the last
/// row of a mode.
fn everywhere(
    places: &[impl Display + Sync],
    at_a_time: usize,
    act: impl Fn(&Mode, usize, Deed) + Sync,
) {
    let rows: Vec<_> = (0..places.len()).flat_map(|at| RUNS.map(|run| (at, run))).collect();
    at_once(MODES, |mode| {
        for deed in DEEDS {
            for rows in rows.chunks(at_a_time * RUNS.len()) {
                at_once(rows, |&(index, (run_name, run))| {
                    let name = format!("{}{run_name}, {} {deed:?}", mode.name, places[index]);
                    ends_in_time(&name, || run(&|| act(mode, index, *deed)));
                });
            }
        }
        bystanders_are_well(mode.name);
    });
    wait_until(|| ALIVE.load(SeqCst) == 0);
    // Whatever was done, each call is counted as one that has ended.
    for mode in MODES {
        let is_ours = |name| ["call", "retried", "chosen", "first", "last"].contains(&name);
        wait_until(|| {
            let functions = trine::stats().functions.into_iter();
            let mut ours = functions.filter(|one| one.mode == mode.name && is_ours(one.name));
            ours.all(|one| one.queued + one.running == 0)
        });
    }
}

fn at_once<T: Sync>(rows: &[T], run: impl Fn(&T) + Sync) {
    std::thread::scope(|scope| rows.iter().for_each(|row| drop(scope.spawn(|| run(row)))));
}

/// The rows run in a program of their own, where panics print no backtraces: there are thousands of
/// them, one printed after the other, and a row would seem to hang behind those of its neighbours.
const QUIETLY: &[(&str, &str)] = &[("RUST_BACKTRACE", "0")];

/// Of the tables that end workers, one runs at a time: the kernel takes long to bury many processes
/// at once, and much longer where it has other things to do as well.
fn in_turn<F: Fn()>(test: F, body: fn()) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    alone(test, QUIETLY, body);
}

#[test]
fn every_place_of_user_code_times_what_it_may_do() {
    in_turn(every_place_of_user_code_times_what_it_may_do, every_place);
}

fn every_place() {
    let names: Vec<_> = PLACES.iter().map(|place| format!("{place:?}")).collect();
    everywhere(&names, PLACES.len(), |mode, index, deed| {
        let hostile = || Hostile::new(PLACES[index], deed, Place::DropOfArguments);
        for end in ENDS {
            contained(|| end((mode.call)(hostile())));
            contained(|| drop((mode.retried)(hostile()).join()));
            contained(|| drop((mode.chosen)(hostile()).join()));
        }
    });
}

/// The same in line for a place, a thread or a worker, behind others that do as bad. In turn, or
/// most would find the line full.
#[test]
fn every_place_in_line_times_what_it_may_do() {
    alone(every_place_in_line_times_what_it_may_do, QUIETLY, || {
        let names: Vec<_> = PLACES.iter().map(|place| format!("in line, {place:?}")).collect();
        everywhere(&names, 1, |mode, index, deed| {
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
    in_turn(a_panic_of_a_call_is_told_as_one, || {
        const IN_CALLS: &[Place] = &[Place::Body, Place::Serialize, Place::Deserialize];
        let names: Vec<_> =
            IN_CALLS.iter().map(|place| format!("the blame of {place:?}")).collect();
        everywhere(&names, PLACES.len(), |mode, index, deed| {
            let at = IN_CALLS[index];
            let is_reached = mode.name == "process" || at == Place::Body;
            let result = (mode.call)(Hostile::new(at, deed, Place::DropOfArguments)).join();
            match &result {
                Ok(_) => assert!(!(deed.panics() && is_reached)),
                Err(error) => assert!(error.is_panic() && deed.panics() && is_reached, "{error}"),
            }
            contained(|| drop(result));
        });
    });
}
