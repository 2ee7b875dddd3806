//! Reading plain bytes from memory that another process may be writing.
//!
//! Replies are in memory that a worker can still write, so nothing here creates a reference into
//! it: numbers and runs are copied first and checked afterwards, lengths are checked against what
//! is left, and strings are validated in their private copies. Arguments, which only their sender
//! can write, may be lent in place.

#![allow(unsafe_code, reason = "bytes in memory that another process wrote")]

use std::marker::PhantomData;

use super::WireError;
use crate::process::value::lent::{LentSlice, LentStr, View};

/// Bytes that are read by copying only, unless they are lent.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    next: *const u8,
    left: usize,
    is_lent: bool,
    memory: PhantomData<&'a [u8]>,
}

/// The maximum length of the name of a field or variant.
pub(super) const MAX_NAME: usize = u8::MAX as usize;

#[cold]
pub(super) fn short() -> WireError {
    WireError::new("the encoded value ends too early")
}

#[cold]
fn not_text() -> WireError {
    WireError::new("a string is not UTF-8")
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { next: bytes.as_ptr(), left: bytes.len(), is_lent: false, memory: PhantomData }
    }

    /// # Safety
    /// `length` bytes from `next` on must stay mapped and readable for `'a`. Others may write
    /// them meanwhile.
    pub(crate) unsafe fn from_raw(next: *const u8, length: usize) -> Self {
        Self { next, left: length, is_lent: false, memory: PhantomData }
    }

    /// The same for bytes that may be lent to what is read from them.
    ///
    /// # Safety
    /// As for [`from_raw`](Self::from_raw); and nobody may write them before all that was read from
    /// them is dropped, which has to be while they are mapped.
    pub(crate) unsafe fn lending(next: *const u8, length: usize) -> Self {
        Self { next, left: length, is_lent: true, memory: PhantomData }
    }

    pub(super) fn left(&self) -> usize {
        self.left
    }

    #[inline]
    pub(super) fn skip(&mut self, length: usize) -> Result<*const u8, WireError> {
        if length > self.left {
            return Err(short());
        }
        let skipped = self.next;
        // SAFETY: `length` bytes are left from `next` on.
        self.next = unsafe { skipped.add(length) };
        self.left -= length;
        Ok(skipped)
    }

    /// Copies a number out. Private to this module's parent: `N` must be a number.
    #[inline]
    pub(super) fn number<N: Copy>(&mut self) -> Result<N, WireError> {
        let bytes = self.skip(size_of::<N>())?;
        // SAFETY: `skip` found that many bytes; `N` is a number, whose every bit pattern is a
        // value; the read assumes no alignment.
        Ok(unsafe { bytes.cast::<N>().read_unaligned() })
    }

    /// The next byte, without consuming it.
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        // SAFETY: there is one.
        (self.left > 0).then(|| unsafe { *self.next })
    }

    /// The number after this tag; `None` without reading anything if the next value has another
    /// tag.
    #[inline]
    pub(super) fn tagged<N: Copy>(&mut self, tag: u8) -> Option<N> {
        if self.left <= size_of::<N>() || self.peek() != Some(tag) {
            return None;
        }
        // SAFETY: more bytes are left than the number has, and there is one before it; it is read
        // as in `number`.
        let number = unsafe { self.next.add(1).cast::<N>().read_unaligned() };
        let _ = self.skip(1 + size_of::<N>());
        Some(number)
    }

    /// A run of numbers. Private to this module's parent: `N` must be a number.
    pub(super) fn numbers<N: Copy>(&mut self, count: usize) -> Result<Vec<N>, WireError> {
        let size = count.checked_mul(size_of::<N>()).ok_or_else(short)?;
        let bytes = self.skip(size)?;
        let mut numbers = Vec::<N>::with_capacity(count);
        // SAFETY: `size` bytes were found, the vector has room for them, and every bit pattern
        // of a number is a value.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes, numbers.as_mut_ptr().cast::<u8>(), size);
            numbers.set_len(count);
        }
        Ok(numbers)
    }

    /// The same in place, if they are lent and aligned.
    pub(super) fn lent_numbers<N: Copy>(
        &mut self,
        count: usize,
    ) -> Result<LentSlice<N>, WireError> {
        let start = self.next.cast::<N>();
        if !self.is_lent || !start.is_aligned() {
            return self.numbers(count).map(LentSlice::from);
        }
        self.skip(count.checked_mul(size_of::<N>()).ok_or_else(short)?)?;
        // SAFETY: as many bytes were found, aligned, and any bytes are numbers. Whoever made
        // this reader promised the rest.
        Ok(LentSlice::view(unsafe { View::new(start, count) }))
    }

    /// A string in place, if it is lent.
    pub(super) fn lent_string(&mut self, length: usize) -> Result<LentStr, WireError> {
        if !self.is_lent {
            return self.string(length).map(LentStr::from);
        }
        let start = self.skip(length)?;
        // SAFETY: as many bytes were found. Whoever made this reader promised the rest.
        let view = unsafe { View::new(start, length) };
        LentStr::view(view).ok_or_else(not_text)
    }

    pub(super) fn string(&mut self, length: usize) -> Result<String, WireError> {
        String::from_utf8(self.numbers::<u8>(length)?).map_err(|_| not_text())
    }

    /// A name, after the byte with its length.
    pub(super) fn name<'n>(&mut self, room: &'n mut [u8; MAX_NAME]) -> Result<&'n str, WireError> {
        let length = usize::from(self.number::<u8>()?);
        let bytes = self.skip(length)?;
        // SAFETY: that many bytes were found, and a name of any length has room.
        unsafe { std::ptr::copy_nonoverlapping(bytes, room.as_mut_ptr(), length) };
        std::str::from_utf8(&room[..length]).map_err(|_| WireError::new("a name is not UTF-8"))
    }

    /// Skips a name; returns whether it is this one.
    pub(super) fn is_name(&mut self, expected: &str) -> Result<bool, WireError> {
        let length = usize::from(self.number::<u8>()?);
        let mut name = Self { left: length, ..self.clone() };
        self.skip(length)?;
        if length != expected.len() {
            return Ok(false);
        }
        let (words, bytes) = expected.as_bytes().as_chunks::<8>();
        for word in words {
            if name.number::<[u8; 8]>()? != *word {
                return Ok(false);
            }
        }
        for byte in bytes {
            if name.number::<u8>()? != *byte {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A copy of all that is left.
    pub(crate) fn into_vec(mut self) -> Vec<u8> {
        self.numbers(self.left).unwrap_or_default()
    }

    /// Everything that is left, as readable text.
    pub(crate) fn text(self) -> String {
        String::from_utf8_lossy(&self.into_vec()).into_owned()
    }
}
