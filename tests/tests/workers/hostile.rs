//! Code of users in every place of a worker: it harms its own call, and nothing else.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use trine::concurrent;

/// Panics wherever it is asked to, and counts where it is.
struct Hostile {
    left: Arc<Counts>,
    panics_in_drop: bool,
}

#[derive(Default)]
struct Counts {
    made: AtomicUsize,
    dropped: AtomicUsize,
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.left.dropped.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics_in_drop, "in drop");
    }
}

struct Fuse(AtomicUsize);

/// An argument of the constructor whose copies panic from some number on.
struct Copied(Arc<Fuse>);

impl Clone for Copied {
    fn clone(&self) -> Self {
        let left = self.0.0.fetch_sub(1, Ordering::SeqCst);
        assert!(left > 0, "no more copies");
        Self(Arc::clone(&self.0))
    }
}

#[concurrent(threads, restarts = 100)]
impl Hostile {
    pub(crate) fn new(left: Arc<Counts>, panics_in_drop: bool, copied: Copied) -> Self {
        left.made.fetch_add(1, Ordering::SeqCst);
        drop(copied);
        Self { left, panics_in_drop }
    }
    pub(crate) fn spoil(&mut self) {
        panic!("spoiled");
    }
    pub(crate) fn look(&self) -> usize {
        self.left.made.load(Ordering::SeqCst)
    }
}

fn start(panics_in_drop: bool, copies: usize) -> (HostileWorker, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let copied = Copied(Arc::new(Fuse(AtomicUsize::new(copies))));
    (HostileWorker::new(Arc::clone(&counts), panics_in_drop, copied), counts)
}

/// Waits until as many values were dropped as were made.
fn all_dropped(counts: &Counts) {
    trine::blocking(|| {
        while counts.dropped.load(Ordering::SeqCst) < counts.made.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
    });
    assert_eq!(counts.dropped.load(Ordering::SeqCst), counts.made.load(Ordering::SeqCst));
}

#[test]
fn a_drop_that_panics_ends_neither_the_queue_nor_the_pool() {
    let (hostile, counts) = start(true, 100);
    for made in 1..=5 {
        assert_eq!(hostile.look().join().unwrap(), made);
        assert!(hostile.spoil().join().unwrap_err().is_panic());
    }
    assert_eq!(hostile.look().join().unwrap(), 6);
    drop(hostile);
    all_dropped(&counts);
}

#[test]
fn a_copy_of_an_argument_that_panics_is_a_constructor_that_fails() {
    let (hostile, counts) = start(false, 2);
    assert!(hostile.spoil().join().unwrap_err().is_panic());
    assert!(hostile.spoil().join().unwrap_err().is_panic());
    let error = hostile.look().join().unwrap_err();
    assert!(error.to_string().contains("no more copies"), "{error}");
    drop(hostile);
    all_dropped(&counts);
}

#[test]
fn the_last_handle_is_dropped_and_what_waits_still_runs() {
    let (hostile, counts) = start(false, 100);
    let tasks: Vec<_> = (0..20).map(|_| hostile.look()).collect();
    drop(hostile);
    for task in tasks {
        assert_eq!(task.join().unwrap(), 1);
    }
    all_dropped(&counts);
}

#[test]
fn ten_thousand_restarts_leave_nothing() {
    let (hostile, counts) = start(false, usize::MAX);
    for made in 1..=10_000 {
        assert_eq!(hostile.look().join().unwrap(), made);
        hostile.restart();
    }
    // Each was seen by the call behind it, and so is the last one by this: nothing waits for them.
    assert_eq!(hostile.look().join().unwrap(), 10_001);
    assert_eq!(hostile.restarts(), 10_000);
    drop(hostile);
    all_dropped(&counts);
    trine::blocking(|| {
        while Arc::strong_count(&counts) > 1 {
            std::thread::yield_now();
        }
    });
}

struct Anew(u64);

#[concurrent(async)]
impl Anew {
    pub(crate) async fn new(made: Arc<AtomicUsize>) -> Self {
        Self(made.fetch_add(1, Ordering::SeqCst) as u64 + 1)
    }
    pub(crate) async fn number(&self) -> u64 {
        tokio::task::yield_now().await;
        self.0
    }
}

#[test]
fn ten_thousand_restarts_on_tokio_leave_nothing() {
    let made = Arc::new(AtomicUsize::new(0));
    let anew = AnewWorker::new(Arc::clone(&made));
    for number in 1..=10_000 {
        assert_eq!(anew.number().join().unwrap(), number);
        anew.restart();
    }
    assert_eq!(anew.number().join().unwrap(), 10_001);
    assert_eq!((anew.restarts(), made.load(Ordering::SeqCst)), (10_000, 10_001));
    drop(anew);
    trine::blocking(|| {
        while Arc::strong_count(&made) > 1 {
            std::thread::yield_now();
        }
    });
}

#[test]
fn a_method_that_calls_its_own_worker_can_leave_that_to_it() {
    struct Chain(u32);

    #[concurrent(threads)]
    impl Chain {
        pub(crate) fn new() -> Self {
            Self(0)
        }
        pub(crate) fn step(&mut self, next: Option<ChainWorker>) -> u32 {
            self.0 += 1;
            if let Some(next) = next {
                next.step(None).detach();
            }
            self.0
        }
    }

    let chain = ChainWorker::new();
    assert_eq!(chain.step(Some(chain.clone())).join().unwrap(), 1);
    assert_eq!(chain.step(None).join().unwrap(), 3);
}

/// Asks its own worker for something as it is dropped.
struct Asking {
    own: Arc<Mutex<Option<AskingWorker>>>,
    told: mpsc::Sender<Result<u32, trine::Error>>,
}

impl Drop for Asking {
    fn drop(&mut self) {
        let own = self.own.lock().unwrap().take();
        own.into_iter().for_each(|own| _ = self.told.send(own.value().join()));
    }
}

#[concurrent(threads)]
impl Asking {
    pub(crate) fn new(
        own: Arc<Mutex<Option<AskingWorker>>>,
        told: mpsc::Sender<Result<u32, trine::Error>>,
    ) -> Self {
        Self { own, told }
    }
    pub(crate) fn value(&self) -> u32 {
        7
    }
    pub(crate) fn spoil(&mut self) {
        panic!("spoiled");
    }
}

#[test]
fn a_destructor_that_calls_its_own_worker_is_told_that_it_has_stopped() {
    let ends: [fn(&AskingWorker); 2] = [|worker| worker.stop(), |worker| worker.spoil().detach()];
    for end in ends {
        let (own, (told, answer)) = (Arc::default(), mpsc::channel());
        let worker = AskingWorker::new(Arc::clone(&own), told);
        assert_eq!(worker.value().join().unwrap(), 7);
        *own.lock().unwrap() = Some(worker.clone());
        end(&worker);
        let answer = answer.recv_timeout(Duration::from_secs(20)).expect("it waits for itself");
        assert!(answer.unwrap_err().is_stopped());
    }
}
