//! A ring of records: where they go, and which of them are whole.

#![allow(unsafe_code, reason = "records in memory that two processes share")]

use crate::process::value::output::MAX_INLINE;

/// The bytes of each ring: a power of two, and several of the longest records.
pub(crate) const RING: u32 = 256 << 10;

const _: () = assert!(RING.is_power_of_two() && RING as usize >= 4 * MAX_INLINE);

/// The size of a record in bytes.
pub(crate) const fn record(head: u32, length: u32) -> u32 {
    head + length.next_multiple_of(8)
}

/// A corrupt worker wrote something impossible.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Corrupt(pub(crate) &'static str);

/// In place of a record's length: there is no record here, the next one is at the start of the
/// ring.
pub(super) const SKIP: u32 = u32::MAX;

/// What a processor fetches at once.
#[cfg(target_arch = "x86_64")]
const LINE: u32 = 64;

/// So many of those ahead.
#[cfg(target_arch = "x86_64")]
const CLAIMED: u32 = 4;

/// A ring of either direction.
#[derive(Clone, Copy)]
pub(super) struct Ring(pub(super) *mut u8);

impl Ring {
    #[inline]
    pub(super) fn at(self, position: u32) -> *mut u8 {
        // SAFETY: within the ring, whatever the position.
        unsafe { self.0.add((position & (RING - 1)) as usize) }
    }

    pub(super) const fn to_end(position: u32) -> u32 {
        RING - (position & (RING - 1))
    }

    /// Where `bytes` contiguous bytes can be written at or after `tail`; `None` if there is no
    /// room. `taken` is how far the ring has been read.
    #[inline]
    pub(super) fn place(self, tail: u32, taken: u32, bytes: u32) -> Option<u32> {
        let to_end = Self::to_end(tail);
        let skip = if to_end < bytes { to_end } else { 0 };
        if tail.wrapping_sub(taken) + skip + bytes > RING {
            return None;
        }
        if skip > 0 {
            // SAFETY: positions are multiples of 8, so there is room for the word, which nobody
            // reads before the tail is past it.
            unsafe { self.at(tail).cast::<u32>().write(SKIP) };
        }
        Some(tail.wrapping_add(skip))
    }

    /// Has the processor fetch the record that will be at a position together with the word that
    /// says that it is there: a second wait for the other core's memory would take as long again.
    #[inline]
    pub(super) fn expect(self, position: u32) {
        #[cfg(target_arch = "x86_64")]
        for line in [position, position.wrapping_add(LINE)] {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: a hint, and the memory is mapped.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(self.at(line).cast_const().cast()) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (self, position);
    }

    /// Has the processor fetch, to write to it, what will be written some records after a position.
    /// The other core has read it since it was written last, and each record would wait until that
    /// core has given it up, one after the other.
    #[inline]
    pub(super) fn claim(self, position: u32) {
        #[cfg(target_arch = "x86_64")]
        {
            let line = self.at(position.wrapping_add(CLAIMED * LINE));
            // SAFETY: a hint, and the memory is mapped. The intrinsic with that name fetches it to
            // read, unless all code is for processors that can do the other.
            unsafe {
                std::arch::asm!("prefetchw [{}]", in(reg) line, options(nostack, preserves_flags));
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (self, position);
    }

    /// The next record between two positions: where it starts, and its head.
    ///
    /// # Safety
    /// `H` must start with the record's length, and every bit pattern must be an `H`.
    #[inline]
    pub(super) unsafe fn next<H: Copy>(
        self,
        head: u32,
        tail: u32,
        length_of: fn(&H) -> u32,
    ) -> Result<(u32, H), Corrupt> {
        let size = size_of::<H>() as u32;
        let mut start = head;
        let mut available = tail.wrapping_sub(head);
        if available > RING || !available.is_multiple_of(8) || available < 8 {
            return Err(Corrupt("its ring has an impossible end"));
        }
        // Each word is read once, into a copy that nobody else can change.
        let mut first = Self::to_end(start).min(available);
        if first < size {
            // SAFETY: aligned and within the ring, like all below.
            if unsafe { self.at(start).cast::<u32>().read_volatile() } != SKIP {
                return Err(Corrupt("a record is cut short"));
            }
        } else {
            // SAFETY: `size` contiguous bytes are there; the caller vouches for `H`.
            let record = unsafe { self.at(start).cast::<H>().read_volatile() };
            if length_of(&record) != SKIP {
                return Self::check(start, available, record, length_of);
            }
        }
        let skip = Self::to_end(start);
        available = available.checked_sub(skip).ok_or(Corrupt("it skips past its end"))?;
        start = start.wrapping_add(skip);
        first = Self::to_end(start).min(available);
        if first < size {
            return Err(Corrupt("a record is cut short"));
        }
        // SAFETY: as above.
        let record = unsafe { self.at(start).cast::<H>().read_volatile() };
        Self::check(start, available, record, length_of)
    }

    /// Whether a record that starts there ends within the ring.
    #[inline]
    fn check<H>(
        start: u32,
        available: u32,
        record: H,
        length_of: fn(&H) -> u32,
    ) -> Result<(u32, H), Corrupt> {
        let size = size_of::<H>() as u32;
        let length = length_of(&record);
        if length > MAX_INLINE as u32 {
            return Err(Corrupt("a record is too long"));
        }
        let bytes = self::record(size, length);
        if bytes > available || bytes > Self::to_end(start) {
            return Err(Corrupt("a record runs over its end"));
        }
        Ok((start, record))
    }
}
