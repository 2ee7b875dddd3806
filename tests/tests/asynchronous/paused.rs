//! A runtime whose clock is paused, as programs have it in their tests: which times pass on it and
//! which do not.

use std::future::pending;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use trine::{ErrorKind, Task, concurrent, gather};
use trine_tests::gate::Gate;
use trine_tests::modes::MODES;

const HOUR: Duration = Duration::from_secs(3600);

#[concurrent(async, timeout = 60min)]
async fn at_most_an_hour(time: Duration) {
    sleep(time).await;
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_an_async_call_is_on_the_clock_of_its_runtime() {
    let (real, began) = (Instant::now(), tokio::time::Instant::now());
    at_most_an_hour(HOUR / 2).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 1800);
    assert!(at_most_an_hour(2 * HOUR).await.unwrap_err().is_timeout());
    assert_eq!(began.elapsed().as_secs(), 1800 + 3600);
    assert!(real.elapsed() < HOUR);
}

#[concurrent(async, timeout = 60min)]
async fn never() {
    pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_passes_where_nothing_else_would_wake() {
    assert!(never().await.unwrap_err().is_timeout());
}

#[concurrent(threads)]
fn receives(from: mpsc::Receiver<u32>) -> u32 {
    from.recv().unwrap()
}

/// Lets bodies go on from outside, once the runtime has had time to jump ahead.
#[tokio::test(start_paused = true)]
async fn the_clock_stands_still_for_calls_that_run_elsewhere() {
    for mode in MODES.iter().filter(|mode| mode.name != "async") {
        let began = tokio::time::Instant::now();
        let gate = Gate::new();
        let task = (mode.gated)(gate.port());
        let release = std::thread::spawn(move || {
            let body = gate.entered();
            std::thread::sleep(Duration::from_millis(20));
            drop(body);
        });
        // If the hour passes first, this drops the task, which cancels the call.
        let value = timeout(HOUR, task).await.expect(mode.name).unwrap();
        assert_eq!(value, 7);
        assert!(began.elapsed() < HOUR, "{}", mode.name);
        release.join().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_clock_stands_still_until_whoever_waits_for_several_is_told() {
    for mode in MODES.iter().filter(|mode| mode.name != "async") {
        for _ in 0..20 {
            let both = gather([(mode.value)(1), (mode.value)(2)]);
            assert_eq!(timeout(HOUR, both).await.expect(mode.name).unwrap(), [2, 3]);
        }
    }
}

#[concurrent(async)]
async fn naps(time: Duration) -> u32 {
    sleep(time).await;
    1
}

#[tokio::test(start_paused = true)]
async fn the_clock_goes_on_when_they_have_ended() {
    let (sender, receiver) = mpsc::channel();
    let call = receives(receiver);
    let feeder = std::thread::spawn(move || sender.send(2).unwrap());
    let both = gather([call, naps(HOUR)]);
    assert_eq!(both.await.unwrap(), [2, 1]);
    feeder.join().unwrap();
}

#[concurrent(threads, retries = 2, backoff = 10ms)]
fn fails() -> Result<(), ()> {
    Err(())
}

#[concurrent(process, retries = 2, backoff = 10ms)]
fn fails_in_a_process() -> Result<(), ()> {
    Err(())
}

#[concurrent(async, retries = 2, backoff = 10ms)]
async fn fails_on_tokio() -> Result<(), ()> {
    sleep(HOUR / 4).await;
    Err(())
}

/// Between attempts nothing of it runs anywhere.
#[tokio::test(start_paused = true)]
async fn the_clock_stands_still_in_the_pauses_of_retries() {
    let calls = [fails(), fails_in_a_process(), fails_on_tokio()];
    for (index, call) in calls.into_iter().enumerate() {
        let waited = timeout(HOUR, call).await;
        assert_eq!(waited.unwrap_or_else(|_| panic!("call {index}")).unwrap(), Err(()));
    }
}

#[concurrent(async)]
async fn waits() {
    pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_handle_takes_real_time() {
    let after = Duration::from_millis(5);
    let calls: [fn() -> Task<()>; 2] = [waits, || waits().map(|()| ())];
    for call in calls {
        let error = call().timeout(after).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::TimedOut { after });
    }
}
