//! Stress tests of the threads engine: nested waits, panics, blocking, threads that come and go.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex, mpsc};
use std::thread;

use trine::{TaskIterator, concurrent, gather};

#[concurrent(threads)]
fn fib(n: u32) -> u64 {
    if n < 2 {
        return n.into();
    }
    let (a, b) = (fib(n - 1), fib(n - 2));
    a.join().unwrap() + b.join().unwrap()
}

#[test]
fn a_task_per_call_of_fib_ends_on_any_pool() {
    assert_eq!(fib(20).join().unwrap(), 6765);
}

#[concurrent(threads)]
fn fib_backwards(n: u32) -> u64 {
    if n < 2 {
        return n.into();
    }
    let (a, b) = (fib_backwards(n - 1), fib_backwards(n - 2));
    // Not in the order of the deque.
    let b = b.join().unwrap();
    a.join().unwrap() + b
}

#[test]
fn the_order_of_joins_does_not_matter() {
    assert_eq!(fib_backwards(18).join().unwrap(), 2584);
}

// A thread that waits while it holds a lock must not run unrelated tasks: one of them may want the
// same lock.

#[concurrent(threads)]
fn leaf(n: u64) -> u64 {
    n + 1
}

#[concurrent(threads)]
fn join_a_task_under_a_lock(lock: Arc<Mutex<u64>>) {
    let mut sum = lock.lock().unwrap();
    let leaves = (0..4).map(leaf);
    *sum += gather(leaves).join().unwrap().iter().sum::<u64>();
}

#[concurrent(threads)]
fn fork_under_a_lock(lock: Arc<Mutex<u64>>) {
    fn sum(from: u64, to: u64) -> u64 {
        if to - from == 1 {
            return from;
        }
        let middle = u64::midpoint(from, to);
        let (a, b) = trine::join(|| sum(from, middle), || sum(middle, to));
        a + b
    }
    let mut total = lock.lock().unwrap();
    *total += sum(0, 64);
}

#[test]
fn waits_under_a_lock_run_nothing_that_wants_it() {
    let lock = Arc::new(Mutex::new(0));
    let tasks = (0..500).map(|_| join_a_task_under_a_lock(Arc::clone(&lock)));
    gather(tasks).join().unwrap();
    assert_eq!(*lock.lock().unwrap(), 500 * (1 + 2 + 3 + 4));

    let lock = Arc::new(Mutex::new(0));
    let tasks = (0..500).map(|_| fork_under_a_lock(Arc::clone(&lock)));
    gather(tasks).join().unwrap();
    assert_eq!(*lock.lock().unwrap(), 500 * (63 * 64 / 2));
}

// Waits that the pool cannot see.

#[concurrent(threads)]
fn echo(requests: mpsc::Receiver<u64>, replies: mpsc::Sender<u64>) -> u64 {
    let mut count = 0;
    for request in requests {
        replies.send(request + 1).unwrap();
        count += 1;
    }
    count
}

#[concurrent(threads)]
fn ask(requests: mpsc::Sender<u64>, replies: mpsc::Receiver<u64>) -> u64 {
    let mut value = 0;
    for _ in 0..100 {
        requests.send(value).unwrap();
        value = replies.recv().unwrap();
    }
    value
}

#[test]
fn tasks_that_wait_for_each_other_over_channels_all_end() {
    let pairs: Vec<_> = (0..16)
        .map(|_| {
            let ((requests, asked), (replies, answered)) = (mpsc::channel(), mpsc::channel());
            (echo(asked, replies), ask(requests, answered))
        })
        .collect();
    for (echo, ask) in pairs {
        assert_eq!(echo.join().unwrap(), 100);
        assert_eq!(ask.join().unwrap(), 100);
    }
}

#[concurrent(threads)]
fn meet(barrier: Arc<Barrier>) {
    barrier.wait();
}

#[test]
fn a_hundred_tasks_can_all_wait_at_once() {
    let barrier = Arc::new(Barrier::new(101));
    let tasks: Vec<_> = (0..100).map(|_| meet(Arc::clone(&barrier))).collect();
    barrier.wait();
    gather(tasks).join().unwrap();
}

#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    passed: AtomicUsize,
}

#[concurrent(threads)]
fn pass(gate: Arc<Gate>) {
    let mut open = gate.open.lock().unwrap();
    while !*open {
        open = gate.opened.wait(open).unwrap();
    }
    gate.passed.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn ten_thousand_blocked_tasks_end_when_they_can() {
    let gate = Arc::new(Gate::default());
    let tasks: Vec<_> = (0..10_000).map(|_| pass(Arc::clone(&gate))).collect();
    // Other work is not held up by them.
    assert_eq!(leaf(1).join().unwrap(), 2);
    *gate.open.lock().unwrap() = true;
    gate.opened.notify_all();
    gather(tasks).join().unwrap();
    assert_eq!(gate.passed.load(Ordering::Relaxed), 10_000);
}

#[concurrent(threads)]
fn receive_blocking(receiver: mpsc::Receiver<u64>) -> u64 {
    trine::blocking(|| receiver.recv().unwrap())
}

#[concurrent(threads)]
fn send(sender: mpsc::Sender<u64>, value: u64) {
    sender.send(value).unwrap();
}

#[test]
fn a_wait_in_blocking_lets_the_others_run() {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..50).map(|_| mpsc::channel()).unzip();
    let received: Vec<_> = receivers.into_iter().map(receive_blocking).collect();
    let sent = senders.into_iter().zip(0..).map(|(sender, value)| send(sender, value));
    sent.gather().join().unwrap();
    assert_eq!(gather(received).join().unwrap(), (0..50).collect::<Vec<_>>());
}

// Panics wherever user code runs.

struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("a destructor panics");
        }
    }
}

#[concurrent(threads)]
fn panics() {
    panic!("a body panics");
}

#[concurrent(threads)]
fn panics_later() -> PanicsOnDrop {
    PanicsOnDrop
}

#[concurrent(threads)]
fn argument_panics(argument: PanicsOnDrop) {
    let _ = &argument;
}

#[test]
fn no_panic_costs_the_pool_a_thread() {
    for _ in 0..50 {
        panics().detach();
        // Its value is dropped where it ends, or here if it has already ended.
        let _ = panic::catch_unwind(|| panics_later().detach());
        argument_panics(PanicsOnDrop).detach();
        assert!(panics().join().unwrap_err().is_panic());
        assert!(argument_panics(PanicsOnDrop).join().unwrap_err().is_panic());
    }
    let barrier = Arc::new(Barrier::new(21));
    let tasks: Vec<_> = (0..20).map(|_| meet(Arc::clone(&barrier))).collect();
    barrier.wait();
    gather(tasks).join().unwrap();
}

/// In a child process, because the limit holds for the whole process.
#[cfg(target_os = "linux")]
#[test]
fn tasks_end_where_no_thread_can_be_made() {
    trine_tests::programs::alone(tasks_end_where_no_thread_can_be_made, &[], without_threads);
}

#[cfg(target_os = "linux")]
fn without_threads() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find(|line| line.starts_with("VmSize:")).unwrap();
    let kibibytes: u64 = size.split_whitespace().nth(1).unwrap().parse().unwrap();
    let old = getrlimit(Resource::As);
    // A mebibyte more than is in use: too little for a thread's stack.
    let tight = Rlimit { current: Some((kibibytes + 1024) * 1024), ..old };
    setrlimit(Resource::As, tight).unwrap();
    assert!(thread::Builder::new().spawn(|| ()).is_err());
    assert_eq!(fib(12).join().unwrap(), 144);
    assert_eq!(gather((0..100).map(leaf)).join().unwrap(), (1..=100).collect::<Vec<_>>());
    let (sender, receiver) = mpsc::channel();
    send(sender.clone(), 1).detach();
    setrlimit(Resource::As, old).unwrap();
    // The first call that can start a worker does so, also for what is already waiting.
    send(sender, 2).detach();
    let mut received = [receiver.recv().unwrap(), receiver.recv().unwrap()];
    received.sort_unstable();
    assert_eq!(received, [1, 2]);
}

// Threads outside the pool.

#[test]
fn many_threads_may_spawn_and_end() {
    for _ in 0..20 {
        let threads = (0..50).map(|n| thread::spawn(move || leaf(n)));
        let tasks: Vec<_> = threads.map(|thread| thread.join().unwrap()).collect();
        let sum: u64 = gather(tasks).join().unwrap().iter().sum();
        assert_eq!(sum, 50 * 51 / 2);
    }
}

#[test]
fn a_thread_may_spawn_while_it_ends() {
    struct Spawns(mpsc::Sender<u64>);
    impl Drop for Spawns {
        fn drop(&mut self) {
            send(self.0.clone(), 7).detach();
            assert_eq!(trine::join(|| 1, || 2), (1, 2));
        }
    }
    thread_local!(static SPAWNS: std::cell::RefCell<Option<Spawns>> = const {
        std::cell::RefCell::new(None)
    });
    for first in [true, false] {
        let (sender, receiver) = mpsc::channel();
        // Set before and after trine's own thread-locals: in one of the two cases the destructor
        // finds those gone.
        thread::spawn(move || {
            if first {
                leaf(1).join().unwrap();
            }
            SPAWNS.set(Some(Spawns(sender)));
            leaf(1).join().unwrap();
        })
        .join()
        .unwrap();
        assert_eq!(receiver.recv().unwrap(), 7);
    }
}

#[concurrent(threads)]
fn chain(stop: Arc<AtomicUsize>) {
    if stop.load(Ordering::Relaxed) == 0 {
        chain(stop).detach();
    }
}

#[test]
fn a_stream_of_tasks_does_not_starve_the_rest() {
    let stop = Arc::new(AtomicUsize::new(0));
    // More of them than any pool has threads.
    for _ in 0..100 {
        chain(Arc::clone(&stop)).detach();
    }
    let (sender, receiver) = mpsc::channel();
    send(sender, 1).detach();
    assert_eq!(receiver.recv().unwrap(), 1);
    stop.store(1, Ordering::Relaxed);
}
