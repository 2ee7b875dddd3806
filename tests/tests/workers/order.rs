//! One at a time, in the order of the calls.

use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::Duration;

use trine::{concurrent, gather};
use trine_tests::checks::{ends_in_time, wait_until};
use trine_tests::gate::Gate;
use trine_tests::programs::alone;

use crate::counters::each_mode;

each_mode! {
    calls_run_in_the_order_in_which_they_were_made(counter: 0) {
        let tasks: Vec<_> = (1..=200).map(|_| (counter.add)(1)).collect();
        let counts = gather(tasks).join().unwrap();
        assert_eq!(counts, Vec::from_iter(1..=200));
    }

    the_last_one_can_be_joined_first(counter: 0) {
        let mut tasks: Vec<_> = (1..=50).map(|_| (counter.add)(1)).collect();
        let last = tasks.pop().unwrap();
        assert_eq!(last.join().unwrap(), 50);
        assert_eq!(gather(tasks).join().unwrap().len(), 49);
    }

    nothing_is_lost_between_many_callers(counter: 0) {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..250).for_each(|_| (counter.add)(1).detach()));
            }
        });
        assert_eq!((counter.read)().join().unwrap(), 1000);
    }

    inline_in_sequential(counter: 0) {
        trine::sequential(|| {
            let inline = (counter.start)("", 1);
            assert_eq!((inline.add)(1).join().unwrap(), 2);
            assert!((inline.spoil)().join().unwrap_err().is_panic());
            assert_eq!((inline.read)().join().unwrap(), 1);
        });
        assert_eq!((counter.read)().join().unwrap(), 0);
    }
}

struct Log(Vec<u32>);

#[concurrent(threads)]
impl Log {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }
    pub(crate) fn wait(&mut self, port: u16) {
        crate::counters::pass(port);
    }
    pub(crate) fn forever(&self) -> impl Iterator<Item = usize> {
        0..
    }
    pub(crate) fn push(&mut self, number: u32) -> Vec<u32> {
        self.0.push(number);
        self.0.clone()
    }
    pub(crate) fn thread(&self) -> ThreadId {
        thread::current().id()
    }
}

#[test]
fn a_joiner_runs_what_is_before_its_call_while_the_pool_is_busy() {
    let log = LogWorker::new();
    let gate = Gate::new();
    let runs = log.wait(gate.port());
    let held = gate.entered();
    let first = log.push(1);
    let second = log.push(2);
    drop(held);
    assert_eq!(second.join().unwrap(), [1, 2]);
    assert_eq!(first.join().unwrap(), [1]);
    runs.join().unwrap();
}

/// The pool is one thread, which somebody else keeps until the last call has been joined.
#[test]
fn a_joiner_runs_what_is_before_its_call_where_no_other_thread_could() {
    #[concurrent(threads)]
    fn keep(port: u16) {
        crate::counters::pass(port);
    }
    let variables = [("TRINE_THREADS", "1"), ("TRINE_MAX_THREADS", "1")];
    let test = a_joiner_runs_what_is_before_its_call_where_no_other_thread_could;
    alone(test, &variables, || {
        ends_in_time("a joiner behind other calls", || {
            let log = LogWorker::new();
            assert_eq!(log.push(1).join().unwrap(), [1]);
            let gate = Gate::new();
            let kept = keep(gate.port());
            let held = gate.entered();
            let before = [log.thread(), log.thread()];
            let given_up = log.push(2);
            let last = log.push(3);
            drop(given_up);
            assert_eq!(last.join().unwrap(), [1, 3]);
            assert!(before.iter().all(trine::Task::is_finished));
            assert_eq!(gather(before).join().unwrap(), [thread::current().id(); 2]);
            // What makes a value is before its calls as well.
            assert_eq!(LogWorker::new().push(1).join().unwrap(), [1]);
            drop(held);
            kept.join().unwrap();
        });
    });
}

/// Idle workers cost their memory, and busy ones no more threads than tasks do.
#[cfg(target_os = "linux")]
#[test]
fn a_crowd_of_workers_has_no_threads_of_its_own() {
    let variables = [("TRINE_THREADS", "2"), ("TRINE_MAX_THREADS", "2")];
    alone(a_crowd_of_workers_has_no_threads_of_its_own, &variables, || {
        let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
        let crowd: Vec<_> = (0..500).map(|_| LogWorker::new()).collect();
        gather(crowd.iter().map(|log| log.push(1))).join().unwrap();
        let some = threads();
        gather(crowd.iter().map(|log| log.push(2))).join().unwrap();
        // The harness's two, the pool's, and those that look after all pools.
        assert!(some < 10 && threads() < 10, "{some} threads, then {}", threads());
    });
}

#[test]
fn a_joiner_is_not_caught_in_a_stream_before_its_call() {
    #[concurrent(async, timeout = 50ms)]
    async fn too_late() -> Vec<u32> {
        std::future::pending().await
    }
    /// A thread of the pool helps with whatever it waits for, and there is no other.
    #[concurrent(threads)]
    fn on_the_only_thread(log: LogWorker) -> trine::Stream<usize> {
        let (stream, push) = (log.forever(), log.push(2));
        assert!(gather([too_late(), push]).join().unwrap_err().is_timeout());
        stream
    }
    let variables = [("TRINE_THREADS", "1"), ("TRINE_MAX_THREADS", "1")];
    alone(a_joiner_is_not_caught_in_a_stream_before_its_call, &variables, || {
        let log = LogWorker::new();
        assert_eq!(log.push(1).join().unwrap(), [1]);
        let stream = on_the_only_thread(log.clone()).join_timeout(Duration::from_secs(20));
        let stream = stream.expect("it is free to leave").unwrap();
        // A gathering tells of the failure before it cancels the rest.
        wait_until(|| trine::stats().functions.iter().any(|one| one.failed.cancelled == 1));
        assert_eq!(stream.into_iter().nth(1000).unwrap().unwrap(), 1000);
        assert_eq!(log.push(3).join().unwrap(), [1, 3]);
    });
}

#[test]
fn a_long_line_takes_no_stack() {
    let log = Arc::new(LogWorker::new());
    let gate = Gate::new();
    let runs = log.wait(gate.port());
    let held = gate.entered();
    let many: Vec<_> = (0..100_000).map(|_| log.wait(0)).collect();
    log.stop();
    drop(held);
    runs.join().unwrap();
    let stopped = many.into_iter().filter(|_| true).map(|task| task.join().unwrap_err());
    assert!(stopped.into_iter().all(|error| error.is_stopped()));
}
