//! Row 1: fork-join.

use std::time::Duration;

use crate::harness::{Goal, Row};

const N: u32 = 30;

/// How many joins `fib(n)` makes.
fn joins(n: u32) -> u64 {
    if n < 2 { 0 } else { 1 + joins(n - 1) + joins(n - 2) }
}

fn with_trine(n: u32) -> u64 {
    if n < 2 {
        return n.into();
    }
    let (a, b) = trine::join(|| with_trine(n - 1), || with_trine(n - 2));
    a + b
}

fn with_rayon(n: u32) -> u64 {
    if n < 2 {
        return n.into();
    }
    let (a, b) = rayon::join(|| with_rayon(n - 1), || with_rayon(n - 2));
    a + b
}

fn with_chili(n: u32, scope: &mut chili::Scope<'_>) -> u64 {
    if n < 2 {
        return n.into();
    }
    let (a, b) = scope.join(|s| with_chili(n - 1, s), |s| with_chili(n - 2, s));
    a + b
}

fn plain(n: u32) -> u64 {
    if n < 2 { n.into() } else { plain(n - 1) + plain(n - 2) }
}

fn check(fib: u64) {
    assert_eq!(std::hint::black_box(fib), 832_040);
}

pub(crate) fn fib() -> Row {
    let n = || std::hint::black_box(N);
    Row::new("1", "`join` over fib(30), per join")
        .operations(joins(N))
        .rounds(101)
        .contestant("trine::join", move || check(with_trine(n())))
        .contestant("chili", move || check(with_chili(n(), &mut chili::Scope::global())))
        .contestant("rayon::join", move || check(with_rayon(n())))
        .contestant("plain recursion", move || check(plain(n())))
        .goal(Goal::Time("chili", 1.0))
        .goal(Goal::Time("rayon::join", 0.5))
}

#[trine::concurrent(threads)]
fn in_the_pool(n: u32) -> u64 {
    with_trine(n)
}

/// The same, begun by a thread of the pool; the row above begins on the thread that measures.
pub(crate) fn inside() -> Row {
    let n = || std::hint::black_box(N);
    Row::new("1", "`join` over fib(30) inside of the pool, per join")
        .operations(joins(N))
        .rounds(101)
        // A timed join leaves the task to the pool.
        .contestant("trine::join", move || {
            let done = in_the_pool(n()).join_timeout(Duration::from_secs(60));
            check(done.expect("it takes milliseconds").expect("it does not fail"));
        })
        .contestant("chili", move || check(with_chili(n(), &mut chili::Scope::global())))
        .contestant("rayon::join", move || check(rayon::scope(|_| with_rayon(n()))))
        .goal(Goal::Time("chili", 1.0))
        .goal(Goal::Time("rayon::join", 0.5))
}

/// Deep on one side, with the work on the other: a list, not a tree. Twice as deep is too much for
/// the stacks of a thread pool of rayon in some builds.
const DEPTH: u32 = 5_000;

fn work(seed: u32) -> u64 {
    (0..500u64).fold(seed.into(), |sum, x| std::hint::black_box(sum ^ x).rotate_left(5))
}

fn list_trine(n: u32) -> u64 {
    if n == 0 {
        return 0;
    }
    let (a, b) = trine::join(|| list_trine(n - 1), || work(n));
    a ^ b
}

fn list_rayon(n: u32) -> u64 {
    if n == 0 {
        return 0;
    }
    let (a, b) = rayon::join(|| list_rayon(n - 1), || work(n));
    a ^ b
}

fn list_chili(n: u32, scope: &mut chili::Scope<'_>) -> u64 {
    if n == 0 {
        return 0;
    }
    let (a, b) = scope.join(|s| list_chili(n - 1, s), |_| work(n));
    a ^ b
}

fn list_plain(n: u32) -> u64 {
    if n == 0 { 0 } else { list_plain(n - 1) ^ work(n) }
}

pub(crate) fn unbalanced() -> Row {
    fn keep<T>(value: T) {
        std::hint::black_box(value);
    }
    Row::new("1", "`join` down a list of 5,000, per join")
        .operations(DEPTH.into())
        .rounds(51)
        .contestant("trine::join", || keep(list_trine(DEPTH)))
        .contestant("chili", || keep(list_chili(DEPTH, &mut chili::Scope::global())))
        .contestant("rayon::join", || keep(list_rayon(DEPTH)))
        .contestant("plain recursion", || keep(list_plain(DEPTH)))
        .goal(Goal::Time("chili", 1.0))
}
