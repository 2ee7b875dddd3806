//! A call means the same wherever it is made: surroundings × ways to wait × modes.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::pin::Pin;
use std::sync::{Once, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, block_in_place, spawn_blocking};
use trine::{Task, TaskIterator, concurrent, gather};
use trine_tests::modes::MODES;

type Check = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The situations in which a thread may be.
pub(super) struct Surrounding {
    name: &'static str,
    run: fn(Check),
    /// Whether its thread is the one that has to run the `async` calls that are made there.
    pub(super) is_alone: bool,
}

const fn free(name: &'static str, run: fn(Check)) -> Surrounding {
    Surrounding { name, run, is_alone: false }
}

const fn alone(name: &'static str, run: fn(Check)) -> Surrounding {
    Surrounding { name, run, is_alone: true }
}

const SURROUNDINGS: &[Surrounding] = &[
    free("futures", futures::executor::block_on),
    free("smol", futures_lite::future::block_on),
    free("trine::block_on", trine::block_on),
    free("a thread of the pool", |check| on_pool(check).timeout(LONG).join().unwrap()),
    free("an async body on the pool", |check| driven_on_pool(check).timeout(LONG).join().unwrap()),
    alone("a current-thread runtime", |check| current_thread().block_on(check)),
    alone("a task of a current-thread runtime", |check| {
        current_thread().block_on(async { tokio::spawn(check).await.unwrap() });
    }),
    alone("a paused clock", |check| {
        Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(check);
    }),
    free("a multi-thread runtime", |check| multi_thread().block_on(check)),
    free("a task of a multi-thread runtime", |check| {
        multi_thread().block_on(async { tokio::spawn(check).await.unwrap() });
    }),
    free("a `LocalSet` on a multi-thread runtime", |check| {
        LocalSet::new().block_on(&multi_thread(), check);
    }),
    free("a task of a `LocalSet` on a multi-thread runtime", |check| {
        let local = LocalSet::new();
        local.block_on(&multi_thread(), async { tokio::task::spawn_local(check).await.unwrap() });
    }),
    alone("a `LocalSet` on a current-thread runtime", |check| {
        LocalSet::new().block_on(&current_thread(), check);
    }),
    free("`spawn_blocking` of a current-thread runtime", |check| {
        current_thread().block_on(async {
            spawn_blocking(|| futures::executor::block_on(check)).await.unwrap();
        });
    }),
    free("`Handle::block_on` in `spawn_blocking` of a current-thread runtime", |check| {
        current_thread().block_on(async {
            let handle = tokio::runtime::Handle::current();
            spawn_blocking(move || handle.block_on(check)).await.unwrap();
        });
    }),
    free("`spawn_blocking` of a multi-thread runtime", |check| {
        multi_thread().block_on(async {
            spawn_blocking(|| futures::executor::block_on(check)).await.unwrap();
        });
    }),
    free("`block_in_place`", |check| {
        multi_thread().block_on(async {
            let blocks = async { block_in_place(|| futures::executor::block_on(check)) };
            tokio::spawn(blocks).await.unwrap();
        });
    }),
    free("`block_in_place` in `block_in_place`", |check| {
        multi_thread().block_on(async {
            let blocks = || futures::executor::block_on(check);
            let blocks = async { block_in_place(|| block_in_place(blocks)) };
            tokio::spawn(blocks).await.unwrap();
        });
    }),
    free("`Handle::block_on` in `block_in_place`", |check| {
        multi_thread().block_on(async {
            let handle = tokio::runtime::Handle::current();
            let blocks = async move { block_in_place(|| handle.block_on(check)) };
            tokio::spawn(blocks).await.unwrap();
        });
    }),
    free("`block_in_place` in the first task of a runtime", |check| {
        multi_thread().block_on(async { block_in_place(|| futures::executor::block_on(check)) });
    }),
    free("`block_in_place` outside of any runtime", |check| {
        block_in_place(|| futures::executor::block_on(check));
    }),
    free("`trine::blocking` in `block_in_place`", |check| {
        multi_thread().block_on(async {
            let blocks = || trine::blocking(|| futures::executor::block_on(check));
            tokio::spawn(async { block_in_place(blocks) }).await.unwrap();
        });
    }),
    alone("a current-thread runtime in `block_in_place`", |check| {
        multi_thread().block_on(async {
            let blocks = async { block_in_place(|| current_thread().block_on(check)) };
            tokio::spawn(blocks).await.unwrap();
        });
    }),
    alone("a current-thread runtime in `spawn_blocking` of another", |check| {
        current_thread().block_on(async {
            spawn_blocking(|| current_thread().block_on(check)).await.unwrap();
        });
    }),
    free("a thread that entered another thread's runtime", |check| {
        beside_a_driver(|| futures::executor::block_on(check));
    }),
    free("a current-thread runtime that entered another thread's", |check| {
        let blocks = || futures::executor::block_on(check);
        current_thread().block_on(async { beside_a_driver(blocks) });
    }),
    free("a current-thread runtime that entered a multi-thread one", |check| {
        let (own, other) = (current_thread(), multi_thread());
        own.block_on(async {
            let _other = other.enter();
            futures::executor::block_on(check);
        });
    }),
    free("`trine::block_on` in a current-thread runtime", |check| {
        current_thread().block_on(async { trine::block_on(check) });
    }),
];

/// Only to end a hang.
const LONG: Duration = Duration::from_secs(300);

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Runs something with the handle of a current-thread runtime entered; another thread drives the
/// runtime.
fn beside_a_driver(run: impl FnOnce()) {
    let runtime = current_thread();
    let handle = runtime.handle().clone();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    thread::scope(|s| {
        s.spawn(move || runtime.block_on(ended));
        let entered = handle.enter();
        run();
        drop(entered);
        drop(end);
    });
}

#[concurrent(threads)]
fn on_pool(check: Check) {
    futures::executor::block_on(check);
}

#[concurrent(threads)]
async fn driven_on_pool(check: Check) {
    check.await;
}

/// What tokio says if it is asked for something that it refuses. A caught panic is still printed,
/// and ends a program that is built to abort.
fn refuse_to_be_refused() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let earlier = take_hook();
        set_hook(Box::new(move |info| {
            if info.location().is_some_and(|place| place.file().contains("tokio-1")) {
                std::process::abort();
            }
            earlier(info);
        }));
    });
}

/// Runs a check on a separate thread in every surrounding; a hang becomes a failure.
pub(super) fn everywhere<F>(check: fn(&'static Surrounding) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    refuse_to_be_refused();
    let _ = trine::Config::new().threads(16).processes(4).apply();
    for surrounding in SURROUNDINGS {
        let (done, is_done) = mpsc::channel();
        thread::spawn(move || {
            (surrounding.run)(Box::pin(check(surrounding)));
            done.send(()).unwrap();
        });
        match is_done.recv_timeout(LONG) {
            Ok(()) => {}
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("in {}: it hangs", surrounding.name),
            Err(_) => panic!("in {}: it failed", surrounding.name),
        }
    }
}

type Value = fn(u32) -> Task<u32>;
type Way = fn(Value) -> u32;

/// Each returns the result of `value(1)`.
const BLOCKING: &[(&str, Way)] = &[
    ("join", |value| value(1).join().unwrap()),
    ("join_timeout", |value| value(1).join_timeout(LONG).unwrap().unwrap()),
    ("timeout", |value| value(1).timeout(LONG).join().unwrap()),
    ("map", |value| value(0).map(|zero| zero + 1).join().unwrap()),
    ("then", |value| value(0).then(value).join().unwrap()),
    ("gather", |value| gather([value(0), value(1)]).join().unwrap()[1]),
    ("buffered", |value| (0..9).map(value).buffered(2).nth(1).unwrap().unwrap()),
    ("buffer_unordered", |value| {
        let values = (0..2).map(value).buffer_unordered(2);
        values.map(Result::unwrap).max().unwrap()
    }),
    ("trine::block_on", |value| match tokio::runtime::Handle::try_current() {
        // That would block the very thread that polls it.
        _ if is_current_thread() => value(1).join().unwrap(),
        _ => trine::block_on(value(1)).unwrap(),
    }),
];

fn is_current_thread() -> bool {
    tokio::runtime::worker_index().is_some()
}

#[test]
fn blocking_waits() {
    everywhere(|surrounding| async move {
        for (mode, (way, wait)) in MODES.iter().flat_map(|m| BLOCKING.iter().map(move |w| (m, w))) {
            let value = catch_unwind(AssertUnwindSafe(|| wait(mode.value)));
            let is_refused = surrounding.is_alone && mode.name == "async";
            match value {
                Ok(value) => assert!(value == 2 && !is_refused, "{way} of {}: {value}", mode.name),
                Err(panic) => {
                    check_refusal(&*panic, is_refused, &format!("{way} of {}", mode.name));
                }
            }
        }
    });
}

/// What a blocking wait that could only hang says.
pub(super) fn check_refusal(panic: &(dyn Any + Send), is_refused: bool, what: &str) {
    let message = match panic.downcast_ref::<String>() {
        Some(message) => message.as_str(),
        None => panic.downcast_ref::<&str>().unwrap(),
    };
    assert!(is_refused, "{what}: {message}");
    assert!(message.contains("would wait forever"), "{message}");
}

#[test]
fn awaiting() {
    everywhere(|_| async {
        for mode in MODES {
            let value = mode.value;
            assert_eq!(value(1).await.unwrap(), 2, "{}", mode.name);
            assert_eq!(value(1).timeout(LONG).await.unwrap(), 2, "{}", mode.name);
            assert_eq!(value(0).map(|zero| zero + 1).await.unwrap(), 2, "{}", mode.name);
            assert_eq!(value(0).then(value).await.unwrap(), 2, "{}", mode.name);
            let all = gather((0..9).map(value)).await.unwrap();
            assert_eq!(all, Vec::from_iter(1..10), "{}", mode.name);
        }
    });
}

/// What `reqwest::blocking` and others do.
#[concurrent(threads)]
fn blocking_client() -> u32 {
    current_thread().block_on(async { 7 })
}

/// Whether a runtime is ambient, and whether this is one of its tasks.
#[concurrent(threads)]
fn context() -> (bool, bool) {
    (tokio::runtime::Handle::try_current().is_ok(), tokio::task::try_id().is_some())
}

#[test]
fn a_body_on_a_thread_is_in_no_runtime_whoever_joins_it() {
    everywhere(|surrounding| async move {
        for _ in 0..50 {
            assert_eq!(blocking_client().join().unwrap(), 7);
            // An async body brings trine's own runtime along, also for what it joins.
            if !surrounding.name.contains("block_on") && !surrounding.name.contains("async body") {
                assert_eq!(context().join().unwrap(), (false, false));
            }
        }
    });
}

#[concurrent(threads)]
fn receives(from: mpsc::Receiver<u32>) -> u32 {
    from.recv().unwrap()
}

#[test]
fn the_neighbours_of_a_joiner_get_their_turn() {
    let ways: [fn(Task<u32>) -> u32; 4] = [
        |task| task.join().unwrap(),
        |task| gather([task]).join().unwrap()[0],
        |task| std::iter::once(task).buffer_unordered(1).next().unwrap().unwrap(),
        |task| trine::block_on(task).unwrap(),
    ];
    for join in ways {
        let joined = multi_thread().block_on(async move {
            let (sender, receiver) = mpsc::channel();
            let joiner = tokio::spawn(async move {
                let task = receives(receiver);
                // Queued behind this task, on the only worker there is.
                tokio::spawn(async move { sender.send(5).unwrap() });
                join(task)
            });
            tokio::time::timeout(LONG, joiner).await
        });
        assert_eq!(joined.expect("the neighbour never ran").unwrap(), 5);
    }
}

#[test]
fn a_loop_over_ready_tasks_lets_others_in() {
    current_thread().block_on(async {
        let ready: Vec<_> = (0..1000).map(MODES[0].value).collect();
        while !ready.iter().all(Task::is_finished) {
            thread::yield_now();
        }
        let other = tokio::spawn(async {});
        for task in ready {
            task.await.unwrap();
        }
        assert!(other.is_finished());
    });
}
