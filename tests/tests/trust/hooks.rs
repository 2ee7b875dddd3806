//! A panic's location is known, whatever the program does with the panic hook.

use std::panic::{catch_unwind, resume_unwind, set_hook, take_hook};

use trine::{Error, ErrorKind, concurrent, gather, scope, sequential};
use trine_tests::programs::alone;

macro_rules! mode {
    ($module:ident, $mode:ident, $($async:ident)?) => {
        mod $module {
            use trine::concurrent;

            #[concurrent($mode)]
            pub(super) $($async)? fn panics() {
                panic!("on purpose");
            }

            #[concurrent($mode)]
            pub(super) $($async)? fn ends() -> u32 {
                7
            }

            #[concurrent($mode, retries = 1)]
            pub(super) $($async)? fn panics_again() {
                panic!("on purpose");
            }

            #[concurrent($mode, scoped)]
            pub(super) $($async)? fn panics_in_a_scope(_number: &u32) {
                panic!("on purpose");
            }
        }
    };
}

mode!(threads, threads,);
mode!(process, process,);
mode!(asynchronous, async, async);

#[concurrent(threads)]
fn yields() -> impl Iterator<Item = u32> {
    (0..3).inspect(|number| assert!(*number < 2, "on purpose"))
}

#[concurrent(process)]
fn yields_in_a_worker() -> impl Iterator<Item = u32> {
    (0..3).inspect(|number| assert!(*number < 2, "on purpose"))
}

#[concurrent(async)]
fn yields_on_tokio() -> impl futures::Stream<Item = u32> {
    futures::StreamExt::inspect(futures::stream::iter(0..3), |number| {
        assert!(*number < 2, "on purpose");
    })
}

struct Panics;

#[concurrent(threads)]
impl Panics {
    pub(crate) fn new() -> Self {
        Self
    }
    pub(crate) fn panics(&self) {
        panic!("on purpose");
    }
}

struct PanicsOnTokio;

#[concurrent(async)]
impl PanicsOnTokio {
    pub(crate) async fn new() -> Self {
        Self
    }
    pub(crate) async fn panics(&self) {
        panic!("on purpose");
    }
}

/// The error of code of users that panics in this file.
type Place = fn() -> Error;

const PLACES: &[(&str, Place)] = &[
    ("threads", || threads::panics().join().unwrap_err()),
    ("threads, awaited", || trine::block_on(threads::panics()).unwrap_err()),
    ("threads, tried again", || threads::panics_again().join().unwrap_err()),
    ("threads, in a scope", || scope(|s| threads::panics_in_a_scope(s, &1).join()).unwrap_err()),
    ("process", || process::panics().join().unwrap_err()),
    ("process, awaited", || trine::block_on(process::panics()).unwrap_err()),
    ("process, tried again", || process::panics_again().join().unwrap_err()),
    ("process, in a scope", || scope(|s| process::panics_in_a_scope(s, &1).join()).unwrap_err()),
    ("async", || asynchronous::panics().join().unwrap_err()),
    ("async, awaited", || trine::block_on(asynchronous::panics()).unwrap_err()),
    ("async, tried again", || asynchronous::panics_again().join().unwrap_err()),
    ("async, in a scope", || scope(|s| asynchronous::panics_in_a_scope(s, &1).join()).unwrap_err()),
    ("threads in sequence", || sequential(|| threads::panics().join()).unwrap_err()),
    ("process in sequence", || sequential(|| process::panics().join()).unwrap_err()),
    ("async in sequence", || sequential(|| asynchronous::panics().join()).unwrap_err()),
    ("a map", || threads::ends().map(|_| panic!("on purpose")).join().unwrap_err()),
    ("a map of a process", || process::ends().map(|_| panic!("on purpose")).join().unwrap_err()),
    ("a map, awaited", || {
        trine::block_on(asynchronous::ends().map(|_| panic!("on purpose"))).unwrap_err()
    }),
    ("a then", || {
        let next = |_| -> trine::Task<u32> { panic!("on purpose") };
        threads::ends().then(next).join().unwrap_err()
    }),
    ("several", || gather([threads::panics(), process::panics()]).join().unwrap_err()),
    ("a stream", || yields().into_iter().last().unwrap().unwrap_err()),
    ("a stream of a worker", || yields_in_a_worker().into_iter().last().unwrap().unwrap_err()),
    ("a stream on tokio", || yields_on_tokio().into_iter().last().unwrap().unwrap_err()),
    ("a worker with state", || PanicsWorker::new().panics().join().unwrap_err()),
    ("one on tokio", || PanicsOnTokioWorker::new().panics().join().unwrap_err()),
];

fn all_have_their_place(hook: &str) {
    for (name, error) in PLACES {
        let error = error();
        let ErrorKind::Panicked { message, location: Some(location) } = error.kind() else {
            panic!("{hook}, {name}: {error}");
        };
        assert_eq!(message, "on purpose", "{hook}, {name}");
        assert!(location.contains("hooks.rs"), "{hook}, {name}: {location}");
    }
}

#[test]
fn a_hook_that_is_set_later_loses_no_place() {
    alone(a_hook_that_is_set_later_loses_no_place, &[], || {
        all_have_their_place("at first");
        set_hook(Box::new(|_| {}));
        all_have_their_place("a new hook");
        drop(take_hook());
        all_have_their_place("no hook");
        let before = take_hook();
        set_hook(Box::new(move |info| before(info)));
        all_have_their_place("a hook around the one before");
        set_hook(Box::new(|_| assert_eq!(threads::ends().join().unwrap(), 7)));
        all_have_their_place("a hook that makes calls");
        set_hook(Box::new(|_| {
            trine::blocking(|| std::thread::sleep(std::time::Duration::from_millis(1)));
            assert_eq!(trine::block_on(asynchronous::ends()).unwrap(), 7);
        }));
        all_have_their_place("a hook that blocks");
    });
}

/// A body that catches a panic and ends, and one that resumes a panic, on the same thread.
#[test]
fn a_panic_that_is_resumed_has_no_place_of_another_body() {
    sequential(|| {
        assert_eq!(catches().join().unwrap(), 7);
        let error = resumes().join().unwrap_err();
        let ErrorKind::Panicked { message, location } = error.kind() else { panic!("{error}") };
        assert_eq!((message.as_str(), location.as_deref()), ("resumed", None));
        // Also where one is inside of the other.
        let error = catches_inside().join().unwrap_err();
        let ErrorKind::Panicked { message, location } = error.kind() else { panic!("{error}") };
        assert_eq!((message.as_str(), location.as_deref()), ("resumed", None));
    });
}

#[concurrent(threads)]
fn catches() -> u32 {
    assert!(catch_unwind(|| panic!("caught")).is_err());
    7
}

#[concurrent(threads)]
fn resumes() {
    resume_unwind(Box::new("resumed"));
}

#[concurrent(threads)]
fn catches_inside() {
    assert_eq!(catches().join().unwrap(), 7);
    resume_unwind(Box::new("resumed"));
}
