//! Whether a worker has grown too large to serve on, and should be replaced between two calls: in
//! memory, as the option `renew` says, or in dead children that nobody waits for.

use crate::process::channel::SIZE_UNIT;
use crate::process::platform;

/// How many calls pass before dead children are counted again.
const SELDOM: u32 = 64;

pub(crate) struct Wear {
    calls: u32,
}

impl Wear {
    pub(crate) const fn new() -> Self {
        Self { calls: 0 }
    }

    /// Asked after each call; its limit is in units of [`SIZE_UNIT`], and 0 is none.
    pub(crate) fn is_grown(&mut self, size_limit: u32) -> bool {
        self.calls = self.calls.wrapping_add(1);
        let size = u64::from(size_limit) * SIZE_UNIT;
        size > 0 && platform::size().is_some_and(|now| now > size)
            || self.calls.is_multiple_of(SELDOM) && platform::has_many_dead_children()
    }
}
