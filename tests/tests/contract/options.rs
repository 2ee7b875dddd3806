//! What options and settings do at run time, beyond the contract of all modes.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Barrier, mpsc};

use trine::{ErrorKind, TaskIterator, concurrent, gather, race};
use trine_tests::checks::ends_in_time;
use trine_tests::gate::Gate;
use trine_tests::modes::MODES;
use trine_tests::programs::{alone, output_alone};

static RUNNING: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[concurrent(threads, limit = 3)]
fn limited(_: usize) {
    let running = RUNNING.fetch_add(1, SeqCst) + 1;
    MOST.fetch_max(running, SeqCst);
    std::thread::yield_now();
    RUNNING.fetch_sub(1, SeqCst);
}

#[test]
fn a_limit_holds_over_all_callers() {
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| gather((0..500).map(limited)).join().unwrap());
        }
    });
    assert!(MOST.load(SeqCst) <= 3, "{} ran at once", MOST.load(SeqCst));
}

#[concurrent(threads, limit = 3)]
fn meet(barrier: &'static Barrier) {
    barrier.wait();
}

#[test]
fn a_limit_lets_as_many_run_as_it_says() {
    static BARRIER: Barrier = Barrier::new(3);
    // These three can only end together: a limit that let fewer in would hang here.
    gather((0..3).map(|_| meet(&BARRIER))).join().unwrap();
}

#[concurrent(threads, limit = 1)]
fn in_line(number: u32, order: mpsc::Sender<u32>, release: Option<mpsc::Receiver<()>>) {
    if let Some(release) = release {
        let _ = release.recv();
    }
    order.send(number).unwrap();
}

#[test]
fn a_limit_is_first_come_first_served() {
    let (order, ordered) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let first = in_line(0, order.clone(), Some(released));
    let rest: Vec<_> = (1..50).map(|number| in_line(number, order.clone(), None)).collect();
    drop((release, order));
    gather(rest).join().unwrap();
    first.join().unwrap();
    assert_eq!(ordered.iter().collect::<Vec<_>>(), Vec::from_iter(0..50));
}

#[concurrent(threads, limit = 2)]
fn panics_under_a_limit(_: usize) {
    panic!("and gives its place back");
}

#[test]
fn a_panic_gives_its_place_back() {
    for error in (0..20).map(|number| panics_under_a_limit(number).join().unwrap_err()) {
        assert!(error.is_panic());
    }
}

#[test]
fn a_call_without_a_handle_is_tried_again() {
    for mode in MODES {
        ends_in_time(mode.name, || {
            let gate = Gate::new();
            (mode.retried)(gate.port()).detach();
            for word in ["error", "panic", "value"] {
                gate.entered().write_all(word.as_bytes()).unwrap();
            }
        });
    }
}

static ATTEMPTS: AtomicUsize = AtomicUsize::new(0);

#[concurrent(threads, retries = 3)]
fn never_succeeds() -> Result<(), String> {
    Err(format!("attempt {}", ATTEMPTS.fetch_add(1, SeqCst)))
}

#[test]
fn after_the_last_retry_the_failure_is_the_value() {
    assert_eq!(never_succeeds().join().unwrap(), Err("attempt 3".to_owned()));
    assert_eq!(ATTEMPTS.load(SeqCst), 4);
}

#[concurrent(threads, retries = 1_000_000, backoff = 1h)]
fn patient(attempts: mpsc::Sender<()>) -> Result<(), String> {
    attempts.send(()).unwrap();
    Err("not yet".to_owned())
}

#[test]
fn a_cancel_between_two_attempts_is_the_end() {
    let (attempts, attempted) = mpsc::channel();
    let task = patient(attempts);
    attempted.recv().unwrap();
    task.cancel();
    assert!(task.join().unwrap_err().is_cancelled());
    // With it, the arguments are gone, and so is the wait of an hour.
    assert!(attempted.recv().is_err());
}

#[concurrent(threads)]
fn unit() {}

#[test]
fn zero_is_refused_and_nothing_hangs() {
    let message = |payload: Box<dyn std::any::Any + Send>| match payload.downcast::<&str>() {
        Ok(message) => (*message).to_owned(),
        Err(payload) => *payload.downcast::<String>().unwrap(),
    };
    let tasks = || (0..3).map(|_| unit());
    let refused = std::panic::catch_unwind(|| drop(tasks().buffered(0)));
    assert!(message(refused.unwrap_err()).contains("give it at least 1"));
    let refused = std::panic::catch_unwind(|| drop(tasks().buffer_unordered(0)));
    assert!(message(refused.unwrap_err()).contains("give it at least 1"));
    let refused = std::panic::catch_unwind(|| drop(race::<()>([])));
    assert!(message(refused.unwrap_err()).contains("at least one task"));
    assert_eq!(gather(Vec::<trine::Task<()>>::new()).join().unwrap(), []);
}

#[concurrent(threads)]
fn wait(gate: mpsc::Receiver<()>) {
    let _ = gate.recv();
}

#[test]
fn buffered_starts_no_more_than_its_window() {
    let mut gates = Vec::new();
    {
        let calls = (0..100).map(|_| {
            let (gate, gated) = mpsc::channel();
            gates.push(gate);
            if gates.len() == 3 {
                // The window is full. If one more were started, it would wait here forever.
                gates[0].send(()).unwrap();
            }
            wait(gated)
        });
        calls.buffer_unordered(3).next().unwrap().unwrap();
    }
    assert_eq!(gates.len(), 3);
}

#[test]
fn a_panic_can_be_resumed_with_its_payload() {
    #[concurrent(threads)]
    fn odd() {
        std::panic::panic_any(7_u8);
    }
    let error = odd().join().unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::Panicked { message, .. } if message == "Box<dyn Any>"
    ));
    let payload = std::panic::catch_unwind(|| error.resume_unwind()).unwrap_err();
    assert_eq!(*payload.downcast::<u8>().unwrap(), 7);
}

#[concurrent(threads)]
fn thread_name() -> Option<String> {
    std::thread::current().name().map(str::to_owned)
}

#[concurrent(async)]
async fn async_thread_name() -> Option<String> {
    std::thread::current().name().map(str::to_owned)
}

#[test]
fn sequential_runs_inline_and_in_order() {
    let here = std::thread::current().name().map(str::to_owned);
    trine::sequential(|| {
        let task = thread_name();
        assert!(task.is_finished());
        assert_eq!(task.join().unwrap(), here);
        let task = async_thread_name();
        assert!(task.is_finished());
        assert_eq!(task.join().unwrap(), here);
        let task = panics_under_a_limit(0);
        assert!(task.join().unwrap_err().is_panic());
    });
}

#[test]
fn the_environment_makes_all_calls_sequential() {
    alone(the_environment_makes_all_calls_sequential, &[("TRINE_SEQUENTIAL", "1")], || {
        assert!(thread_name().is_finished());
    });
}

#[test]
fn a_bad_number_of_threads_in_the_environment_is_told() {
    let test = a_bad_number_of_threads_in_the_environment_is_told;
    let variables = [("TRINE_THREADS", "none")];
    let Some(output) = output_alone(test, &variables, || unit().join().unwrap()) else { return };
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("TRINE_THREADS must be a whole number of at least 1"), "{told}");
}

#[concurrent(threads)]
fn spins(started: mpsc::Sender<()>, let_go: &'static AtomicBool) {
    started.send(()).unwrap();
    while !let_go.load(SeqCst) {
        std::thread::yield_now();
    }
}

#[concurrent(threads)]
fn lets_go(let_go: &'static AtomicBool) {
    let (started, starts) = mpsc::channel();
    let task = spins(started, let_go);
    // This lends the only permit to `spins`, which gives it back only after the next line.
    trine::blocking(|| starts.recv()).unwrap();
    let_go.store(true, SeqCst);
    task.join().unwrap();
}

#[test]
fn who_comes_back_from_a_wait_does_not_wait_for_ever_for_a_permit() {
    let test = who_comes_back_from_a_wait_does_not_wait_for_ever_for_a_permit;
    alone(test, &[("TRINE_THREADS", "1")], comes_back);
}

fn comes_back() {
    static LET_GO: AtomicBool = AtomicBool::new(false);
    // The deadline keeps it off this thread, which has no permit to lend.
    lets_go(&LET_GO).timeout(std::time::Duration::from_secs(600)).join().unwrap();
}

#[test]
fn settings_come_once_and_first() {
    alone(settings_come_once_and_first, &[("TRINE_THREADS", "7")], sets_the_pools);
}

fn sets_the_pools() {
    assert!(trine::Config::new().threads(0).apply().is_err());
    trine::Config::new().threads(1).apply().unwrap();
    unit().join().unwrap();
    let error = trine::Config::new().threads(2).apply().unwrap_err();
    assert!(error.to_string().contains("before the first task"), "{error}");
}
