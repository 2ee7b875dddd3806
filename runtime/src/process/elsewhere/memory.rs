//! Memory of this process only, from the heap.

#![allow(unsafe_code, reason = "memory known by its address")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::sync::Arc;
use std::{io, ptr};

/// The maximum alignment of shared values.
const PAGE: usize = 4096;

/// Owned bytes on the heap.
#[derive(Debug)]
struct Pages {
    start: *mut u8,
    length: usize,
}

// SAFETY: it is owned memory; its users decide who may touch which part when.
unsafe impl Send for Pages {}
// SAFETY: as above: `&Pages` alone gives out a pointer and nothing else.
unsafe impl Sync for Pages {}

impl Pages {
    fn new(length: usize) -> io::Result<Self> {
        let length = length.max(1);
        let layout = Self::layout(length).ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: the layout has a size.
        let start = unsafe { alloc_zeroed(layout) };
        if start.is_null() {
            Err(io::ErrorKind::OutOfMemory.into())
        } else {
            Ok(Self { start, length })
        }
    }

    fn layout(length: usize) -> Option<Layout> {
        Layout::from_size_align(length, PAGE).ok()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if let Some(layout) = Self::layout(self.length) {
            // SAFETY: it was allocated so.
            unsafe { dealloc(self.start, layout) };
        }
    }
}

/// Memory that is passed on.
#[derive(Clone, Debug)]
pub(crate) struct Handle(Arc<Pages>);

impl Handle {
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    pub(crate) fn is_memory(&self) -> bool {
        true
    }

    pub(crate) fn identity(&self) -> Option<u64> {
        Some(self.0.start as u64)
    }
}

/// Memory to write.
pub(crate) struct Memory(Handle);

/// Memory to read.
pub(crate) struct View {
    handle: Arc<Handle>,
    length: usize,
}

impl Memory {
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        Ok(Self(Handle(Arc::new(Pages::new(length)?))))
    }

    pub(crate) fn adopt(handle: Handle) -> io::Result<Self> {
        Ok(Self(handle))
    }

    pub(crate) fn start(&self) -> *mut u8 {
        self.0.0.start
    }

    pub(crate) fn length(&self) -> usize {
        self.0.0.length
    }

    pub(crate) fn share(&self) -> io::Result<Handle> {
        self.0.try_clone()
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.0
    }

    /// By other memory, so the handles that others have are not of it.
    pub(crate) fn grow(&mut self, length: usize) -> io::Result<bool> {
        if length <= self.length() {
            return Ok(true);
        }
        let larger = Self::new(length)?;
        // SAFETY: two pieces of memory, and the new one is larger.
        unsafe { ptr::copy_nonoverlapping(self.start(), larger.start(), self.length()) };
        *self = larger;
        Ok(false)
    }

    /// Unused memory is better freed as a whole.
    pub(crate) fn discard(&self) -> bool {
        false
    }

    pub(crate) fn keep_from_forks(&mut self) {}
}

impl View {
    pub(crate) fn for_writer(length: usize) -> io::Result<(Self, Handle)> {
        let memory = Memory::new(length)?;
        Ok((Self::open(memory.share()?)?, memory.share()?))
    }

    pub(crate) fn open(handle: Handle) -> io::Result<Self> {
        let length = handle.0.length;
        Ok(Self { handle: Arc::new(handle), length })
    }

    pub(crate) fn open_frozen(handle: Handle, length: usize) -> io::Result<Self> {
        let mut view = Self::open(handle)?;
        view.reach(length)?;
        view.length = length;
        Ok(view)
    }

    pub(crate) fn start(&self) -> *const u8 {
        self.handle.0.start
    }

    pub(crate) fn length(&self) -> usize {
        self.length
    }

    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    pub(crate) fn reach(&mut self, length: usize) -> io::Result<()> {
        if length <= self.length {
            return Ok(());
        }
        Err(io::Error::other("the memory is shorter than announced"))
    }

    pub(crate) fn discard(&self) {}

    pub(crate) fn keep_from_forks(&mut self) {}
}

/// Memory with these bytes, which nobody can write.
pub(crate) fn freeze(bytes: &[u8]) -> io::Result<Handle> {
    let memory = Memory::new(bytes.len())?;
    // SAFETY: the memory was made that long, and nobody else knows of it.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), memory.start(), bytes.len()) };
    memory.share()
}

/// Frozen memory as a whole.
#[cfg(feature = "cluster")]
pub(crate) fn contents(handle: &Handle) -> io::Result<Vec<u8>> {
    // SAFETY: the memory is that long, and nobody writes it.
    Ok(unsafe { std::slice::from_raw_parts(handle.0.start, handle.0.length) }.to_vec())
}
