//! A call that has ended keeps no memory, and one that was given up keeps no place. In a binary of
//! its own, because it counts every byte.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

use trine::{Task, concurrent};
use trine_tests::checks::wait_until;
use trine_tests::programs::alone;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: this is `System`, with a count beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

type Large = [u8; 1000];
type Call = fn() -> Task<usize>;

macro_rules! mode {
    ($module:ident, $mode:ident, $($async:ident)?) => {
        mod $module {
            use super::Large;
            use trine::concurrent;

            #[concurrent($mode)]
            pub(super) $($async)? fn large() -> usize {
                let large: Large = [1; _];
                large.len()
            }

            #[concurrent($mode, priority = high)]
            pub(super) $($async)? fn large_high() -> usize {
                size_of::<Large>()
            }

            #[concurrent($mode, priority = low)]
            pub(super) $($async)? fn large_low() -> usize {
                size_of::<Large>()
            }
        }
    };
}

mode!(threads, threads,);
mode!(process, process,);
mode!(asynchronous, async, async);

#[concurrent(threads, limit = 1)]
fn device(until: Option<mpsc::Receiver<()>>, data: Large) -> usize {
    if let Some(until) = until {
        let _ = until.recv();
    }
    data.len()
}

/// Checks that this many rounds add less than `at_most` bytes; waits for what settles late.
fn grows(name: &str, at_most: usize, rounds: usize, mut round: impl FnMut()) {
    (0..rounds).for_each(|_| round());
    let before = LIVE.load(Relaxed);
    (0..rounds).for_each(|_| round());
    wait_until(|| LIVE.load(Relaxed) < before + at_most);
    println!("{name}: {before} bytes before, {} after", LIVE.load(Relaxed));
}

#[test]
fn what_has_ended_or_was_given_up_keeps_no_memory() {
    let hour = Duration::from_secs(3600);
    let ended = |task: Task<usize>| {
        let task = task.timeout(hour);
        wait_until(|| task.is_finished());
        task
    };
    const CALLS: &[(&str, Call)] = &[
        ("threads", threads::large),
        ("threads, high", threads::large_high),
        ("threads, low", threads::large_low),
        ("async", asynchronous::large),
        ("async, high", asynchronous::large_high),
        ("async, low", asynchronous::large_low),
    ];
    for (name, call) in CALLS {
        grows(name, 64 << 10, 1000, || ended(call()).detach());
        grows(name, 64 << 10, 1000, || drop(ended(call()).join()));
        grows(name, 64 << 10, 1000, || drop(call().timeout(hour)));
    }

    let (release, until) = mpsc::channel();
    let holder = device(Some(until), [0; _]);
    grows("given up under a limit", 128 << 10, 10_000, || drop(device(None, [0; _])));
    let live: Vec<_> = (0..100).map(|_| device(None, [0; _])).collect();
    grows("beside others that wait", 512 << 10, 10_000, || drop(device(None, [0; _])));
    release.send(()).unwrap();
    holder.join().unwrap();
    live.into_iter().for_each(|task| assert_eq!(task.join().unwrap(), 1000));
}

static BUSY: AtomicUsize = AtomicUsize::new(0);
static LET_GO: AtomicBool = AtomicBool::new(false);

fn keep_busy() {
    BUSY.fetch_add(1, Relaxed);
    while !LET_GO.load(Relaxed) {
        std::hint::spin_loop();
    }
}

#[concurrent(threads)]
fn keeps_a_thread_busy() {
    keep_busy();
}

#[concurrent(process)]
fn keeps_a_worker_busy() {
    loop {
        std::hint::spin_loop();
    }
}

const ONE_WORKER: &[(&str, &str)] = &[("TRINE_THREADS", "1"), ("TRINE_PROCESSES", "1")];

/// Nobody comes to the shells of what its caller has run, or given up.
#[test]
fn what_no_worker_comes_to_keeps_no_memory() {
    alone(what_no_worker_comes_to_keeps_no_memory, ONE_WORKER, || {
        let (thread, worker) = (keeps_a_thread_busy(), keeps_a_worker_busy());
        wait_until(|| BUSY.load(Relaxed) == 1);
        const JOINED: &[(&str, Call)] = &[
            ("usual", threads::large),
            ("high", threads::large_high),
            ("low", threads::large_low),
        ];
        for (name, call) in JOINED {
            grows(&format!("{name}, joined"), 1 << 20, 20_000, || drop(call().join()));
            grows(&format!("{name}, given up"), 1 << 20, 20_000, || drop(call()));
        }
        const GIVEN_UP: &[(&str, Call)] = &[
            ("usual", process::large),
            ("high", process::large_high),
            ("low", process::large_low),
        ];
        for (name, call) in GIVEN_UP {
            grows(&format!("{name} in process, given up"), 1 << 20, 20_000, || drop(call()));
        }
        LET_GO.store(true, Relaxed);
        thread.join().unwrap();
        drop(worker);
    });
}
