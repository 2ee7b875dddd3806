//! Borrowed slices and strings in the worker: views of the shared memory that they arrived in, or
//! copies if they did not.
//!
//! A view is valid until its call ends. A body that the attribute has written gets a reference to
//! it, but one that is called by hand can keep it: so views are counted, and a worker in which one
//! is left at the end of a call ends before anything is done to the memory. A child that the body
//! forks may outlive the call and has no such end: the worker tells its parent that there is one,
//! which then leaves the memory as it is.

#![allow(unsafe_code, reason = "views of arguments where they lie")]

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Deserializer};

/// The worker's side of a `&[T]` argument.
#[derive(Debug)]
pub struct LentSlice<T>(Memory<T, Vec<T>>);

/// The worker's side of a `&str` argument.
#[derive(Debug)]
pub struct LentStr(Memory<u8, String>);

#[derive(Debug)]
enum Memory<T, O> {
    Own(O),
    View(View<T>),
}

/// How many views there are in this process.
static VIEWS: AtomicUsize = AtomicUsize::new(0);

/// Values in shared memory, which is there until the call has ended.
#[derive(Debug)]
pub(crate) struct View<T> {
    start: *const T,
    length: usize,
}

// SAFETY: it is used as a `&[T]`.
unsafe impl<T: Sync> Send for View<T> {}
// SAFETY: it is used as a `&[T]`.
unsafe impl<T: Sync> Sync for View<T> {}

impl<T> View<T> {
    /// # Safety
    /// `length` aligned values must be at `start`, and nobody may write them until this is dropped.
    pub(crate) unsafe fn new(start: *const T, length: usize) -> Self {
        VIEWS.fetch_add(1, Ordering::Relaxed);
        Self { start, length }
    }

    fn as_slice(&self) -> &[T] {
        // SAFETY: as `new` was promised.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

impl<T> Drop for View<T> {
    fn drop(&mut self) {
        VIEWS.fetch_sub(1, Ordering::Release);
    }
}

/// Whether any view is left.
pub(crate) fn are_kept() -> bool {
    VIEWS.load(Ordering::Acquire) > 0
}

impl<T> LentSlice<T> {
    pub(crate) fn view(view: View<T>) -> Self {
        Self(Memory::View(view))
    }
}

impl<T> From<Vec<T>> for LentSlice<T> {
    fn from(values: Vec<T>) -> Self {
        Self(Memory::Own(values))
    }
}

impl<T> Deref for LentSlice<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match &self.0 {
            Memory::Own(values) => values,
            Memory::View(view) => view.as_slice(),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for LentSlice<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}

impl LentStr {
    /// The text in a view, if it is one.
    pub(crate) fn view(view: View<u8>) -> Option<Self> {
        std::str::from_utf8(view.as_slice()).ok()?;
        Some(Self(Memory::View(view)))
    }
}

impl From<String> for LentStr {
    fn from(text: String) -> Self {
        Self(Memory::Own(text))
    }
}

impl Deref for LentStr {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        match &self.0 {
            Memory::Own(text) => text,
            // SAFETY: checked in `view`, and not written since.
            Memory::View(view) => unsafe { std::str::from_utf8_unchecked(view.as_slice()) },
        }
    }
}

impl<'de> Deserialize<'de> for LentStr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}
