//! A runtime whose clock is paused, as programs have it in their tests: which times pass on it and
//! which do not.

use std::future::pending;
use std::io::Read;
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use futures::StreamExt;
use tokio::time::{sleep, timeout};
use trine::{Error, ErrorKind, Task, TaskIterator, TaskSet, concurrent, gather, race};
use trine_tests::gate::Gate;
use trine_tests::modes::{MODES, Mode};

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
        let release = thread::spawn(move || {
            let body = gate.entered();
            thread::sleep(Duration::from_millis(20));
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
    let feeder = thread::spawn(move || sender.send(2).unwrap());
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

/// Lets so many bodies go on, one after the other, once the runtime has had time to jump ahead.
fn let_go(gate: Gate, bodies: usize) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for _ in 0..bodies {
            let body = gate.entered();
            thread::sleep(Duration::from_millis(10));
            drop(body);
        }
    })
}

/// A gate for bodies that are cut off, perhaps before they have come there.
fn nobody_waits_at() -> u16 {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::new);
    GATE.port()
}

/// A task of one mode that another follows, how many bodies of them come to the gate, and what it
/// gives.
type Follows = fn(&'static Mode, &'static Mode, u16) -> Task<u32>;

const FOLLOWS: &[(&str, usize, Follows)] = &[
    ("then", 2, |first, second, port| (first.gated)(port).then(move |_| (second.gated)(port))),
    ("then of then", 3, |first, second, port| {
        let then = (first.gated)(port).then(move |_| (second.gated)(port));
        then.then(move |_| (first.gated)(port))
    }),
    ("then of many maps", 2, |first, second, port| {
        let first = (0..40).fold((first.gated)(port), |task, _| task.map(|value| value));
        first.then(move |_| (second.gated)(port))
    }),
    ("many thens", 20, |first, second, port| {
        (1..20).fold((first.gated)(port), |task, _| task.then(move |_| (second.gated)(port)))
    }),
    ("then in then", 3, |first, second, port| {
        (first.gated)(port).then(move |_| {
            (second.gated)(port).map(|value| value).then(move |_| (first.gated)(port))
        })
    }),
    ("then of an outcome", 2, |first, second, port| {
        (first.gated)(port).outcome().then(move |_| (second.gated)(port))
    }),
    ("then of several", 3, |first, second, port| {
        let both = gather([(first.gated)(port), (first.gated)(port)]);
        both.then(move |_| (second.gated)(port))
    }),
    ("then of the first of several", 1, |first, second, port| {
        let both = race([(first.gated)(port), (first.polite)(nobody_waits_at())]);
        both.then(move |_| (second.value)(6))
    }),
    ("several then", 3, |first, second, port| {
        let both = move |_| gather([(second.gated)(port), (second.gated)(port)]);
        (first.gated)(port).then(both).map(|both| both[1])
    }),
    ("then of what was tried again", 1, |_, second, port| {
        fails().then(move |_| (second.gated)(port))
    }),
    ("then of what is tried again", 2, |first, second, port| {
        let attempt = move |_| (second.retried)(port).map(|value| value.unwrap() - 2);
        (first.gated)(port).then(attempt)
    }),
    ("then of a stream", 2, |_, second, port| {
        counts(port).gather().then(move |_| (second.gated)(port))
    }),
    ("then of what is late", 1, |first, second, port| {
        let late = (first.polite)(nobody_waits_at()).timeout(Duration::from_millis(5));
        late.outcome().then(move |_| (second.gated)(port))
    }),
    ("then of several that are late", 1, |first, second, port| {
        let both = gather([(first.polite)(nobody_waits_at()), (first.value)(1)]);
        let late = both.timeout(Duration::from_millis(5)).outcome();
        late.then(move |_| (second.gated)(port))
    }),
];

#[concurrent(threads)]
fn counts(port: u16) -> impl Iterator<Item = u32> {
    let mut gate = TcpStream::connect(("127.0.0.1", port)).unwrap();
    (0..3).inspect(move |_| assert_eq!(gate.read(&mut [0]).unwrap(), 0))
}

/// The second call is made wherever the first one ends.
#[tokio::test(start_paused = true)]
async fn the_clock_stands_still_for_what_follows_a_call() {
    for second in MODES {
        for first in MODES.iter().filter(|mode| mode.name != "async") {
            for (way, bodies, follows) in FOLLOWS {
                let name = format!("{way}, {} and {}", first.name, second.name);
                let gate = Gate::new();
                let task = follows(first, second, gate.port());
                let goes_on = let_go(gate, *bodies);
                let waited = timeout(HOUR, task).await;
                assert_eq!(waited.expect(&name).expect(&name), 7, "{name}");
                goes_on.join().unwrap();
            }
        }
    }
}

/// What a closure makes and gives on is a call like others.
#[tokio::test(start_paused = true)]
async fn the_clock_stands_still_for_a_task_that_is_the_value_of_another() {
    for second in MODES {
        let gate = Gate::new();
        let port = gate.port();
        let task = (MODES[0].gated)(port).map(move |_| (second.gated)(port));
        let goes_on = let_go(gate, 2);
        let inner = timeout(HOUR, task).await.expect(second.name).unwrap();
        assert_eq!(timeout(HOUR, inner).await.expect(second.name).unwrap(), 7);
        goes_on.join().unwrap();
    }
}

/// It goes on where it is needed.
#[tokio::test(start_paused = true)]
async fn the_clock_goes_on_for_what_follows_on_its_own_runtime() {
    for mode in MODES.iter().filter(|mode| mode.name != "async") {
        let runtime = tokio::runtime::Handle::current();
        let began = tokio::time::Instant::now();
        let task = (mode.value)(1).then(move |_| {
            let _entered = runtime.enter();
            naps(HOUR)
        });
        assert_eq!(task.await.unwrap(), 1);
        assert!(began.elapsed() >= HOUR, "{}", mode.name);
    }
}

const SHORT: Duration = Duration::from_millis(1);

/// Ends when it is cancelled.
fn hangs(mode: &Mode) -> Task<u32> {
    (mode.polite)(nobody_waits_at())
}

#[concurrent(threads, retries = 1, backoff = 1ms)]
fn waits_politely() -> u32 {
    while !trine::cancelled() {
        thread::yield_now();
    }
    7
}

#[concurrent(process, retries = 1, backoff = 1ms)]
fn waits_politely_in_a_process() -> u32 {
    loop {
        thread::park();
    }
}

fn is_late<T: std::fmt::Debug>(result: Result<T, Error>) -> u32 {
    u32::from(result.unwrap_err().is_timeout()) * 7
}

type Waiting = Pin<Box<dyn Future<Output = u32>>>;

fn late<T: std::fmt::Debug + Send + 'static>(task: Task<T>) -> Waiting {
    Box::pin(async { is_late(task.await) })
}

/// Ways to wait for tasks that were made here.
type Waits = fn(&'static Mode, u16) -> Waiting;

const WAITS: &[(&str, Waits)] = &[
    ("a deadline that is far", |mode, port| {
        let task = (mode.gated)(port).timeout(HOUR);
        Box::pin(async { task.await.unwrap() })
    }),
    ("a deadline of several", |mode, port| {
        let task = gather([(mode.gated)(port)]).timeout(HOUR).map(|[value]| value);
        Box::pin(async { task.await.unwrap() })
    }),
    ("a near deadline", |mode, _| late(hangs(mode).timeout(SHORT))),
    ("a near one of map", |mode, _| late(hangs(mode).map(|value| value).timeout(SHORT))),
    ("a near one of then", |mode, _| late(hangs(mode).then(mode.value).timeout(SHORT))),
    ("a near one of several", |mode, _| late(gather([hangs(mode)]).timeout(SHORT))),
    ("a near one of race", |mode, _| late(race([hangs(mode), hangs(mode)]).timeout(SHORT))),
    ("a near one of an outcome", |mode, _| late(hangs(mode).outcome().timeout(SHORT))),
    ("a near one in an outcome", |mode, _| {
        let outcome = hangs(mode).timeout(SHORT).outcome();
        late(outcome.then(|outcome| {
            assert!(outcome.unwrap_err().is_timeout());
            hangs(&MODES[0]).timeout(SHORT)
        }))
    }),
    ("a near one of retries", |mode, _| {
        let calls = [waits_politely as fn() -> Task<u32>, waits_politely_in_a_process];
        late(calls[usize::from(mode.name == "process")]().timeout(SHORT))
    }),
    ("a near one in a window", |mode, _| {
        let tasks = std::iter::once_with(|| hangs(mode).timeout(SHORT));
        let mut tasks = tasks.buffered(2).into_stream();
        Box::pin(async move { is_late(tasks.next().await.unwrap()) })
    }),
    ("a near one in a set", |mode, _| {
        let mut tasks = TaskSet::from_iter([hangs(mode).timeout(SHORT)]);
        Box::pin(async move { is_late(tasks.next().await.unwrap()) })
    }),
    ("a race", |mode, port| {
        let task = race([(mode.gated)(port)]).outcome();
        Box::pin(async { task.await.unwrap().unwrap() })
    }),
    ("a window in order", |mode, port| {
        let mut tasks = std::iter::once_with(move || (mode.gated)(port)).buffered(2).into_stream();
        Box::pin(async move { tasks.next().await.unwrap().unwrap() })
    }),
    ("a window as they end", |mode, port| {
        let tasks = std::iter::once_with(move || (mode.gated)(port)).buffer_unordered(2);
        let mut tasks = tasks.into_stream();
        Box::pin(async move { tasks.next().await.unwrap().unwrap() })
    }),
    ("a set", |mode, port| {
        let mut tasks = TaskSet::from_iter([(mode.gated)(port)]);
        Box::pin(async move { tasks.next().await.unwrap().unwrap() })
    }),
];

#[tokio::test(start_paused = true)]
async fn the_clock_stands_still_however_a_call_is_waited_for() {
    for mode in MODES.iter().filter(|mode| mode.name != "async") {
        for (way, waits) in WAITS {
            let gate = Gate::new();
            let waiting = waits(mode, gate.port());
            let goes_on = let_go(gate, usize::from(!way.contains("near")));
            let waited = timeout(HOUR, waiting).await;
            assert_eq!(waited.unwrap_or_else(|_| panic!("{way}, {}", mode.name)), 7, "{way}");
            goes_on.join().unwrap();
        }
    }
}

struct Doorman;

#[concurrent(async)]
impl Doorman {
    pub(crate) async fn new() -> Self {
        Self
    }
    pub(crate) async fn pass(&self, port: u16) -> u32 {
        let mut gate = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let _ = tokio::io::AsyncReadExt::read(&mut gate, &mut [0]).await;
        7
    }
    #[concurrent(retries = 1)]
    pub(crate) async fn pass_again(&self, port: u16) -> Result<u32, u32> {
        Err(self.pass(port).await)
    }
}

/// The calls of a worker run where the worker does.
#[tokio::test(start_paused = true)]
async fn the_clock_stands_still_for_a_worker_on_another_runtime() {
    let doorman = thread::spawn(DoormanWorker::new).join().unwrap();
    let gate = Gate::new();
    let port = gate.port();
    let goes_on = let_go(gate, 4);
    assert_eq!(timeout(HOUR, doorman.pass(port)).await.expect("once").unwrap(), 7);
    assert_eq!(timeout(HOUR, doorman.pass_again(port)).await.expect("twice").unwrap(), Err(7));
    let follows = (MODES[0].value)(1).then(move |_| doorman.pass(port));
    assert_eq!(timeout(HOUR, follows).await.expect("later").unwrap(), 7);
    goes_on.join().unwrap();
}
