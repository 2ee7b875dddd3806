//! Calls that borrow: what a scope waits for, and that there is no way around it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::time::Duration;

use trine::{Error, concurrent};

#[concurrent(threads, scoped)]
fn count(text: &str, word: &str) -> usize {
    text.matches(word).count()
}

#[concurrent(async, scoped)]
async fn count_async(text: &str, word: &str) -> usize {
    tokio::task::yield_now().await;
    text.matches(word).count()
}

#[concurrent(threads, scoped)]
fn first<'a>(words: &'a [String]) -> Option<&'a str> {
    words.first().map(String::as_str)
}

#[test]
fn arguments_and_values_may_borrow() {
    let text = String::from("one and one");
    let words = vec![text.clone()];
    let (threads, tokio) = trine::scope(|s| {
        let threads = count(s, &text, "one");
        let tokio = count_async(s, &text, "one");
        assert_eq!(first(s, &words).join()?, Some("one and one"));
        Ok::<_, Error>((threads.join()?, tokio.join()?))
    })
    .unwrap();
    assert_eq!((threads, tokio), (2, 2));
}

#[concurrent(process, scoped)]
fn count_in_worker(text: &str, word: &str) -> usize {
    text.matches(word).count()
}

#[test]
fn a_worker_process_gets_a_copy_of_what_is_borrowed() {
    let text = String::from("one and one");
    let count = trine::scope(|s| {
        std::mem::forget(count_in_worker(s, &text, "and"));
        drop(count_in_worker(s, &text, "and"));
        count_in_worker(s, &text, "one").join()
    });
    assert_eq!(count.unwrap(), 2);
}

/// Counts itself as alive until it is dropped, which needs what it borrows.
struct Witness<'a> {
    alive: &'a AtomicUsize,
}

impl<'a> Witness<'a> {
    fn new(alive: &'a AtomicUsize) -> Self {
        alive.fetch_add(1, SeqCst);
        Self { alive }
    }
}

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, SeqCst);
    }
}

#[concurrent(threads, scoped)]
fn make<'a>(alive: &'a AtomicUsize, release: mpsc::Receiver<()>) -> Witness<'a> {
    let _ = release.recv();
    Witness::new(alive)
}

#[test]
fn the_scope_waits_for_dropped_handles_and_drops_their_values() {
    let alive = AtomicUsize::new(0);
    trine::scope(|s| {
        for _ in 0..100 {
            let (_, release) = mpsc::channel();
            drop(make(s, &alive, release));
        }
    });
    assert_eq!(alive.load(SeqCst), 0);
}

#[concurrent(threads, scoped)]
fn mark<'a>(started: mpsc::Sender<()>, release: mpsc::Receiver<()>, ended: &'a AtomicBool) {
    let _ = started.send(());
    let _ = release.recv();
    ended.store(true, SeqCst);
}

#[test]
fn the_scope_waits_for_forgotten_handles() {
    let ended = AtomicBool::new(false);
    let (release, released) = mpsc::channel();
    trine::scope(|s| {
        let (started, start) = mpsc::channel();
        std::mem::forget(mark(s, started, released, &ended));
        start.recv().unwrap();
        drop(release);
    });
    assert!(ended.load(SeqCst));
}

#[test]
fn the_scope_waits_when_its_closure_panics() {
    let ended = AtomicBool::new(false);
    let (release, released) = mpsc::channel();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        trine::scope(|s| {
            let (started, start) = mpsc::channel();
            let _task = mark(s, started, released, &ended);
            start.recv().unwrap();
            // Dropped while this unwinds, before the scope waits.
            let _release = release;
            panic!("in the scope");
        })
    }));
    assert_eq!(*panicked.unwrap_err().downcast::<&str>().unwrap(), "in the scope");
    assert!(ended.load(SeqCst));
}

#[concurrent(threads, scoped, timeout = 5ms)]
fn overdue<'a>(started: mpsc::Sender<()>, release: &'a Mutex<mpsc::Receiver<()>>) -> usize {
    let release = release.lock().unwrap();
    started.send(()).unwrap();
    let _ = release.recv();
    1
}

#[test]
fn the_scope_waits_for_a_body_that_has_timed_out() {
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    trine::scope(|s| {
        let (started, start) = mpsc::channel();
        let task = overdue(s, started, &released);
        start.recv().unwrap();
        assert!(task.join().unwrap_err().is_timeout());
        // The body is still running: it holds the lock.
        assert!(released.try_lock().is_err());
        drop(release);
    });
    assert!(released.try_lock().is_ok());
}

#[concurrent(threads, scoped, retries = 2)]
fn flaky(attempts: &AtomicUsize) -> Result<usize, String> {
    match attempts.fetch_add(1, SeqCst) {
        0 => Err("the first fails".to_owned()),
        1 => panic!("the second panics"),
        attempt => Ok(attempt),
    }
}

#[concurrent(async, scoped, retries = 2)]
async fn flaky_async(attempts: &AtomicUsize) -> Result<usize, String> {
    tokio::task::yield_now().await;
    match attempts.fetch_add(1, SeqCst) {
        0 => Err("the first fails".to_owned()),
        1 => panic!("the second panics"),
        attempt => Ok(attempt),
    }
}

#[test]
fn retries_borrow_again() {
    let (threads, tokio) = (AtomicUsize::new(0), AtomicUsize::new(0));
    trine::scope(|s| {
        assert_eq!(flaky(s, &threads).join().unwrap(), Ok(2));
        assert_eq!(flaky_async(s, &tokio).join().unwrap(), Ok(2));
        std::mem::forget(flaky(s, &threads));
        std::mem::forget(flaky_async(s, &tokio));
    });
    assert_eq!((threads.into_inner(), tokio.into_inner()), (4, 4));
}

#[concurrent(async, scoped)]
async fn held<'a>(alive: &'a AtomicUsize, started: mpsc::Sender<()>) {
    let _witness = Witness::new(alive);
    started.send(()).unwrap();
    std::future::pending::<()>().await;
}

#[test]
fn an_async_body_is_dropped_at_its_await_before_the_scope_ends() {
    for runtime in [
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap(),
        tokio::runtime::Builder::new_current_thread().build().unwrap(),
    ] {
        let alive = AtomicUsize::new(0);
        runtime.block_on(async {
            trine::scope(|s| {
                let (started, start) = mpsc::channel();
                let task = held(s, &alive, started);
                trine::blocking(|| start.recv()).unwrap();
                assert_eq!(alive.load(SeqCst), 1);
                drop(task);
            });
        });
        assert_eq!(alive.load(SeqCst), 0);
    }
}

#[concurrent(threads, scoped)]
fn sum(numbers: &[u64]) -> u64 {
    if numbers.len() < 8 {
        return numbers.iter().sum();
    }
    let (left, right) = numbers.split_at(numbers.len() / 2);
    trine::scope(|s| {
        let (left, right) = (sum(s, left), sum(s, right));
        left.join().unwrap() + right.join().unwrap()
    })
}

#[test]
fn scopes_nest_on_the_pool() {
    let numbers: Vec<u64> = (0..10_000).collect();
    let total = trine::scope(|s| sum(s, &numbers).join()).unwrap();
    assert_eq!(total, numbers.iter().sum::<u64>());
}

#[test]
fn a_scoped_task_is_a_future_and_has_the_handle_s_methods() {
    let (text, ended) = (String::from("aaa"), AtomicBool::new(false));
    trine::scope(|s| {
        assert_eq!(trine::block_on(count(s, &text, "a")).unwrap(), 3);
        let (started, start) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let task = mark(s, started, released, &ended);
        start.recv().unwrap();
        let task = task.join_timeout(Duration::from_millis(1)).unwrap_err();
        assert!(!task.is_finished());
        drop(release);
        task.join().unwrap();
    });
}
