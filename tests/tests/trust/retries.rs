//! What a function with `retries` needs from user code, and where it runs it.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use trine::{Error, Task, concurrent, gather};
use trine_tests::checks::ends_in_time;

/// Can be cloned this many times.
struct Copies(&'static AtomicU32);

impl Clone for Copies {
    fn clone(&self) -> Self {
        let left = self.0.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        assert!(left.is_ok(), "no more copies");
        Self(self.0)
    }
}

macro_rules! mode {
    ($module:ident, $mode:ident, $($async:ident)?) => {
        mod $module {
            use super::Copies;
            use trine::concurrent;

            #[concurrent($mode, retries = 3)]
            pub(super) $($async)? fn at_once(_: Copies) -> Result<u32, u32> {
                Err(1)
            }

            #[concurrent($mode, retries = 3, backoff = 1ms)]
            pub(super) $($async)? fn later(_: Copies) -> Result<u32, u32> {
                Err(1)
            }

            #[concurrent($mode, retries = 2)]
            pub(super) $($async)? fn panics() -> u32 {
                panic!("each time")
            }
        }
    };
}

/// What `wants` was asked.
static ASKED: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn wants(outcome: Result<&Result<u32, u32>, &Error>) -> bool {
    ASKED.lock().unwrap().push(format!("{:?}", outcome.map_err(ToString::to_string)));
    match outcome {
        Ok(Err(13)) => panic!("in the question"),
        Ok(value) => matches!(value, Ok(_) | Err(7)),
        Err(error) => error.to_string().contains("again"),
    }
}

macro_rules! choosy {
    ($module:ident, $mode:ident, $($async:ident)?) => {
        mod $module {
            use super::wants;
            use trine::concurrent;

            #[concurrent($mode, retries = 3, retry_if = wants)]
            $($async)? fn plain(way: u32) -> Result<u32, u32> {
                super::does(way)
            }

            #[concurrent($mode, scoped, retries = 3, retry_if = wants)]
            $($async)? fn borrows(way: &u32) -> Result<u32, u32> {
                super::does(*way)
            }

            pub(super) const WAYS: [super::Choosy; 3] = [
                |way| plain(way).join(),
                |way| trine::scope(|s| borrows(s, &way).join()),
                |way| trine::sequential(|| plain(way).join()),
            ];
        }
    };
}

type Choosy = fn(u32) -> Result<Result<u32, u32>, Error>;

fn does(way: u32) -> Result<u32, u32> {
    match way {
        0 => Ok(0),
        2 => panic!("go away"),
        3 => panic!("come again"),
        _ => Err(way),
    }
}

choosy!(choosy_threads, threads,);
choosy!(choosy_process, process,);
choosy!(choosy_async, async, async);

/// What a call is told to do; its outcome; how often `wants` is asked, which never includes the
/// last try; and how many tries the error counts, if it ends with one.
const CHOICES: &[(u32, &str, usize, u32)] = &[
    (0, "Ok(Ok(0))", 3, 0),
    (7, "Ok(Err(7))", 3, 0),
    (8, "Ok(Err(8))", 1, 0),
    (13, "panicked: in the question", 1, 1),
    (2, "panicked: go away", 1, 1),
    (3, "panicked: come again", 3, 4),
];

#[test]
fn retry_if_says_what_is_tried_again() {
    let modes = [
        ("threads", choosy_threads::WAYS),
        ("process", choosy_process::WAYS),
        ("async", choosy_async::WAYS),
    ];
    for (mode, ways) in modes {
        for ((how, call), choice) in ["plain", "scoped", "sequential"]
            .iter()
            .zip(ways)
            .flat_map(|way| CHOICES.iter().map(move |choice| (way, choice)))
        {
            let (way, expected, asked, tries) = *choice;
            let name = format!("{mode}, {how}, {way}");
            ASKED.lock().unwrap().clear();
            ends_in_time(&name, || {
                let result = call(way);
                let seen = result.as_ref().err().map_or(0, Error::tries);
                let told =
                    result.map_or_else(|error| error.to_string(), |value| format!("Ok({value:?})"));
                assert!(told.contains(expected), "{name}: {told}");
                assert_eq!(seen, tries, "{name}");
            });
            assert_eq!(ASKED.lock().unwrap().len(), asked, "{name}");
        }
    }
}

mode!(threads, threads,);
mode!(asynchronous, async, async);

type Call = fn(Copies) -> Task<Result<u32, u32>>;

const CALLS: &[(&str, Call)] = &[
    ("threads, at once", threads::at_once),
    ("threads, later", threads::later),
    ("async, at once", asynchronous::at_once),
    ("async, later", asynchronous::later),
];

#[test]
fn arguments_that_cannot_be_copied_are_the_task_s_error() {
    static LEFT: AtomicU32 = AtomicU32::new(0);
    for (name, call) in CALLS {
        for copies in 0..3 {
            ends_in_time(name, || {
                LEFT.store(copies, SeqCst);
                let error = call(Copies(&LEFT)).join().unwrap_err();
                assert!(error.to_string().contains("no more copies"), "{name}: {error}");
            });
        }
        LEFT.store(3, SeqCst);
        assert_eq!(call(Copies(&LEFT)).join().unwrap(), Err(1), "{name}");
    }
}

fn is_busy(outcome: Result<&u32, &Error>) -> bool {
    outcome.is_err_and(Error::is_busy)
}

#[concurrent(threads, limit = 1, queue = 1, retries = 2)]
fn at_once(gate: Arc<Barrier>) -> u32 {
    gate.wait();
    1
}

#[concurrent(threads, limit = 1, queue = 1, retries = 2, retry_if = is_busy)]
fn insists(gate: Arc<Barrier>) -> u32 {
    gate.wait();
    1
}

#[test]
fn what_is_refused_is_tried_again_only_if_retry_if_says_so() {
    type Call = fn(Arc<Barrier>) -> Task<u32>;
    for (call, tries) in [(at_once as Call, 1), (insists, 3)] {
        let gate = Arc::new(Barrier::new(2));
        let tasks = [call(Arc::clone(&gate)), call(Arc::clone(&gate))];
        let error = call(Arc::clone(&gate)).join().unwrap_err();
        assert!(error.is_busy(), "{error}");
        assert_eq!(error.tries(), tries);
        for task in tasks {
            gate.wait();
            // It has a deadline, so this thread does not run it.
            assert_eq!(task.timeout(Duration::from_secs(60)).join().unwrap(), 1);
        }
    }
}

#[test]
fn the_error_says_how_often_was_tried() {
    for error in [threads::panics().join(), asynchronous::panics().join()].map(Result::unwrap_err) {
        assert_eq!(error.tries(), 3);
        assert!(error.to_string().contains(", after 3 tries in "), "{error}");
    }
}

#[concurrent(threads, retries = 2, backoff = 1ms)]
fn notes_its_thread(into: &'static Mutex<Vec<ThreadId>>) -> Result<(), ()> {
    into.lock().unwrap().push(thread::current().id());
    Err(())
}

#[test]
fn sequential_tries_all_run_here() {
    static THREADS: Mutex<Vec<ThreadId>> = Mutex::new(Vec::new());
    let task = trine::sequential(|| notes_its_thread(&THREADS));
    assert!(task.is_finished());
    assert_eq!(task.join().unwrap(), Err(()));
    assert_eq!(*THREADS.lock().unwrap(), [thread::current().id(); 3]);
}

#[concurrent(async, retries = 3, backoff = 1us)]
async fn fails_briefly() -> Result<(), ()> {
    Err(())
}

/// The next attempt may come and go before the thread that set the pause notes it.
#[test]
fn a_pause_that_is_over_at_once_loses_no_attempt() {
    ends_in_time("brief pauses", || {
        for _ in 0..20 {
            let all = gather((0..500).map(|_| fails_briefly())).join().unwrap();
            assert!(all.iter().all(Result::is_err));
        }
    });
}
