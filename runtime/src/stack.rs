//! Where a thread is on its stack, for engines that avoid, or explain, that one overflows.
//!
//! Whoever joins a task runs it, if nobody has begun; its body may join the next, and so on. Such a
//! row has no bound, and each thread's stack has one, so a thread that has used half of its stack
//! leaves the next task to another ([`has_room`]).

use std::cell::Cell;
use std::ops::Range;

#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "freebsd")))]
mod elsewhere;
#[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))]
mod posix;
#[cfg(windows)]
mod windows;

#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "freebsd", windows)))]
use self::elsewhere as system;
#[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))]
use self::posix as system;
#[cfg(windows)]
use self::windows as system;

pub(crate) use system::{bounds, position};

/// This thread's stack, if this position is on it. Of another, as a coroutine has, nothing is
/// known.
pub(crate) fn around(position: usize) -> Option<Range<usize>> {
    thread_local! {
        static STACK: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
    }
    let (start, end) = match STACK.get() {
        Some(known) => known,
        None => {
            let found = bounds()?;
            STACK.set(Some(found));
            found
        }
    };
    (start..end).contains(&position).then_some(start..end)
}

/// Whether this thread's stack has room for one more body: half of it, and half of what bodies are
/// said to need, if that is said. A stack of which nothing is known, as that of a coroutine, or the
/// first thread's while the system does not tell, has room unless something is said.
pub(crate) fn has_room(said: Option<usize>) -> bool {
    let here = position();
    let Some(stack) = around(here) else { return said.is_none() };
    let needed = stack.len().max(said.unwrap_or(0)) / 2;
    // The first thread of a program of 32 bits has its stack where the addresses end.
    here >= stack.start.saturating_add(needed)
}
