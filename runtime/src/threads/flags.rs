//! One bit per seat that says there may be something to take, so that a search over hundreds of
//! mostly empty seats reads only a few words.
//!
//! A bit may be set without need, but never clear while there is something: the owner publishes its
//! work *before* it checks whether its bit is set, and a thief that finds nothing clears the bit
//! *before* it checks once more (both with a sequentially consistent fence in between).

use crate::sync::atomic::{AtomicU64, Ordering, fence};

/// A bit for each of `64 * WORDS` seats.
pub(crate) struct Flags<const WORDS: usize>([AtomicU64; WORDS]);

impl<const WORDS: usize> Flags<WORDS> {
    #[cfg(not(trine_loom))]
    pub(crate) const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; WORDS])
    }

    #[cfg(trine_loom)]
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// Call this after putting work at this seat. Ends with a sequentially consistent fence.
    #[inline]
    pub(crate) fn raise(&self, seat: usize) {
        fence(Ordering::SeqCst);
        let (word, bit) = (&self.0[seat / 64], 1 << (seat % 64));
        if word.load(Ordering::Relaxed) & bit == 0 {
            word.fetch_or(bit, Ordering::SeqCst);
            fence(Ordering::SeqCst);
        }
    }

    /// Clears the bit of a seat where nothing was found, unless `still` finds something.
    #[cold]
    pub(crate) fn lower(&self, seat: usize, still: impl FnOnce() -> bool) -> bool {
        let (word, bit) = (&self.0[seat / 64], 1 << (seat % 64));
        word.fetch_and(!bit, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let still = still();
        if still {
            word.fetch_or(bit, Ordering::SeqCst);
        }
        still
    }

    /// The seats below this one whose bits are set.
    #[inline]
    pub(crate) fn raised_below(&self, seats: usize) -> impl Iterator<Item = usize> {
        self.0.iter().take(seats.div_ceil(64)).enumerate().flat_map(|(index, word)| {
            let mut bits = word.load(Ordering::Acquire);
            std::iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
                bits &= bits - 1;
                Some(64 * index + bit)
            })
        })
    }
}
