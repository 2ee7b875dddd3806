//! A call that has ended keeps no memory, and one that was given up keeps no place. In a binary of
//! its own, because it counts every byte.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

use trine::{Task, concurrent};
use trine_tests::checks::wait_until;

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
        }
    };
}

mode!(threads, threads,);
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
    for (name, call) in
        [("threads", threads::large as fn() -> Task<usize>), ("async", asynchronous::large)]
    {
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
