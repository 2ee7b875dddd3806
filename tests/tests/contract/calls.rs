//! One contract for all modes: mode × outcome × what happens to the handle × who calls.
//!
//! A body that has to be caught halfway connects to a [`Gate`] of the test, which accepts (so the
//! body has started) and hangs up (so it may end): nothing here sleeps or measures time.

use std::future::Future;
use std::io::Read;
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::time::Duration;

use futures::FutureExt;
use trine::{Error, ErrorKind, TaskIterator, concurrent, gather, race};
use trine_tests::gate::Gate;
use trine_tests::modes::{MODES, Mode};
use trine_tests::system::ABORTED;

/// Waits until the body at the other end is gone: returned, dropped or killed.
pub(super) async fn gone(mut body: TcpStream, mode: &Mode, caller: Caller) {
    if must_not_block(mode, caller) {
        body.set_nonblocking(true).unwrap();
        let waits = |error: std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
        while body.read(&mut [0]).is_err_and(waits) {
            tokio::task::yield_now().await;
        }
    } else {
        let _ = trine::blocking(|| body.read(&mut [0]));
    }
}

type Check = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Caller {
    Thread,
    PoolWorker,
    TokioMulti,
    TokioCurrent,
}

const CALLERS: [Caller; 4] =
    [Caller::Thread, Caller::PoolWorker, Caller::TokioMulti, Caller::TokioCurrent];

#[concurrent(threads)]
fn on_pool(check: Check) {
    futures::executor::block_on(check);
}

fn run(caller: Caller, check: Check) {
    match caller {
        Caller::Thread => futures::executor::block_on(check),
        // Because of the deadline nobody else claims it: it runs on a thread of the pool.
        Caller::PoolWorker => {
            on_pool(check).timeout(Duration::from_secs(600)).join().unwrap();
        }
        Caller::TokioMulti => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async { tokio::spawn(check).await }).unwrap();
        }
        Caller::TokioCurrent => {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(check);
        }
    }
}

/// Runs a check in every mode for every caller.
pub(super) fn everywhere<F>(check: fn(&'static Mode, Caller) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    // Each test may hold a worker while it waits for another call, and the tests run at the same
    // time. The first test to call this sets it; for the others it is already set.
    let _ = trine::Config::new().threads(16).processes(32).apply();
    for mode in MODES {
        for caller in CALLERS {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                run(caller, Box::pin(check(mode, caller)));
            }));
            assert!(outcome.is_ok(), "in mode {} called from {caller:?}", mode.name);
        }
    }
}

/// Whether a join would hang, because its thread is the one that the task needs.
pub(super) fn must_not_block(mode: &Mode, caller: Caller) -> bool {
    mode.name == "async" && caller == Caller::TokioCurrent
}

/// Joins, or awaits where joining is refused.
pub(super) async fn result<T: Send + 'static>(
    task: trine::Task<T>,
    mode: &Mode,
    caller: Caller,
) -> Result<T, Error> {
    if must_not_block(mode, caller) { task.await } else { task.join() }
}

#[test]
fn every_outcome_joined() {
    everywhere(|mode, caller| async move {
        if must_not_block(mode, caller) {
            return;
        }
        assert_eq!((mode.value)(1).join().unwrap(), 2);
        assert_eq!((mode.fails)(1).join().unwrap(), Err("no 1".to_owned()));
        check_panic(&(mode.panics)(1).join().unwrap_err());
        if let Some(crashes) = mode.crashes {
            check_crash(&crashes(1).join().unwrap_err());
        }
    });
}

#[test]
fn every_outcome_awaited() {
    everywhere(|mode, _| async move {
        assert_eq!((mode.value)(1).await.unwrap(), 2);
        assert_eq!((mode.fails)(1).await.unwrap(), Err("no 1".to_owned()));
        check_panic(&(mode.panics)(1).await.unwrap_err());
        if let Some(crashes) = mode.crashes {
            check_crash(&crashes(1).await.unwrap_err());
        }
    });
}

pub(super) fn check_panic(error: &Error) {
    assert!(error.is_panic(), "{error}");
    assert_eq!(error.function(), "panics");
    let ErrorKind::Panicked { message, location } = error.kind() else { unreachable!() };
    assert_eq!(message, "on purpose: 1");
    assert!(location.as_ref().unwrap().contains("modes.rs:"), "{location:?}");
    assert!(error.to_string().starts_with("task `panics` panicked: on purpose: 1 ("), "{error}");
}

fn check_crash(error: &Error) {
    assert!(error.is_crash(), "{error}");
    assert!(error.to_string().starts_with("task `crashes` crashed: "), "{error}");
    assert!(error.to_string().ends_with(ABORTED), "{error}");
}

#[test]
fn join_is_refused_where_it_could_only_hang() {
    everywhere(|mode, caller| async move {
        if must_not_block(mode, caller) {
            let joined = catch_unwind(AssertUnwindSafe(|| (mode.value)(1).join()));
            let payload = joined.expect_err("it should have panicked");
            let message = payload.downcast_ref::<String>().unwrap();
            assert!(message.contains("Await the task instead"), "{message}");
        }
    });
}

#[test]
fn a_timed_out_task_says_so_and_its_body_ends() {
    everywhere(|mode, caller| async move {
        let gate = Gate::new();
        let task = (mode.hangs)(gate.port());
        let error = result(task, mode, caller).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert_eq!(error.to_string(), "task `hangs` timed out after 50ms");
        // One that can be stopped may be, on a busy machine, before it has come here.
        let body = match mode.name {
            "threads" => Some(hold(&gate, mode, caller).await),
            _ => gate.entered_already(),
        };
        if let Some(body) = body {
            gone(body, mode, caller).await;
        }
    });
}

#[test]
fn a_deadline_of_the_handle_cancels() {
    everywhere(|mode, caller| async move {
        let gate = Gate::new();
        let task = (mode.polite)(gate.port()).timeout(Duration::from_millis(40));
        let error = result(task, mode, caller).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
    });
}

#[test]
fn join_timeout_hands_the_task_back() {
    everywhere(|mode, caller| async move {
        if must_not_block(mode, caller) {
            return;
        }
        let gate = Gate::new();
        let task = (mode.gated)(gate.port());
        let task = task.join_timeout(Duration::from_millis(1)).unwrap_err();
        drop(gate.entered());
        assert_eq!(task.join().unwrap(), 7);
    });
}

#[test]
fn a_task_cancelled_while_it_waits_for_a_place_never_starts() {
    everywhere(|mode, caller| async move {
        // The limit is one, so the first call keeps the second from starting.
        let (first_gate, second_gate) = (Gate::new(), Gate::new());
        let first = (mode.limited)(first_gate.port());
        let second = (mode.limited)(second_gate.port());
        second.cancel();
        assert!(second.is_finished());
        assert!(result(second, mode, caller).await.unwrap_err().is_cancelled());
        let entered = hold(&first_gate, mode, caller).await;
        drop(entered);
        assert_eq!(result(first, mode, caller).await.unwrap(), 7);
        assert!(second_gate.entered_already().is_none(), "the cancelled call came in");
    });
}

#[test]
fn a_full_queue_refuses_the_next_call_until_one_has_left_it() {
    everywhere(|mode, caller| async move {
        let gate = Gate::new();
        let call = || (mode.queued)(gate.port());
        let runs = call();
        let inside = hold(&gate, mode, caller).await;
        let [waits, given_up] = [call(), call()];
        let refused = call();
        assert!(refused.is_finished());
        let error = refused.await.unwrap_err();
        assert!(error.is_busy() && *error.kind() == ErrorKind::Busy, "{error}");
        assert_eq!(error.to_string(), "task `queued` was refused: its queue is full");
        // Many times, because calls that were given up stay in the line for a while.
        let mut given_up = Some(given_up);
        for _ in 0..100 {
            drop(given_up.take());
            let again = given_up.insert(call());
            let ended = again.now_or_never();
            assert!(ended.is_none(), "it has a place in the queue: {ended:?}");
            let error = call().await.unwrap_err();
            assert!(error.is_busy(), "{error}");
        }
        drop(inside);
        let ended = [Some(runs), Some(waits), given_up].into_iter().flatten();
        for (number, task) in ended.enumerate() {
            if number > 0 {
                drop(hold(&gate, mode, caller).await);
            }
            assert_eq!(result(task, mode, caller).await.unwrap(), 7);
        }
        // Now there is room again.
        let task = call();
        drop(hold(&gate, mode, caller).await);
        assert_eq!(result(task, mode, caller).await.unwrap(), 7);
    });
}

/// Waits for a body without blocking the runtime that has to run it.
pub(super) async fn hold(gate: &Gate, mode: &Mode, caller: Caller) -> TcpStream {
    if must_not_block(mode, caller) {
        loop {
            if let Some(stream) = gate.entered_already() {
                return stream;
            }
            tokio::task::yield_now().await;
        }
    }
    gate.entered()
}

#[test]
fn a_running_task_is_cancelled_as_hard_as_the_mode_can() {
    everywhere(|mode, caller| async move {
        let gate = Gate::new();
        let task = (mode.polite)(gate.port());
        let body = hold(&gate, mode, caller).await;
        task.cancel();
        let joined = result(task, mode, caller).await;
        match mode.name {
            // It saw `trine::cancelled()` and returned.
            "threads" => assert_eq!(joined.unwrap(), 8),
            _ => assert!(joined.unwrap_err().is_cancelled()),
        }
        gone(body, mode, caller).await;
    });
}

#[test]
fn a_dropped_task_is_cancelled() {
    everywhere(|mode, caller| async move {
        let gate = Gate::new();
        let task = (mode.polite)(gate.port());
        let body = hold(&gate, mode, caller).await;
        drop(task);
        gone(body, mode, caller).await;
    });
}

#[test]
fn a_detached_task_runs_on() {
    everywhere(|mode, caller| async move {
        let gate = Gate::new();
        (mode.gated)(gate.port()).detach();
        // It has come here although its handle is gone, and it is still there.
        let body = hold(&gate, mode, caller).await;
        body.set_nonblocking(true).unwrap();
        let error = (&body).read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    });
}

#[test]
fn the_losers_of_a_race_are_cancelled() {
    everywhere(|mode, caller| async move {
        let gate = Gate::new();
        let loser = (mode.polite)(gate.port());
        let body = hold(&gate, mode, caller).await;
        let winner = result(race([loser, (mode.value)(1)]), mode, caller).await;
        assert_eq!(winner.unwrap(), 2);
        gone(body, mode, caller).await;
    });
}

#[test]
fn gather_keeps_the_order_and_the_first_failure_cancels() {
    everywhere(|mode, caller| async move {
        let tasks = gather((0..20).map(mode.value));
        assert_eq!(result(tasks, mode, caller).await.unwrap(), Vec::from_iter(1..21));
        let pair = gather(((mode.value)(1), (mode.fails)(2)));
        let (one, two) = result(pair, mode, caller).await.unwrap();
        assert_eq!((one, two), (2, Err("no 2".to_owned())));

        let gate = Gate::new();
        let hung = (mode.polite)(gate.port());
        let body = hold(&gate, mode, caller).await;
        let all = gather([hung, (mode.panics)(1)]);
        check_panic(&result(all, mode, caller).await.unwrap_err());
        gone(body, mode, caller).await;
    });
}

#[test]
fn map_and_then_follow() {
    everywhere(|mode, caller| async move {
        let text = (mode.value)(1).map(|value| value.to_string());
        assert_eq!(result(text, mode, caller).await.unwrap(), "2");
        let chain = (mode.value)(1).then(mode.value).then(mode.value);
        assert_eq!(result(chain, mode, caller).await.unwrap(), 4);
        let failed = (mode.panics)(1).then(mode.value);
        check_panic(&result(failed, mode, caller).await.unwrap_err());
        let panicked = (mode.value)(1).map(|_| -> u32 { panic!("in map") });
        assert!(result(panicked, mode, caller).await.unwrap_err().is_panic());
    });
}

#[test]
fn buffered_is_lazy_and_in_order() {
    everywhere(|mode, caller| async move {
        if must_not_block(mode, caller) {
            return;
        }
        let ordered: Result<Vec<_>, _> = (0..).map(mode.value).buffered(3).take(10).collect();
        assert_eq!(ordered.unwrap(), Vec::from_iter(1..11));
        let unordered = (0..10).map(mode.value).buffer_unordered(3);
        let mut unordered: Vec<_> = unordered.collect::<Result<_, _>>().unwrap();
        unordered.sort_unstable();
        assert_eq!(unordered, Vec::from_iter(1..11));
    });
}

#[test]
fn retries_run_again_on_err_and_on_panic() {
    everywhere(|mode, caller| async move {
        let attempts = Gate::new();
        let task = (mode.retried)(attempts.port());
        // It panics, returns `Err`, and succeeds, as the test tells it.
        let script = std::thread::spawn(move || {
            for word in ["panic", "error", "value"] {
                let mut body = attempts.entered();
                std::io::Write::write_all(&mut body, word.as_bytes()).unwrap();
            }
        });
        assert_eq!(result(task, mode, caller).await.unwrap(), Ok(9));
        script.join().unwrap();
    });
}
