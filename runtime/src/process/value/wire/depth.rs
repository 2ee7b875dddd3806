//! How deeply values may be nested: as deeply as the stack of the encoding or decoding thread
//! allows.
//!
//! A fixed number of levels would have to suit the smallest stack and the largest frames: those of
//! derived code, a hundred or several thousand bytes each. So the stack itself is checked: one
//! comparison per level, and a query for the end of the thread's stack only for unusually deep
//! values.

use super::WireError;
use crate::stack;

/// What any thread has.
const SURE: usize = 64 << 10;
/// The part of a stack, an eighth, that is left to the code of one level and to destructors.
const KEPT: usize = 8;

/// How far down the stack may grow.
pub(super) struct Depth {
    lowest: usize,
    is_exact: bool,
}

impl Depth {
    #[inline]
    pub(super) fn new() -> Self {
        Self { lowest: stack::position().saturating_sub(SURE), is_exact: false }
    }

    /// Before each level of nesting.
    #[inline]
    pub(super) fn check(&mut self) -> Result<(), WireError> {
        if stack::position() < self.lowest { self.look() } else { Ok(()) }
    }

    #[cold]
    fn look(&mut self) -> Result<(), WireError> {
        let here = stack::position();
        if !self.is_exact {
            self.is_exact = true;
            // Code on a custom stack, such as a coroutine, gets the guaranteed part.
            if let Some(stack) = stack::around(here) {
                self.lowest = stack.start + stack.len() / KEPT;
            }
        }
        if here < self.lowest {
            return Err(WireError::new("it is nested too deeply for the stack of this thread"));
        }
        Ok(())
    }
}
