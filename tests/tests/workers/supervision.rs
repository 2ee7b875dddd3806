//! What becomes of the value, of the call, and of the calls behind it.

use std::sync::mpsc;

use trine::{ErrorKind, Task, block_on, concurrent, gather};
use trine_tests::checks::wait_until;
use trine_tests::gate::Gate;

use crate::counters::each_mode;

/// The outcomes of two calls, taken in three ways; each time of new calls.
fn in_three_ways<T: Send + 'static>(
    call: impl Fn() -> [Task<T>; 2],
) -> [[Result<T, trine::Error>; 2]; 3] {
    let joined = call().map(Task::join);
    let awaited = block_on(async {
        let [first, second] = call();
        [first.await, second.await]
    });
    let gathered = call().map(|task| gather([task]).join().map(|[one]| one));
    [joined, awaited, gathered]
}

each_mode! {
    a_panic_in_a_change_ends_the_value_and_the_queue_goes_on(counter: 5) {
        let ended = block_on(async {
            let (spoil, read) = ((counter.spoil)(), (counter.read)());
            (spoil.await, read.await)
        });
        assert!(ended.0.unwrap_err().is_panic());
        assert_eq!(ended.1.unwrap(), 5, "the new one");
        let gathered = gather([(counter.add)(1), (counter.add)(2)]).join().unwrap();
        assert_eq!(gathered, [6, 8]);
        assert_eq!((counter.restarts(), counter.is_alive()), (1, true));
    }

    a_panic_in_a_look_ends_nothing(counter: 5) {
        assert_eq!((counter.add)(1).join().unwrap(), 6);
        assert!((counter.stumble)().join().unwrap_err().is_panic());
        assert_eq!((counter.read)().join().unwrap(), 6);
        assert_eq!(counter.restarts(), 0);
    }

    beyond_its_restarts_it_has_stopped(counter: 1) {
        for _ in 0..3 {
            assert!((counter.spoil)().join().unwrap_err().is_panic());
        }
        for [first, second] in in_three_ways(|| [(counter.read)(), (counter.add)(1)]) {
            assert!(first.unwrap_err().is_stopped());
            assert_eq!(*second.unwrap_err().kind(), ErrorKind::Stopped);
        }
        assert_eq!((counter.restarts(), counter.is_alive()), (2, false));
    }

    a_constructor_that_fails_is_the_answer_of_every_call(counter: 7) {
        for (kind, why) in [("failing", "no 7"), ("panicking", "as it was asked to")] {
            let failing = (counter.start)(kind, 7);
            for outcomes in in_three_ways(|| [(failing.read)(), (failing.add)(1)]) {
                for outcome in outcomes {
                    let error = outcome.unwrap_err();
                    let said = error.to_string();
                    assert!(matches!(error.kind(), ErrorKind::Worker { .. }), "{said}");
                    assert!(said.contains("`new`") && said.contains(why), "{said}");
                }
            }
            assert!(!failing.is_alive());
        }
        assert!(counter.is_alive());
    }

    what_waits_when_it_is_stopped_is_stopped_and_what_runs_ends(counter: 0) {
        let gate = Gate::new();
        let runs = (counter.wait)(gate.port());
        let held = gate.entered();
        let waits = (counter.read)();
        counter.worker.stop();
        assert!(!counter.is_alive());
        // At once, and not when its turn comes.
        wait_until(|| waits.is_finished());
        assert!(waits.join().unwrap_err().is_stopped());
        drop(held);
        runs.join().unwrap();
        assert!((counter.read)().join().unwrap_err().is_stopped());
    }

    restart_makes_it_anew_before_what_waits(counter: 3) {
        assert_eq!((counter.add)(1).join().unwrap(), 4);
        counter.worker.restart();
        assert_eq!((counter.read)().join().unwrap(), 3);
        counter.worker.stop();
        assert!((counter.read)().join().unwrap_err().is_stopped());
        counter.worker.restart();
        assert_eq!((counter.read)().join().unwrap(), 3);
        assert_eq!(counter.restarts(), 2);
    }

    a_call_that_is_cancelled_in_line_leaves_it(counter: 0) {
        let gate = Gate::new();
        let runs = (counter.wait)(gate.port());
        let held = gate.entered();
        let (cancelled, dropped, stays) = ((counter.add)(1), (counter.add)(2), (counter.add)(4));
        cancelled.cancel();
        assert!(cancelled.join().unwrap_err().is_cancelled());
        drop(dropped);
        drop(held);
        runs.join().unwrap();
        assert_eq!(stays.join().unwrap(), 4);
    }
}

#[test]
fn on_threads_a_body_beyond_its_time_runs_on_and_keeps_the_value() {
    let counter = crate::counters::on_threads::start("", 1);
    let gate = Gate::new();
    let late = (counter.hurry)(gate.port());
    let held = gate.entered();
    assert!(late.join().unwrap_err().is_timeout());
    let waits = (counter.read)();
    assert!(!waits.is_finished());
    drop(held);
    assert_eq!(waits.join().unwrap(), 1001);
    assert_eq!(counter.restarts(), 0);
}

/// Ends calls in the middle of a change, and looks whether the value was made anew.
struct Halved(u64);

#[concurrent(async, restarts = 2)]
impl Halved {
    pub(crate) async fn new() -> Self {
        Self(1)
    }
    pub(crate) async fn change(&mut self, begun: mpsc::Sender<()>) {
        self.0 = 1000;
        begun.send(()).unwrap();
        std::future::pending().await
    }
    #[concurrent(timeout = 5ms)]
    pub(crate) async fn change_in_time(&mut self) {
        self.0 = 1000;
        std::future::pending().await
    }
    pub(crate) async fn look(&self, begun: mpsc::Sender<()>) {
        begun.send(()).unwrap();
        std::future::pending().await
    }
    pub(crate) async fn read(&self) -> u64 {
        tokio::task::yield_now().await;
        self.0
    }
    pub(crate) async fn set(&mut self, number: u64) {
        self.0 = number;
    }
}

#[test]
fn on_tokio_a_change_that_is_stopped_in_the_middle_ends_the_value() {
    let halved = HalvedWorker::new();
    let (begun, begins) = mpsc::channel();
    let change = halved.change(begun);
    let read = halved.read();
    begins.recv().unwrap();
    change.cancel();
    assert!(change.join().unwrap_err().is_cancelled());
    assert_eq!((read.join().unwrap(), halved.restarts()), (1, 1));
    assert!(halved.change_in_time().join().unwrap_err().is_timeout());
    assert_eq!((halved.read().join().unwrap(), halved.restarts()), (1, 2));
}

#[test]
fn on_tokio_a_look_that_is_stopped_ends_nothing() {
    let halved = HalvedWorker::new();
    halved.set(5).join().unwrap();
    let (begun, begins) = mpsc::channel();
    let look = halved.look(begun);
    begins.recv().unwrap();
    drop(look);
    assert_eq!((halved.read().join().unwrap(), halved.restarts()), (5, 0));
}

#[test]
fn a_runtime_that_shuts_down_ends_the_calls_and_nothing_hangs() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let halved = {
        let _inside = runtime.enter();
        HalvedWorker::new()
    };
    let (begun, begins) = mpsc::channel();
    let look = halved.look(begun);
    begins.recv().unwrap();
    let waits: Vec<_> = (0..1000).map(|_| halved.read()).collect();
    runtime.shutdown_background();
    assert!(look.join().unwrap_err().is_cancelled());
    assert!(waits.into_iter().all(|read| read.join().is_err()));
    assert!(halved.read().join().is_err());
}

#[tokio::test]
async fn on_a_current_thread_runtime_it_is_awaited_there() {
    let halved = HalvedWorker::new();
    halved.set(3).detach();
    assert_eq!(halved.read().await.unwrap(), 3);
}
