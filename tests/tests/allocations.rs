//! How many allocations a task makes. In a binary of its own, since it counts all of them.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use trine::{Stream, concurrent};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

static TOTAL: AtomicUsize = AtomicUsize::new(0);

// SAFETY: this is `System`, with counts for the calling thread and for all.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        TOTAL.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[concurrent(threads)]
fn add(a: u64, b: u64) -> u64 {
    a + b
}

#[concurrent(async)]
async fn add_async(a: u64, b: u64) -> u64 {
    a + b
}

#[cfg(target_os = "linux")]
#[concurrent(process)]
fn add_in_process(a: u64, b: u64) -> u64 {
    a + b
}

/// Workers with state of this mode: one, and one with two copies.
macro_rules! sums {
    ($module:ident, $mode:ident $(, $async:ident)?) => {
        mod $module {
            use trine::concurrent;

            pub(super) struct Sum(u64);

            #[concurrent($mode)]
            impl Sum {
                pub(crate) $($async)? fn new() -> Self {
                    Self(0)
                }
                pub(crate) $($async)? fn add(&mut self, number: u64) -> u64 {
                    self.0 = number;
                    self.0
                }
            }

            pub(super) struct Both(u64);

            #[concurrent($mode, copies = 2)]
            impl Both {
                pub(crate) $($async)? fn new() -> Self {
                    Self(1)
                }
                pub(crate) $($async)? fn add(&self, number: u64) -> u64 {
                    self.0 + number
                }
            }
        }
    };
}

sums!(on_threads, threads);
#[cfg(target_os = "linux")]
sums!(on_processes, process);
sums!(on_async, async, async);

/// The fewest allocations of this thread in one round, because queues grow now and then.
fn fewest(mut round: impl FnMut()) -> usize {
    let count = || ALLOCATIONS.with(Cell::get);
    (0..100)
        .map(|_| {
            let before = count();
            round();
            count() - before
        })
        .min()
        .unwrap()
}

#[test]
fn a_task_on_threads_is_one_allocation() {
    assert_eq!(fewest(|| assert_eq!(add(1, 2).join().unwrap(), 3)), 1);
}

#[test]
fn a_call_to_a_worker_with_state_allocates_as_often_as_a_task() {
    let (sum, both) = (on_threads::SumWorker::new(), on_threads::BothWorker::new());
    assert_eq!(fewest(|| assert_eq!(sum.add(3).join().unwrap(), 3)), 1);
    assert_eq!(fewest(|| assert_eq!(both.add(2).join().unwrap(), 3)), 1);
    let (sum, both) = (on_async::SumWorker::new(), on_async::BothWorker::new());
    assert_eq!(fewest(|| assert_eq!(sum.add(3).join().unwrap(), 3)), 1);
    assert_eq!(fewest(|| assert_eq!(both.add(2).join().unwrap(), 3)), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_call_to_a_worker_in_a_process_allocates_as_often_as_a_task() {
    let (sum, both) = (on_processes::SumWorker::new(), on_processes::BothWorker::new());
    let task = fewest(|| assert_eq!(add_in_process(1, 2).join().unwrap(), 3));
    assert_eq!(fewest(|| assert_eq!(sum.add(3).join().unwrap(), 3)), task);
    assert_eq!(fewest(|| assert_eq!(both.add(2).join().unwrap(), 3)), task);
}

#[test]
fn an_async_task_is_one_allocation() {
    assert_eq!(fewest(|| assert_eq!(add_async(1, 2).join().unwrap(), 3)), 1);
}

/// Each item is how many allocations the process of the body has made by then.
#[concurrent(threads)]
fn counts(items: usize) -> impl Iterator<Item = usize> {
    (0..items).map(|_| TOTAL.load(Ordering::Relaxed))
}

#[concurrent(process)]
fn counts_in_a_worker(items: usize) -> impl Iterator<Item = usize> {
    (0..items).map(|_| TOTAL.load(Ordering::Relaxed))
}

#[concurrent(async)]
fn counts_awaited(items: usize) -> impl futures::Stream<Item = usize> {
    futures::stream::iter((0..items).map(|_| TOTAL.load(Ordering::Relaxed)))
}

/// How many there are on both sides while ten thousand items come. The median of some rounds, since
/// other threads make some too, and queues grow now and then.
fn of_items(function: fn(usize) -> Stream<usize>) -> usize {
    const WARM: usize = 5_000;
    let round = || {
        let mut items = function(WARM + 10_000).into_iter();
        let first = items.by_ref().nth(WARM).unwrap().unwrap();
        let before = TOTAL.load(Ordering::Relaxed);
        let last = items.last().unwrap().unwrap();
        (TOTAL.load(Ordering::Relaxed) - before) + (last - first)
    };
    let mut rounds: Vec<_> = (0..50).map(|_| round()).collect();
    rounds.sort_unstable();
    rounds[rounds.len() / 2]
}

#[test]
fn an_item_is_no_allocation() {
    let made = [
        ("threads", of_items(counts)),
        ("process", of_items(counts_in_a_worker)),
        ("async", of_items(counts_awaited)),
    ];
    for (mode, made) in made {
        assert!(made < 50, "{mode}: {made} for 10,000 items");
    }
}
