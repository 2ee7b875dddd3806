//! How deeply this thread is inside of what follows the ends of tasks.
//!
//! Each such step calls the next directly, up to a depth; beyond that it leaves the next to whoever
//! called it (`relay.rs`). Code of users cannot be relied on to come back: a closure of `map` may
//! wait, in a way that this crate does not see, for what it has left so. So each begins anew
//! ([`afresh`]), and only the room on the stack bounds how deeply those may nest.

use std::cell::Cell;

use crate::sync::thread_local;

/// How deeply steps may nest.
pub(crate) const DEEPEST: usize = 16;
/// The depth of a thread that holds its steps.
const HELD: usize = usize::MAX / 2;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Whether a step has to be left to a caller.
pub(crate) fn is_deep() -> bool {
    DEPTH.try_with(Cell::get).is_ok_and(|depth| depth >= DEEPEST)
}

/// Sets the depth until it is dropped.
struct Until(usize);

impl Until {
    fn set(new: impl FnOnce(usize) -> usize) -> Self {
        Self(DEPTH.try_with(|depth| depth.replace(new(depth.get()))).unwrap_or(0))
    }
}

impl Drop for Until {
    fn drop(&mut self) {
        let _ = DEPTH.try_with(|depth| depth.set(self.0));
    }
}

/// Runs a step one level deeper, and then, on leaving the deepest level, what was left there.
pub(crate) fn deeper(step: impl FnOnce(), catch_up: fn()) {
    struct Leave(Until, fn());
    impl Drop for Leave {
        fn drop(&mut self) {
            if self.0.0 + 1 == DEEPEST {
                (self.1)();
            }
        }
    }
    let _leave = Leave(Until::set(|depth| depth + 1), catch_up);
    step();
}

/// Runs a closure in which no step runs.
pub(crate) fn held<R>(act: impl FnOnce() -> R) -> R {
    let _until = Until::set(|depth| depth.max(HELD));
    act()
}

/// Runs code of users, in which steps run at once, unless this thread holds them.
#[inline]
pub(crate) fn afresh<R>(foreign: impl FnOnce() -> R) -> R {
    let _until = Until::set(|depth| if depth < HELD { 0 } else { depth });
    foreign()
}
