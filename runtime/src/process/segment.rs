//! Memory for large messages, used again and again: the receiver maps each once, and warm pages are
//! what makes them fast.
//!
//! A segment belongs to its first reader for good: what one worker has seen, or a child that it
//! left behind, never holds what is for another.

use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::process::platform::Memory;
use crate::sync::{Guard, Lock};

/// How many segments there are; where they do not suffice, a message gets memory of its own.
pub(crate) const SEGMENTS: usize = 16;
/// What a segment may keep when it is not in use.
const KEEP: usize = 16 << 20;

/// Whether memory of that length is worth keeping from one message to the next. Sender and receiver
/// both forget what is not.
pub(crate) const fn is_kept(length: usize) -> bool {
    length <= KEEP
}

/// One who is sent segments.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    is_gone: AtomicBool,
}

impl Reader {
    /// Nobody is to get what it has seen.
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
    /// One that nobody has seen, unless all are in use or memory is short.
    fn make(&mut self, length: usize) -> Option<Segment> {
        let number = (!self.made).trailing_zeros() as usize;
        if number >= SEGMENTS {
            return None;
        }
        let memory = Memory::new(length).ok()?;
        self.made |= 1 << number;
        Some(Segment { number, memory, reader: OnceLock::new(), is_known: AtomicBool::new(false) })
    }

    fn forget(&mut self, number: usize) {
        self.made &= !(1 << number);
    }

    /// Takes out what is of no use any more, to be dropped without the lock.
    fn take_dead(&mut self) -> Vec<Segment> {
        let is_dead =
            |segment: &mut Segment| segment.reader.get().is_some_and(|reader| reader.is_gone());
        let dead: Vec<_> = self.idle.extract_if(.., is_dead).collect();
        dead.iter().for_each(|segment| self.forget(segment.number));
        dead
    }
}

impl Segment {
    /// One of at least `length` bytes, unless all are in use or memory is short.
    pub(crate) fn take(length: usize) -> Option<Self> {
        Self::take_where(length, |_| true)
    }

    /// The same, for this reader.
    pub(crate) fn take_for(reader: &Arc<Reader>, length: usize) -> Option<Self> {
        let segment = Self::take_where(length, |segment| segment.may_see(reader))?;
        segment.is_for(reader).then_some(segment)
    }

    fn take_where(length: usize, fits: impl Fn(&Self) -> bool) -> Option<Self> {
        let mut all = all();
        let dead = all.take_dead();
        // The last one back is the warmest; of those, the first that is large enough.
        let is_large = |segment: &Self| segment.memory.length() >= length;
        let found = all.idle.iter().rposition(|segment| fits(segment) && is_large(segment));
        let found = found.or_else(|| all.idle.iter().rposition(&fits));
        let taken = match found {
            Some(index) => Some(all.idle.remove(index)),
            None => all.make(length).or_else(|| {
                // All are others'. One that is idle makes room.
                let other = all.idle.pop()?;
                all.forget(other.number);
                all.make(length)
            }),
        };
        drop(all);
        drop(dead);
        let mut segment = taken?;
        if segment.memory.grow(length).is_err() {
            segment.give_back();
            return None;
        }
        Some(segment)
    }

    fn may_see(&self, reader: &Arc<Reader>) -> bool {
        self.reader.get().is_none_or(|own| Arc::ptr_eq(own, reader))
    }

    /// Makes it this reader's, if it is nobody's yet; false if it is another's.
    pub(crate) fn is_for(&self, reader: &Arc<Reader>) -> bool {
        Arc::ptr_eq(self.reader.get_or_init(|| Arc::clone(reader)), reader)
    }

    /// Whether its reader has it already.
    pub(crate) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }

    pub(crate) fn set_known(&self, is_known: bool) {
        self.is_known.store(is_known, Ordering::Relaxed);
    }

    /// Writes bytes from its start on.
    pub(crate) fn fill(&self, bytes: &[u8]) {
        assert!(bytes.len() <= self.memory.length());
        // SAFETY: there is room, and nobody else writes it or reads it now.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.memory.start(), bytes.len()) };
    }

    /// Less than [`SEGMENTS`].
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Everybody is done with what lies in it.
    pub(crate) fn give_back(self) {
        let is_gone = self.reader.get().is_some_and(|reader| reader.is_gone());
        let keep = is_kept(self.memory.length()) || self.memory.discard();
        let mut all = all();
        if keep && !is_gone {
            all.idle.push(self);
        } else {
            all.forget(self.number);
            drop(all);
            drop(self);
        }
    }
}
