//! Fork-join: [`join`] runs two closures, at the same time if a worker is idle.
//!
//! Most joins of a recursion are far too small to be shared, so a join must cost little more than
//! two calls. Its second closure is a *branch* on the stack, in a list that only this thread
//! touches: entering and leaving it take a few plain stores. One branch per thread, the oldest and
//! so the largest, is *offered*: the thread's [`Seat`](super::seat::Seat) shows it, and an idle
//! worker takes it from there. Once it has been taken, the next join offers the branch that is then
//! the oldest. So there is always something to take from a joining thread, and the price of sharing
//! is paid only for branches that are taken.
//!
//! A thread that finishes its first closure takes its branch back. If another thread has taken it,
//! it helps: whatever that thread offers is by construction part of the awaited branch, so a
//! waiting thread never runs unrelated work.

use std::mem;

mod around;
#[allow(unsafe_code, reason = "a branch on the stack, run by another thread while it stands")]
mod branch;
#[allow(unsafe_code, reason = "a list of branches on the stack")]
mod fork;
#[cfg(all(test, trine_loom))]
mod model;

use branch::{Abandon, Branch};
use fork::Fork;

use crate::carry;

pub(super) use branch::take_offer;

/// Runs two closures, in parallel if possible, and returns both results.
///
/// The first runs here; the second is taken by an idle worker of the pool, or else runs here
/// afterwards. They may borrow, and may join in turn: a recursion costs little more than plain
/// calls, so there is no need for a sequential cutoff.
///
/// A thread outside the pool also runs the first itself and shares the second with the pool. In
/// [`sequential`](crate::sequential) both run here, in order.
///
/// # Panics
/// If a closure does. A panic of the first continues after the second has ended, if that had
/// started; a panic of the second continues here.
///
/// # Aborts
/// If a stackful coroutine is suspended inside a closure and resumed on another thread, as far as
/// that is detected. On one thread, coroutines may be resumed in any order.
///
/// ```
/// fn sum(numbers: &[u64]) -> u64 {
///     if numbers.len() < 2 {
///         return numbers.iter().sum();
///     }
///     let (left, right) = numbers.split_at(numbers.len() / 2);
///     let (left, right) = trine::join(|| sum(left), || sum(right));
///     left + right
/// }
/// assert_eq!(sum(&[1, 2, 3, 4, 5]), 15);
/// ```
#[inline]
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    if carry::is_set() {
        let b = carry::along(|()| b());
        fork(a, || b(()))
    } else {
        fork(a, b)
    }
}

#[inline]
fn fork<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    let branch = Branch::<B, RB>::new(b);
    let fork = Fork::mine();
    branch.enter(fork);
    let abandon = Abandon(&branch);
    let first = a();
    mem::forget(abandon);
    if cfg!(debug_assertions) {
        fork.check_thread();
    }
    (first, branch.result(fork))
}

/// Evaluates two to eight expressions, in parallel if possible, and returns all their values.
///
/// The expressions may borrow from their surroundings. Each is the body of a closure, so `return`
/// and `?` stay inside it. See [`trine::join`](crate::join()) for what runs where.
///
/// ```
/// let text = String::from("three words here");
/// let (words, letters, first) = trine::join!(
///     text.split(' ').count(),
///     text.chars().filter(|c| c.is_alphabetic()).count(),
///     text.chars().next(),
/// );
/// assert_eq!((words, letters, first), (3, 14, Some('t')));
/// ```
#[macro_export]
macro_rules! join {
    ($a:expr, $b:expr $(,)?) => {
        $crate::join(|| $a, || $b)
    };
    ($a:expr, $b:expr, $c:expr $(,)?) => {{
        let ((a, b), c) = $crate::join(|| $crate::join!($a, $b), || $c);
        (a, b, c)
    }};
    ($a:expr, $b:expr, $c:expr, $d:expr $(,)?) => {{
        let ((a, b), (c, d)) = $crate::join(|| $crate::join!($a, $b), || $crate::join!($c, $d));
        (a, b, c, d)
    }};
    ($a:expr, $b:expr, $c:expr, $d:expr, $e:expr $(,)?) => {{
        let ((a, b, c), (d, e)) =
            $crate::join(|| $crate::join!($a, $b, $c), || $crate::join!($d, $e));
        (a, b, c, d, e)
    }};
    ($a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $f:expr $(,)?) => {{
        let ((a, b, c), (d, e, f)) =
            $crate::join(|| $crate::join!($a, $b, $c), || $crate::join!($d, $e, $f));
        (a, b, c, d, e, f)
    }};
    ($a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $f:expr, $g:expr $(,)?) => {{
        let ((a, b, c, d), (e, f, g)) =
            $crate::join(|| $crate::join!($a, $b, $c, $d), || $crate::join!($e, $f, $g));
        (a, b, c, d, e, f, g)
    }};
    ($a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $f:expr, $g:expr, $h:expr $(,)?) => {{
        let ((a, b, c, d), (e, f, g, h)) =
            $crate::join(|| $crate::join!($a, $b, $c, $d), || $crate::join!($e, $f, $g, $h));
        (a, b, c, d, e, f, g, h)
    }};
}
