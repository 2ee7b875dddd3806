//! `trine::join` inside stackful coroutines: frames on one thread that do not nest.

// The deprecated way to suspend is the one that needs no handle; a closure could not take a handle
// along to another thread.
#![expect(deprecated)]

use std::thread;

use generator::{Gn, yield_};
use trine::{concurrent, gather, join};
use trine_tests::programs::output_alone;

fn fib(n: u32) -> u64 {
    if n < 2 {
        return n.into();
    }
    let (a, b) = join(|| fib(n - 1), || fib(n - 2));
    a + b
}

/// In words; Windows needs more than the 32 KiB that a coroutine has by itself.
const STACK: usize = (256 << 10) / size_of::<usize>();

type Coroutine = generator::Generator<'static, (), u64>;

/// Joins down to `depth`, and suspends itself in each first closure.
fn suspended_at(depth: u64, tag: u64) -> u64 {
    let first = || {
        yield_::<(), u64>(tag);
        if depth == 0 { 0 } else { suspended_at(depth - 1, tag) }
    };
    let (below, mine) = join(first, || fib(8) + tag);
    below + mine
}

fn coroutine(depth: u64, tag: u64) -> Coroutine {
    Gn::<()>::new_opt(STACK, move || suspended_at(depth, tag))
}

fn expected(depth: u64, tag: u64) -> u64 {
    (depth + 1) * (21 + tag)
}

/// Changes the order in which coroutines are resumed from round to round.
type Reorder = fn(&mut Vec<usize>);

#[concurrent(threads)]
fn interleave_on_the_pool(order: Reorder) {
    interleave(order);
}

fn interleave(order: Reorder) {
    for count in [2, 3, 8] {
        for depth in [0, 1, 5] {
            let mut coroutines: Vec<_> =
                (0..count).map(|tag| coroutine(depth, tag as u64)).collect();
            let mut results = vec![0; count];
            let mut left: Vec<_> = (0..count).collect();
            while !left.is_empty() {
                for index in left.clone() {
                    results[index] = coroutines[index].resume().unwrap();
                }
                left.retain(|&index| !coroutines[index].is_done());
                order(&mut left);
            }
            for (tag, result) in (0..).zip(results) {
                assert_eq!(result, expected(depth, tag), "{count} at depth {depth}");
            }
        }
    }
}

#[test]
fn coroutines_on_one_thread_end_in_any_order() {
    let orders: [Reorder; 3] =
        [|_| (), |left| left.reverse(), |left| left.sort_by_key(|index| index % 2)];
    for _ in 0..20 {
        for order in orders {
            // In the first line, idle workers take what is offered here; in the second they are
            // busy.
            interleave(order);
            trine::gather((0..4).map(|_| interleave_on_the_pool(order))).join().unwrap();
        }
    }
}

#[cfg(debug_assertions)]
#[test]
fn a_coroutine_on_another_thread_aborts() {
    let output = output_alone(a_coroutine_on_another_thread_aborts, &[], || {
        let mut moved = coroutine(3, 1);
        moved.resume();
        moved.resume();
        thread::spawn(move || while moved.resume().is_some() {}).join().unwrap();
    });
    if let Some(output) = output {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("was resumed on another thread"), "{said}");
    }
}

/// `generator` drops a coroutine by unwinding its stack, which fails on Windows.
#[cfg(not(windows))]
#[test]
fn a_coroutine_may_be_dropped_inside_a_join() {
    for dropped in 0..3 {
        let mut coroutines: Vec<_> = (0..3).map(|tag| coroutine(4, tag)).collect();
        for coroutine in &mut coroutines {
            coroutine.resume();
            coroutine.resume();
        }
        drop(coroutines.remove(dropped));
        assert_eq!(fib(12), 144);
        for mut coroutine in coroutines {
            while !coroutine.is_done() {
                coroutine.resume();
            }
        }
    }
    assert_eq!(fib(20), 6765);
}

/// Returns at once if it is in no coroutine.
#[concurrent(threads)]
fn suspends() -> bool {
    let is_inside = generator::is_generator();
    if is_inside {
        yield_::<(), u64>(0);
    }
    is_inside
}

/// Ways to join a call whose body is to run on the thread that joins it.
const JOINS: [fn() -> bool; 3] = [
    || suspends().join().unwrap(),
    || gather([suspends()]).join().unwrap()[0],
    || suspends().map(|is_inside| is_inside).join().unwrap(),
];

/// A coroutine that is suspended in the body of a call.
fn inside_a_body(join: fn() -> bool) -> Coroutine {
    let mut coroutine = Gn::<()>::new_opt(STACK, move || {
        // A thread of the pool may come first.
        while !join() {}
        1
    });
    coroutine.resume();
    coroutine
}

/// What a body left behind that has ended is overwritten.
fn write_over_what_is_free() {
    let blocks = (16..1024).step_by(16).flat_map(|size| (0..32).map(move |_| vec![0xff_u8; size]));
    drop(std::hint::black_box(blocks.collect::<Vec<_>>()));
}

#[test]
fn bodies_in_coroutines_end_in_any_order() {
    let orders: [Reorder; 3] =
        [|_| (), |left| left.reverse(), |left| left.sort_by_key(|index| index % 2)];
    for join in JOINS {
        for order in orders {
            for _ in 0..20 {
                let mut coroutines: Vec<_> = (0..4).map(|_| inside_a_body(join)).collect();
                let mut left = vec![0, 1, 2, 3];
                order(&mut left);
                for index in left {
                    assert_eq!(coroutines[index].resume(), Some(1));
                }
                drop(coroutines);
                write_over_what_is_free();
                assert!(!trine::cancelled());
            }
        }
    }
}

#[test]
fn a_body_that_ends_on_another_thread_aborts() {
    let output = output_alone(a_body_that_ends_on_another_thread_aborts, &[], || {
        let mut moved = inside_a_body(JOINS[0]);
        thread::spawn(move || moved.resume()).join().unwrap();
    });
    if let Some(output) = output {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("ends on another"), "{said}");
    }
}
