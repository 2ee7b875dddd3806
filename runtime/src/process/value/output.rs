//! Where the encoder writes: few bytes into a given buffer, more into the heap, and large values
//! straight into a shared segment, so that they are not copied again.

#![allow(unsafe_code, reason = "a buffer that lies in shared memory")]

use std::ptr;

use crate::process::segment::Segment;
use crate::process::value::wire::WireError;

/// The longest message that goes through a ring; longer ones get separate memory.
pub(crate) const MAX_INLINE: usize = 32 << 10;

/// A growing run of bytes.
pub(crate) struct Output {
    start: *mut u8,
    length: usize,
    capacity: usize,
    store: Store,
    failed: bool,
}

enum Store {
    /// The caller's memory.
    Given,
    Heap(Vec<u8>),
    Segment(Segment),
}

/// Where the bytes ended up.
pub(crate) enum Finished {
    /// In the given memory, this many.
    Given(usize),
    Heap(Vec<u8>),
    Segment(Segment, usize),
}

impl Output {
    /// Starts on the heap, in an empty vector that may have capacity.
    pub(crate) fn in_vector(mut vector: Vec<u8>) -> Self {
        vector.clear();
        let (start, capacity) = (vector.as_mut_ptr(), vector.capacity());
        Self { start, length: 0, capacity, store: Store::Heap(vector), failed: false }
    }

    /// Starts in the given memory.
    ///
    /// # Safety
    /// `capacity` bytes from `start` must be writable, by nobody else, while the output lives.
    pub(crate) unsafe fn in_place(start: *mut u8, capacity: usize) -> Self {
        Self { start, length: 0, capacity, store: Store::Given, failed: false }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Whether it all lies in the memory that was given.
    pub(crate) fn is_in_place(&self) -> bool {
        matches!(self.store, Store::Given)
    }

    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if bytes.len() > self.capacity - self.length && !self.grow(bytes.len()) {
            return;
        }
        // SAFETY: there is room for the bytes from `length` on, and what is borrowed by the
        // caller is not this memory.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.add(self.length), bytes.len());
        }
        self.length += bytes.len();
    }

    /// Overwrites bytes that were already written.
    pub(crate) fn patch(&mut self, at: usize, bytes: &[u8]) {
        if self.failed {
            return;
        }
        assert!(at + bytes.len() <= self.length);
        // SAFETY: checked: these bytes have been written.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.add(at), bytes.len()) }
    }

    /// Discards what was written, and any failure.
    pub(crate) fn clear(&mut self) {
        self.length = 0;
        self.failed = false;
    }

    /// Whether everything was written.
    pub(crate) fn check(&self) -> Result<(), WireError> {
        if self.failed { Err(WireError::new("not enough memory to encode it")) } else { Ok(()) }
    }

    #[cold]
    fn grow(&mut self, more: usize) -> bool {
        let grown = !self.failed
            && self.length.checked_add(more).is_some_and(|least| {
                let wanted = least.max(self.capacity.saturating_mul(2)).max(256);
                self.grow_segment(least, wanted) || self.grow_heap(least, wanted)
            });
        self.failed = !grown;
        grown
    }

    fn grow_segment(&mut self, least: usize, wanted: usize) -> bool {
        if let Store::Segment(segment) = &mut self.store {
            if segment.grow(wanted).or_else(|_| segment.grow(least)).is_err() {
                return false;
            }
            (self.start, self.capacity) = (segment.memory.start(), segment.memory.length());
            return true;
        }
        if least <= MAX_INLINE {
            return false;
        }
        let Some(segment) = Segment::take(wanted.max(1 << 20)) else {
            return false;
        };
        // SAFETY: two different pieces of memory, and the new one is larger.
        unsafe { ptr::copy_nonoverlapping(self.start, segment.memory.start(), self.length) };
        (self.start, self.capacity) = (segment.memory.start(), segment.memory.length());
        self.store = Store::Segment(segment);
        true
    }

    fn grow_heap(&mut self, least: usize, wanted: usize) -> bool {
        let mut vector = match &mut self.store {
            Store::Segment(_) => return false,
            Store::Heap(vector) => std::mem::take(vector),
            Store::Given => Vec::new(),
        };
        let given = matches!(self.store, Store::Given);
        if !given {
            // SAFETY: the first `length` bytes of the vector were written through `start`.
            unsafe { vector.set_len(self.length) };
        }
        let reserve = |vector: &mut Vec<u8>, to: usize| vector.try_reserve(to - vector.len());
        let room = reserve(&mut vector, wanted).or_else(|_| reserve(&mut vector, least)).is_ok();
        if given && !room {
            return false;
        }
        if given {
            // SAFETY: the given memory holds `length` bytes, and the vector has room for them.
            unsafe { ptr::copy_nonoverlapping(self.start, vector.as_mut_ptr(), self.length) };
        }
        (self.start, self.capacity) = (vector.as_mut_ptr(), vector.capacity());
        self.store = Store::Heap(vector);
        room
    }

    pub(crate) fn finish(mut self) -> Finished {
        let length = self.length;
        match std::mem::replace(&mut self.store, Store::Given) {
            Store::Given => Finished::Given(length),
            Store::Heap(mut vector) => {
                // SAFETY: `length` bytes of the vector were written through `start`.
                unsafe { vector.set_len(length) };
                Finished::Heap(vector)
            }
            Store::Segment(segment) => Finished::Segment(segment, length),
        }
    }
}

impl Drop for Output {
    /// Encoding failed or panicked: return the segment.
    fn drop(&mut self) {
        if let Store::Segment(segment) = std::mem::replace(&mut self.store, Store::Given) {
            segment.give_back();
        }
    }
}
