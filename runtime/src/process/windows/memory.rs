//! Memory that two processes share: sections of the system's paging file, without names.
//!
//! Each has one writer. Others get a handle that allows reading only. A section has its size from
//! the start and for good, and its maker pays for all of it, so what is mapped is there. To grow is
//! to move to another section.
//!
//! There are no seals, so memory from a worker, which could keep a mapping to write it, is copied
//! where nobody may change it any more.

#![allow(unsafe_code, reason = "mapped memory")]

use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::sync::Arc;
use std::{io, ptr};

use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_READ, FILE_MAP_WRITE, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile,
    PAGE_READWRITE, SEC_COMMIT, UnmapViewOfFile,
};

use super::object::{failed, owned, restricted};
use crate::random;

/// What a reader may do with a section: ask for its size, and read it.
pub(super) const READER: u32 = QUERY | FILE_MAP_READ;
/// What the writer may do that another process has made it for.
pub(super) const WRITER: u32 = READER | FILE_MAP_WRITE;
const QUERY: u32 = 1;
/// Sizes are multiples of it.
const PAGE: usize = 4096;

/// Memory, or the end of a tube, as it travels between processes.
#[derive(Debug)]
pub(crate) struct Handle(pub(super) Kind);

/// What travels.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Memory(Section),
    /// The pipe, and the event that ends it.
    Tube(Arc<OwnedHandle>, Arc<OwnedHandle>),
}

/// Memory that processes can map.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub(super) object: Arc<OwnedHandle>,
    pub(super) identity: u64,
    /// What a process may do with it that gets a copy.
    pub(super) access: u32,
    /// A worker has made it, so it may still be writing it.
    is_foreign: bool,
}

impl Section {
    fn new(length: usize) -> io::Result<Self> {
        let size = length as u64;
        // SAFETY: it takes no pointers that are not null.
        let object = unsafe {
            CreateFileMappingW(
                INVALID_HANDLE_VALUE,
                ptr::null(),
                PAGE_READWRITE | SEC_COMMIT,
                (size >> 32) as u32,
                size as u32,
                ptr::null(),
            )
        };
        Ok(Self::of(owned("CreateFileMapping", object)?, random::number(), READER))
    }

    fn of(object: OwnedHandle, identity: u64, access: u32) -> Self {
        Self { object: Arc::new(object), identity, access, is_foreign: false }
    }

    /// From the parent, which knows it by that number.
    pub(super) fn given(object: OwnedHandle, identity: u64) -> Self {
        Self::of(object, identity, READER)
    }

    /// From a worker.
    pub(super) fn taken(object: OwnedHandle) -> Self {
        Self { is_foreign: true, ..Self::of(object, random::number(), READER) }
    }

    /// Its size; an error if it is no memory of its own, all of which is there.
    pub(super) fn length(&self) -> io::Result<usize> {
        let mut about = About { _start: ptr::null_mut(), attributes: 0, size: 0 };
        let (object, length) = (self.object.as_raw_handle(), size_of::<About>());
        // SAFETY: it fills in what it gets, which has that length.
        let status =
            unsafe { NtQuerySection(object, 0, (&raw mut about).cast(), length, ptr::null_mut()) };
        if status < 0 || about.attributes & NOT_ALL_THERE != 0 {
            return Err(io::Error::other("this handle is not memory"));
        }
        usize::try_from(about.size).map_err(|_| io::Error::other("memory of an impossible size"))
    }
}

/// What the system tells about a section.
#[repr(C)]
struct About {
    _start: *mut std::ffi::c_void,
    attributes: u32,
    size: i64,
}

/// Of a file, of a program, or reserved.
const NOT_ALL_THERE: u32 = 0x0080_0000 | 0x0100_0000 | 0x0400_0000;

#[link(name = "ntdll")]
unsafe extern "system" {
    fn NtQuerySection(
        section: HANDLE,
        class: i32,
        about: *mut std::ffi::c_void,
        length: usize,
        returned: *mut usize,
    ) -> i32;
}

impl Handle {
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(self.0.clone()))
    }

    /// Whether it is memory, and not the end of a tube.
    pub(crate) fn is_memory(&self) -> bool {
        self.section().is_ok_and(|section| section.length().is_ok())
    }

    /// Identifies a memory as long as a handle or a view of it exists.
    pub(crate) fn identity(&self) -> Option<u64> {
        self.section().ok().map(|section| section.identity)
    }

    fn section(&self) -> io::Result<&Section> {
        match &self.0 {
            Kind::Memory(section) => Ok(section),
            Kind::Tube(..) => Err(io::Error::other("a tube is no memory")),
        }
    }
}

/// A mapping of a section in this process.
struct Mapping {
    start: *mut u8,
    length: usize,
}

// SAFETY: it is owned memory; its users decide who may touch which part when.
unsafe impl Send for Mapping {}
// SAFETY: as above: `&Mapping` alone gives out a pointer and nothing else.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(section: &Section, access: u32) -> io::Result<Self> {
        let length = section.length()?;
        // SAFETY: a new mapping at an address that the system chooses harms nobody.
        let view = unsafe { MapViewOfFile(section.object.as_raw_handle(), access, 0, 0, 0) };
        if view.Value.is_null() {
            return Err(failed("MapViewOfFile"));
        }
        Ok(Self { start: view.Value.cast(), length })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours alone, and pointers into it are used only while its owner
        // lives.
        unsafe { UnmapViewOfFile(MEMORY_MAPPED_VIEW_ADDRESS { Value: self.start.cast() }) };
    }
}

/// Memory that this process writes.
pub(crate) struct Memory {
    handle: Handle,
    mapping: Mapping,
}

/// Memory that this process reads.
pub(crate) struct View {
    handle: Arc<Handle>,
    mapping: Mapping,
    length: usize,
}

impl Memory {
    /// A new one of at least `length` bytes, all zero.
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        Self::of(Section::new(whole_pages(length)?)?)
    }

    /// Maps memory that another process made for this one to write.
    pub(crate) fn adopt(handle: Handle) -> io::Result<Self> {
        Self::of(handle.section()?.clone())
    }

    fn of(section: Section) -> io::Result<Self> {
        let mapping = Mapping::new(&section, FILE_MAP_READ | FILE_MAP_WRITE)?;
        Ok(Self { handle: Handle(Kind::Memory(section)), mapping })
    }

    pub(crate) fn start(&self) -> *mut u8 {
        self.mapping.start
    }

    pub(crate) fn length(&self) -> usize {
        self.mapping.length
    }

    /// The same memory for another process, which can only read it.
    pub(crate) fn share(&self) -> io::Result<Handle> {
        let section = self.handle.section()?;
        let object = restricted(&section.object, READER)?;
        Ok(Handle(Kind::Memory(Section::of(object, section.identity, READER))))
    }

    /// The same memory for a trusted process.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Grows it to at least `length` bytes, which moves it to other memory: then the handles that
    /// others have are not of it. Returns whether they still are.
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

    /// Pages of a section go back to the system with all of it.
    pub(crate) fn discard(&self) -> bool {
        false
    }

    pub(crate) fn keep_from_forks(&mut self) {}
}

impl View {
    /// Memory for another process to write and this one to read: what the other gets, and the view.
    pub(crate) fn for_writer(length: usize) -> io::Result<(Self, Handle)> {
        let section = Section::new(whole_pages(length)?)?;
        let theirs = Section { access: WRITER, ..section.clone() };
        Ok((Self::open(Handle(Kind::Memory(section)))?, Handle(Kind::Memory(theirs))))
    }

    /// Maps memory that another process made and may keep writing.
    pub(crate) fn open(handle: Handle) -> io::Result<Self> {
        let mapping = Mapping::new(handle.section()?, FILE_MAP_READ)?;
        let length = mapping.length;
        Ok(Self { handle: Arc::new(handle), mapping, length })
    }

    /// Maps memory frozen by [`freeze`]. If a worker has sent it, this is a copy of what is there
    /// now.
    pub(crate) fn open_frozen(handle: Handle, length: usize) -> io::Result<Self> {
        let mut view = Self::open(handle)?;
        view.reach(length)?;
        if view.handle.section()?.is_foreign {
            let copy = Memory::new(length)?;
            // SAFETY: both are that long; the worker may write what is only copied here.
            unsafe { ptr::copy_nonoverlapping(view.start(), copy.start(), length) };
            view = Self::open(copy.share()?)?;
        }
        view.length = length;
        Ok(view)
    }

    pub(crate) fn start(&self) -> *const u8 {
        self.mapping.start
    }

    pub(crate) fn length(&self) -> usize {
        self.length
    }

    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    /// Makes `length` bytes readable, if the other process has made as many.
    pub(crate) fn reach(&mut self, length: usize) -> io::Result<()> {
        if length <= self.length {
            return Ok(());
        }
        Err(io::Error::other("the memory is shorter than announced"))
    }

    pub(crate) fn discard(&self) {}

    pub(crate) fn keep_from_forks(&mut self) {}
}

/// Creates memory with these bytes, of which others get a handle to read.
pub(crate) fn freeze(bytes: &[u8]) -> io::Result<Handle> {
    let memory = Memory::new(bytes.len())?;
    // SAFETY: the memory was made that long, and nobody else knows of it.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), memory.start(), bytes.len()) };
    memory.share()
}

/// Frozen memory as a whole.
#[cfg(feature = "cluster")]
pub(crate) fn contents(handle: &Handle) -> io::Result<Vec<u8>> {
    let view = View::open(handle.try_clone()?)?;
    // SAFETY: the view is that long. A worker that still writes it spoils only what is copied.
    Ok(unsafe { std::slice::from_raw_parts(view.start(), view.length()) }.to_vec())
}

fn whole_pages(length: usize) -> io::Result<usize> {
    length
        .max(1)
        .checked_next_multiple_of(PAGE)
        .filter(|&length| isize::try_from(length).is_ok())
        .ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}
