//! Reusable memory for large messages: the receiver maps each segment once, and warm pages make it
//! fast.
//!
//! A segment belongs to its first reader for good: memory that one worker, or a child that it left
//! behind, has seen never carries data for another. A child that this process forks without exec
//! has the same memory mapped, so it neither writes segments nor returns their pages.

#![allow(unsafe_code, reason = "memory that another process reads")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::{io, ptr};

use crate::process::platform::{self, Memory};
use crate::sync::{Guard, Lock};

/// The number of segments. If they do not suffice, a message gets separate memory.
pub(crate) const SEGMENTS: usize = 16;
/// How much memory an unused segment may keep.
const KEEP: usize = 16 << 20;

/// Whether memory of that length is worth keeping for the next message. Otherwise both sender and
/// receiver forget it.
pub(crate) const fn is_kept(length: usize) -> bool {
    length <= KEEP
}

/// A receiver of segments.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    is_gone: AtomicBool,
}

impl Reader {
    /// Nobody may get what it has seen.
    pub(crate) fn leave(&self) {
        self.is_gone.store(true, Ordering::Release);
    }

    fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }
}

/// A piece of memory for one large message at a time.
pub(crate) struct Segment {
    number: usize,
    pub(crate) memory: Memory,
    reader: OnceLock<Arc<Reader>>,
    is_known: AtomicBool,
    is_left: AtomicBool,
}

struct Segments {
    /// A bit for each number that is in use.
    made: u32,
    idle: Vec<Segment>,
}

static ALL: Lock<Segments> = Lock::new(Segments { made: 0, idle: Vec::new() });

fn all() -> Guard<'static, Segments> {
    ALL.lock()
}

impl Segments {
    /// A segment that nobody has seen, unless all are in use or memory is short.
    fn make(&mut self, length: usize) -> Option<Segment> {
        let number = (!self.made).trailing_zeros() as usize;
        if number >= SEGMENTS {
            return None;
        }
        let memory = Memory::new(length).ok()?;
        self.made |= 1 << number;
        let (is_known, is_left) = (AtomicBool::new(false), AtomicBool::new(false));
        Some(Segment { number, memory, reader: OnceLock::new(), is_known, is_left })
    }

    fn forget(&mut self, number: usize) {
        self.made &= !(1 << number);
    }

    /// Removes what is no longer useful, to be dropped without the lock.
    fn take_dead(&mut self) -> Vec<Segment> {
        let is_dead =
            |segment: &mut Segment| segment.reader.get().is_some_and(|reader| reader.is_gone());
        let dead: Vec<_> = self.idle.extract_if(.., is_dead).collect();
        dead.iter().for_each(|segment| self.forget(segment.number));
        dead
    }
}

impl Segment {
    /// A segment of at least `length` bytes, unless all are in use or memory is short.
    pub(crate) fn take(length: usize) -> Option<Self> {
        Self::take_where(length, |_| true)
    }

    /// The same, for this reader.
    pub(crate) fn take_for(reader: &Arc<Reader>, length: usize) -> Option<Self> {
        let segment = Self::take_where(length, |segment| segment.may_see(reader))?;
        segment.is_for(reader).then_some(segment)
    }

    fn take_where(length: usize, fits: impl Fn(&Self) -> bool) -> Option<Self> {
        if platform::is_forked_child() {
            // The parent goes on using the same memory.
            return None;
        }
        let mut all = all();
        let dead = all.take_dead();
        // The last returned is the warmest: take the first of those that is large enough.
        let is_large = |segment: &Self| segment.memory.length() >= length;
        let found = all.idle.iter().rposition(|segment| fits(segment) && is_large(segment));
        let found = found.or_else(|| all.idle.iter().rposition(&fits));
        let taken = match found {
            Some(index) => Some(all.idle.remove(index)),
            None => all.make(length).or_else(|| {
                // All belong to others: free an idle one.
                let other = all.idle.pop()?;
                all.forget(other.number);
                all.make(length)
            }),
        };
        drop(all);
        drop(dead);
        let mut segment = taken?;
        if segment.grow(length).is_err() {
            segment.give_back();
            return None;
        }
        Some(segment)
    }

    /// Grows it to at least `length` bytes; it may move.
    pub(crate) fn grow(&mut self, length: usize) -> io::Result<()> {
        if !self.memory.grow(length)? {
            self.set_known(false);
        }
        Ok(())
    }

    fn may_see(&self, reader: &Arc<Reader>) -> bool {
        self.reader.get().is_none_or(|own| Arc::ptr_eq(own, reader))
    }

    /// Assigns it to this reader if it has none yet; returns false if it is another's.
    pub(crate) fn is_for(&self, reader: &Arc<Reader>) -> bool {
        Arc::ptr_eq(self.reader.get_or_init(|| Arc::clone(reader)), reader)
    }

    /// Whether its reader already has it.
    pub(crate) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }

    /// Its contents have gone to a reader in the segment of this number. If that is this one, its
    /// reader has it from now on; another's has a copy.
    pub(crate) fn note_sent(&self, number: u32) {
        if number as usize == self.number {
            self.set_known(true);
        }
    }

    pub(crate) fn set_known(&self, is_known: bool) {
        self.is_known.store(is_known, Ordering::Relaxed);
    }

    /// Leaves it as it is to children of its reader, which may read it for as long as they like.
    pub(crate) fn leave(&self) {
        self.is_left.store(true, Ordering::Relaxed);
    }

    /// Writes bytes at its start.
    pub(crate) fn fill(&self, bytes: &[u8]) {
        assert!(bytes.len() <= self.memory.length());
        // SAFETY: there is room, and nobody else writes it or reads it now.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.memory.start(), bytes.len()) };
    }

    /// Always less than [`SEGMENTS`].
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Its contents are no longer in use.
    pub(crate) fn give_back(self) {
        if platform::is_forked_child() {
            // It is only unmapped here.
            return;
        }
        let is_gone = self.reader.get().is_some_and(|reader| reader.is_gone());
        let is_left = self.is_left.load(Ordering::Relaxed);
        let keep = !is_gone && !is_left && (is_kept(self.memory.length()) || self.memory.discard());
        let mut all = all();
        if keep {
            all.idle.push(self);
        } else {
            all.forget(self.number);
            drop(all);
            drop(self);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whoever_was_sent_a_segment_has_it() {
        let segment = all().make(1).unwrap();
        segment.note_sent(SEGMENTS as u32);
        assert!(!segment.is_known(), "another reader got a copy");
        segment.note_sent(segment.number() as u32);
        assert!(segment.is_known());
        segment.give_back();
    }
}
