//! What a function with `retries` needs of user code, and where it runs it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread::{self, ThreadId};

use trine::{Task, concurrent};
use trine_tests::checks::ends_in_time;

/// May be copied so many times.
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
