//! How deep values may be nested: as deep as the stack of who encodes or decodes them is.
//!
//! A count of levels would have to suit the smallest stack and the largest frames there are: the
//! frames are those of derived code, a hundred bytes or several thousand each. So what is looked
//! at is the stack itself: one comparison for each level, and where the thread's stack ends only
//! for the few values that go deeper than most ever do.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ops::Range;

use super::WireError;
use crate::process::platform;

/// What any thread has.
const SURE: usize = 64 << 10;
/// The part of a stack, an eighth, that is left to what a level calls, and to drops.
const KEPT: usize = 8;

/// How far down the stack may grow.
pub(super) struct Depth {
    lowest: usize,
    is_exact: bool,
}

impl Depth {
    #[inline]
    pub(super) fn new() -> Self {
        Self { lowest: here().saturating_sub(SURE), is_exact: false }
    }

    /// Before each level of nesting.
    #[inline]
    pub(super) fn check(&mut self) -> Result<(), WireError> {
        if here() < self.lowest { self.look() } else { Ok(()) }
    }

    #[cold]
    fn look(&mut self) -> Result<(), WireError> {
        let here = here();
        if !self.is_exact {
            self.is_exact = true;
            // What runs on a stack of its own making, as coroutines do, has what is sure.
            if let Some(stack) = stack().filter(|stack| stack.contains(&here)) {
                self.lowest = stack.start + stack.len() / KEPT;
            }
        }
        if here < self.lowest {
            return Err(WireError::new("it is nested too deeply for the stack of this thread"));
        }
        Ok(())
    }
}

/// About where the stack is.
#[inline]
fn here() -> usize {
    let local = MaybeUninit::<u8>::uninit();
    local.as_ptr().addr()
}

/// The stack of this thread.
fn stack() -> Option<Range<usize>> {
    thread_local! {
        static STACK: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
    }
    let (start, end) = STACK.get().or_else(platform::stack_bounds)?;
    STACK.set(Some((start, end)));
    Some(start..end)
}
