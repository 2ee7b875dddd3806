//! [`Shared`]: a slice that is mapped into workers instead of being copied to them.

#![allow(unsafe_code, reason = "a slice in mapped memory")]

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use bytemuck::Pod;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::process::platform::{self, Handle, View};
use crate::process::value::files;

#[deny(unsafe_code)]
mod seen;

pub(crate) use seen::{forget_seen, has_seen, remember_seen};

/// A slice of plain values in immutable memory that processes share.
///
/// It crosses to worker processes as a file descriptor, whatever its size: the worker maps the same
/// pages, read-only. Clones share them too, so it is just as cheap among threads. Otherwise it
/// behaves like a `&[T]`.
///
/// ```
/// use trine::concurrent;
/// use trine::process::Shared;
///
/// #[concurrent(process)]
/// fn sum(numbers: Shared<[f64]>, from: usize, to: usize) -> f64 {
///     numbers[from..to].iter().sum()
/// }
///
/// let numbers: Shared<[f64]> = (0..1000).map(f64::from).collect();
/// let low = sum(numbers.clone(), 0, 500);
/// let high = sum(numbers.clone(), 500, 1000);
/// assert_eq!(low.join()? + high.join()?, 499_500.0);
/// # Ok::<(), trine::Error>(())
/// ```
///
/// It implements serde's traits only for calls of process tasks: any other format gets an error,
/// since a descriptor means nothing there.
pub struct Shared<S: ?Sized> {
    inner: Arc<Inner>,
    slice: PhantomData<Arc<S>>,
}

struct Inner {
    view: View,
    /// In bytes.
    length: usize,
}

impl<T: Pod> Shared<[T]> {
    /// Copies a slice into shared memory.
    ///
    /// # Errors
    /// If the system has no memory or no file descriptor left.
    pub fn new(slice: &[T]) -> io::Result<Self> {
        let bytes: &[u8] = bytemuck::cast_slice(slice);
        Self::open(platform::freeze(bytes)?, bytes.len())
    }

    /// Maps memory frozen by `new`, here or in another process.
    fn open(handle: Handle, length: usize) -> io::Result<Self> {
        const { assert!(align_of::<T>() <= 4096, "pages are aligned no better") }
        if !length.is_multiple_of(size_of::<T>().max(1)) {
            return Err(io::Error::other("this is not the memory of a shared slice"));
        }
        let inner = match seen::find(&handle, length) {
            Some(inner) => inner,
            None => {
                let inner = Arc::new(Inner { view: View::open_frozen(handle, length)?, length });
                seen::note(&inner);
                inner
            }
        };
        Ok(Self { inner, slice: PhantomData })
    }
}

impl<T: Pod> Deref for Shared<[T]> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let length = self.inner.length.checked_div(size_of::<T>()).unwrap_or(0);
        if length == 0 {
            return &[];
        }
        // SAFETY: the mapping has `length` values of `T`, starts at a page, which is aligned
        // enough, and is sealed against every change; any bytes are a `T`.
        unsafe { std::slice::from_raw_parts(self.inner.view.start().cast(), length) }
    }
}

impl<S: ?Sized> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), slice: PhantomData }
    }
}

/// # Panics
/// When the system has no memory or no file descriptor left; [`Shared::new`] returns that.
impl<T: Pod> FromIterator<T> for Shared<[T]> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::from(values.into_iter().collect::<Vec<_>>())
    }
}

/// # Panics
/// When the system has no memory or no file descriptor left; [`Shared::new`] returns that.
impl<T: Pod> From<Vec<T>> for Shared<[T]> {
    fn from(values: Vec<T>) -> Self {
        match Self::new(&values) {
            Ok(shared) => shared,
            Err(error) => {
                panic!("cannot allocate shared memory for {} values: {error}", values.len())
            }
        }
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for Shared<[T]> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Pod + PartialEq> PartialEq for Shared<[T]> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Pod> Serialize for Shared<[T]> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let file = files::attach(Arc::clone(self.inner.view.handle())).ok_or_else(|| {
            ser::Error::custom("a `Shared` slice can be encoded only for a process task")
        })?;
        (file, self.inner.length as u64).serialize(serializer)
    }
}

impl<'de, T: Pod> Deserialize<'de> for Shared<[T]> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (file, length) = <(u32, u64)>::deserialize(deserializer)?;
        let file = files::take(file).ok_or_else(|| {
            de::Error::custom("a `Shared` slice can be decoded only from a process task")
        })?;
        let length = usize::try_from(length).map_err(de::Error::custom)?;
        Self::open(file, length).map_err(de::Error::custom)
    }
}
