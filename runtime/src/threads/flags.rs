//! One bit per seat: there may be something to take. So that a search over hundreds of seats,
//! nearly all of them empty, reads a few words.
//!
//! A bit may be up without need, but never down while there is something: the owner puts its work
//! down *before* it looks whether its bit is up, and a thief that finds nothing lowers the bit
//! *before* it looks once more (both with a sequentially consistent fence between).

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

    /// To be called after work was put down at this seat. Ends with a sequentially consistent
    /// fence.
    #[inline]
    pub(crate) fn raise(&self, seat: usize) {
        fence(Ordering::SeqCst);
        let (word, bit) = (&self.0[seat / 64], 1 << (seat % 64));
        if word.load(Ordering::Relaxed) & bit == 0 {
            word.fetch_or(bit, Ordering::SeqCst);
            fence(Ordering::SeqCst);
        }
    }

    /// Lowers the bit of a seat at which nothing was found, unless `still` finds something.
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

    /// The seats below this one whose bits are up.
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
