//! `trine::join`: results, borrows, depth, panics, from inside and outside the pool.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use trine::{concurrent, join};

fn fib(n: u32) -> u64 {
    if n < 2 {
        return n.into();
    }
    let (a, b) = join(|| fib(n - 1), || fib(n - 2));
    a + b
}

#[test]
fn both_results_come_back() {
    assert_eq!(join(|| 1, || "two"), (1, "two"));
    assert_eq!(fib(25), 75_025);
}

#[test]
fn many_threads_join_at_once() {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| fib(20))).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 6765);
        }
    });
}

#[test]
fn both_may_borrow_and_change() {
    fn sort(numbers: &mut [u32]) {
        if numbers.len() < 2 {
            return;
        }
        let pivot = numbers.len() - 1;
        let mut split = 0;
        for index in 0..pivot {
            if numbers[index] <= numbers[pivot] {
                numbers.swap(index, split);
                split += 1;
            }
        }
        numbers.swap(split, pivot);
        let (low, high) = numbers.split_at_mut(split);
        join(|| sort(low), || sort(&mut high[1..]));
    }
    let mut numbers: Vec<u32> = (0..20_000u32).map(|n| n.wrapping_mul(2_654_435_761)).collect();
    let mut expected = numbers.clone();
    expected.sort_unstable();
    sort(&mut numbers);
    assert_eq!(numbers, expected);
}

#[test]
fn ten_thousand_levels_are_not_too_deep() {
    fn first(n: u32) -> u64 {
        if n == 0 {
            return 0;
        }
        let (a, b) = join(|| first(n - 1), || u64::from(n));
        a + b
    }
    fn second(n: u32) -> u64 {
        if n == 0 {
            return 0;
        }
        let (a, b) = join(|| u64::from(n), || second(n - 1));
        a + b
    }
    // On a stack of the usual size. Unoptimized frames are many times as large.
    let depth = if cfg!(debug_assertions) { 2_000 } else { 10_000 };
    let sum = u64::from(depth) * (u64::from(depth) + 1) / 2;
    assert_eq!((first(depth), second(depth)), (sum, sum));
}

#[concurrent(threads)]
fn fib_task(n: u32) -> u64 {
    fib(n)
}

#[test]
fn tasks_join_and_joins_spawn() {
    let tasks: Vec<_> = (0..50).map(|_| fib_task(16)).collect();
    for task in tasks {
        assert_eq!(task.join().unwrap(), 987);
    }
    fn mixed(n: u32) -> u64 {
        if n < 8 {
            return fib_task(n).join().unwrap();
        }
        let (a, b) = join(|| mixed(n - 1), || mixed(n - 2));
        a + b
    }
    assert_eq!(mixed(14), 377);
}

/// Counts how many of its kind are alive.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(alive))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Joins down to `depth`, with a panic in the chosen arms of the innermost join, and counted values
/// everywhere.
fn descend(depth: u32, panics: (bool, bool), alive: &Arc<AtomicUsize>) -> (Counted, Counted) {
    let (first, second) = (Counted::new(alive), Counted::new(alive));
    if depth == 0 {
        return join(
            move || {
                assert!(!panics.0, "first");
                first
            },
            move || {
                assert!(!panics.1, "second");
                second
            },
        );
    }
    let ((inner, _), second) = join(
        move || {
            let _first = first;
            descend(depth - 1, panics, alive)
        },
        move || {
            fib(5);
            second
        },
    );
    (inner, second)
}

#[test]
fn a_panic_in_either_arm_drops_everything_once() {
    let alive = Arc::new(AtomicUsize::new(0));
    for round in 0..400u32 {
        let panics = (round & 1 != 0, round & 2 != 0);
        let result = catch_unwind(AssertUnwindSafe(|| descend(round % 30, panics, &alive)));
        let message = result.map(drop).err().map(|panic| *panic.downcast_ref::<&str>().unwrap());
        let expected = match panics {
            (true, _) => Some("first"),
            (false, true) => Some("second"),
            (false, false) => None,
        };
        assert_eq!(message, expected);
        assert_eq!(alive.load(Ordering::SeqCst), 0, "round {round}");
    }
}

#[test]
fn a_panic_waits_for_who_borrows_the_stack() {
    for _ in 0..200 {
        let mut data = vec![0u64; 64];
        let result = catch_unwind(AssertUnwindSafe(|| {
            join(
                || panic!("the first arm panics while the second may be running elsewhere"),
                || data.iter_mut().for_each(|number| *number = fib(10)),
            )
        }));
        assert!(result.is_err());
        // All or nothing: nobody is still writing.
        assert!(data.iter().all(|&number| number == data[0]));
    }
}

#[test]
fn the_macro_takes_up_to_eight() {
    let text = String::from("borrowed");
    assert_eq!(trine::join!(1, text.len()), (1, 8));
    assert_eq!(trine::join!(1, 2, text.len()), (1, 2, 8));
    assert_eq!(trine::join!(1, 2, 3, text.len(),), (1, 2, 3, 8));
    assert_eq!(trine::join!(1, 2, 3, 4, text.len()), (1, 2, 3, 4, 8));
    assert_eq!(trine::join!(1, 2, 3, 4, 5, text.len()), (1, 2, 3, 4, 5, 8));
    assert_eq!(trine::join!(1, 2, 3, 4, 5, 6, text.len()), (1, 2, 3, 4, 5, 6, 8));
    assert_eq!(trine::join!(1, 2, 3, 4, 5, 6, 7, text.len()), (1, 2, 3, 4, 5, 6, 7, 8));
}

#[test]
fn sequential_joins_stay_on_this_thread() {
    let here = thread::current().id();
    let id = || thread::current().id();
    let ids: Vec<_> = trine::sequential(|| (0..100).map(|_| join(id, id)).collect());
    assert!(ids.iter().all(|&ids| ids == (here, here)));
}
