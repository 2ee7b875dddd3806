//! User code of every kind, in every mode, does its worst: its own call fails or is slow, a
//! bystander's call and deadline are not late, and everything is dropped once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use trine::{Task, concurrent};
use trine_tests::checks::{ends_in_time, wait_until};

/// What user code does where it is called.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Deed {
    Nothing,
    Panics,
    PanicsTwice,
    Waits,
    Joins,
    Recurses,
}

const DEEDS: &[Deed] =
    &[Deed::Nothing, Deed::Panics, Deed::PanicsTwice, Deed::Waits, Deed::Joins, Deed::Recurses];

/// Where it is called.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Place {
    Body,
    Clone,
    DropOfArguments,
    DropOfValue,
    RetryIf,
}

const PLACES: &[Place] =
    &[Place::Body, Place::Clone, Place::DropOfArguments, Place::DropOfValue, Place::RetryIf];

/// A panic's payload that panics in its turn.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        panic!("in the payload");
    }
}

fn deep(depth: u32) -> u32 {
    if depth == 0 { 0 } else { std::hint::black_box(deep(depth - 1)) + 1 }
}

impl Deed {
    fn done(self) {
        match self {
            Self::Nothing => {}
            Self::Panics => panic!("on purpose"),
            Self::PanicsTwice => std::panic::panic_any(Payload),
            Self::Waits => std::thread::sleep(Duration::from_millis(20)),
            Self::Joins => assert_eq!(quick(1).join().unwrap(), 1),
            Self::Recurses => assert_eq!(deep(1000), 1000),
        }
    }
}

/// Made and not dropped yet, in this process.
static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// Does its deed in its place, and counts.
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
        Self::new(at, deed, is)
    }
}

impl From<Hostile> for Plan {
    fn from(hostile: Hostile) -> Self {
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

/// Whether to try again: always, if it comes to say so.
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
    retried: fn(Hostile) -> Task<Result<Hostile, u32>>,
    chosen: fn(Hostile) -> Task<Hostile>,
    quick: fn(u32) -> Task<u32>,
    never: fn() -> Task<()>,
}

macro_rules! mode {
    ($module:ident, $mode:ident, $never:expr, $($async:ident)?) => {
        mod $module {
            use super::{Hostile, Mode, Place};
            use trine::concurrent;

            pub(super) const MODE: Mode =
                Mode { name: stringify!($mode), call, retried, chosen, quick, never };

            #[concurrent($mode)]
            $($async)? fn call(arguments: Hostile) -> Hostile {
                let (at, deed, _) = arguments.0;
                if at == Place::Body {
                    deed.done();
                }
                // rustc leaks a value that is returned past a destructor that panics.
                drop(arguments);
                Hostile::new(at, deed, Place::DropOfValue)
            }

            #[concurrent($mode, retries = 2, backoff = 1ms)]
            $($async)? fn retried(arguments: Hostile) -> Result<Hostile, u32> {
                let (at, deed, _) = arguments.0;
                if at == Place::Body {
                    deed.done();
                }
                Err(1)
            }

            #[concurrent($mode, retries = 2, retry_if = super::retry_if)]
            $($async)? fn chosen(arguments: Hostile) -> Hostile {
                let (at, deed, _) = arguments.0;
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

/// Runs what drops a hostile value on this thread: that is the test's own doing.
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

#[test]
fn every_place_of_user_code_times_what_it_may_do() {
    let _one_at_a_time = ONE_AT_A_TIME.lock();
    for mode in MODES {
        for &at in PLACES {
            for &deed in DEEDS {
                let name = format!("{}, {at:?} {deed:?}", mode.name);
                ends_in_time(&name, || {
                    for end in ENDS {
                        contained(|| {
                            end((mode.call)(Hostile::new(at, deed, Place::DropOfArguments)));
                        });
                        let arguments = Hostile::new(at, deed, Place::DropOfArguments);
                        contained(|| drop((mode.retried)(arguments).join()));
                        contained(|| {
                            end((mode.chosen)(Hostile::new(at, deed, Place::DropOfArguments)));
                        });
                    }
                });
            }
        }
        bystanders_are_well(mode.name);
    }
    wait_until(|| ALIVE.load(SeqCst) == 0);
}
