//! Memory that two processes share: anonymous memfds, without names in a file system.
//!
//! Each has one writer. Memory that this process writes is sealed against other writers before its
//! handle is sent, so the receiver can neither write it nor make its mapping writable. Memory
//! cannot shrink: the kernel seals that too, and handles from other processes are checked for that
//! seal, since reading a mapping past the end of its file raises SIGBUS.

#![allow(unsafe_code, reason = "mapped memory")]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::Arc;

use rustix::fs::{FallocateFlags, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::mm::MremapFlags;

use crate::process::posix::failed;
use crate::process::posix::mapping::{Mapping, READ, WRITE, lengthen, whole_pages};

/// Memory, or the end of a tube, as it travels between processes.
#[derive(Debug)]
pub(crate) struct Handle(OwnedFd);

impl Handle {
    /// What a worker has sent: seals say whether it can still be changed.
    pub(crate) fn of_worker(file: OwnedFd) -> Self {
        Self(file)
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Whether it is memory, and not the end of a tube.
    pub(crate) fn is_memory(&self) -> bool {
        is_memory(&self.0)
    }

    pub(crate) fn into_file(self) -> OwnedFd {
        self.0
    }

    /// Identifies a memory as long as a handle or a view of it exists.
    pub(crate) fn identity(&self) -> Option<u64> {
        rustix::fs::fstat(&self.0).ok().map(|status| status.st_ino)
    }

    fn length(&self) -> io::Result<usize> {
        usize::try_from(rustix::fs::fstat(&self.0)?.st_size)
            .map_err(|_| io::Error::other("the memory has an impossible size"))
    }

    /// The bytes that are allocated, as opposed to the file's length.
    fn occupied(&self) -> u64 {
        let blocks = rustix::fs::fstat(&self.0).map_or(0, |status| status.st_blocks);
        u64::try_from(blocks).unwrap_or(0).saturating_mul(512)
    }

    fn check(&self, seals: SealFlags) -> io::Result<()> {
        if rustix::fs::fcntl_get_seals(&self.0)?.contains(seals) {
            return Ok(());
        }
        Err(io::Error::other("the sender of the memory could still change it"))
    }

    /// Returns the pages to the system, after which the bytes are zero. Returns whether that is
    /// allowed.
    fn discard(&self, length: usize) -> bool {
        let holes = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(&self.0, holes, 0, length as u64).is_ok()
    }
}

impl From<OwnedFd> for Handle {
    fn from(file: OwnedFd) -> Self {
        Self(file)
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Mapping {
    fn grow(&mut self, length: usize) -> io::Result<()> {
        // SAFETY: this is the whole mapping, and whoever borrows `self` mutably knows that it
        // moves.
        let start = unsafe {
            let old = self.start.cast();
            rustix::mm::mremap(old, self.length, length, MremapFlags::MAYMOVE)?
        };
        self.start = start.cast();
        self.length = length;
        Ok(())
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
}

/// A memory file that nobody has mapped.
fn make(length: usize) -> io::Result<Handle> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Old kernels do not support the seal against execution.
    let file = rustix::fs::memfd_create("trine", flags | MemfdFlags::NOEXEC_SEAL)
        .or_else(|_| rustix::fs::memfd_create("trine", flags))
        .map_err(|error| failed("memfd_create", error))?;
    lengthen(&file, length)?;
    add_seals(&file, SealFlags::SHRINK)?;
    Ok(Handle(file))
}

fn add_seals(file: impl AsFd, seals: SealFlags) -> io::Result<()> {
    rustix::fs::fcntl_add_seals(file, seals).map_err(|error| failed("F_ADD_SEALS", error))
}

impl Memory {
    /// A new one of at least `length` bytes, all zero.
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        let length = whole_pages(length)?;
        let handle = make(length)?;
        let mapping = Mapping::new(&handle, length, WRITE)?;
        Ok(Self { handle, mapping })
    }

    /// Maps memory that another process made for this one to write.
    pub(crate) fn adopt(handle: Handle) -> io::Result<Self> {
        handle.check(SealFlags::SHRINK)?;
        let mapping = Mapping::new(&handle, handle.length()?, WRITE)?;
        Ok(Self { handle, mapping })
    }

    pub(crate) fn start(&self) -> *mut u8 {
        self.mapping.start
    }

    pub(crate) fn length(&self) -> usize {
        self.mapping.length
    }

    /// The same memory for another process, which can only read it. From then on only dropping it
    /// returns its pages.
    pub(crate) fn share(&self) -> io::Result<Handle> {
        if rustix::fs::fcntl_add_seals(&self.handle, SealFlags::FUTURE_WRITE).is_ok() {
            return self.handle.try_clone();
        }
        // A kernel before 5.1, or one that refuses this seal.
        use std::os::fd::AsRawFd;
        let path = format!("/proc/self/fd/{}", self.handle.0.as_raw_fd());
        let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| failed("/proc/self/fd", error))?;
        Ok(Handle(file))
    }

    /// The same memory for a trusted process.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Grows it to at least `length` bytes; it may move. Returns whether the handles that others
    /// have are still of it.
    pub(crate) fn grow(&mut self, length: usize) -> io::Result<bool> {
        let length = whole_pages(length)?;
        if length > self.length() {
            lengthen(&self.handle, length)?;
            self.mapping.grow(length)?;
        }
        Ok(true)
    }

    /// Returns the pages to the system. Returns whether that was possible.
    pub(crate) fn discard(&self) -> bool {
        self.handle.discard(self.length())
    }

    /// Keeps the mapping from a child that forks without exec: it must not act in our name.
    pub(crate) fn keep_from_forks(&mut self) {
        self.mapping.keep_from_forks();
    }
}

impl View {
    /// Memory for another process to write and this one to read: what the other gets, and the view.
    pub(crate) fn for_writer(length: usize) -> io::Result<(Self, Handle)> {
        let handle = make(whole_pages(length)?)?;
        add_seals(&handle, SealFlags::GROW)?;
        let theirs = handle.try_clone()?;
        Ok((Self::open(handle)?, theirs))
    }

    /// Maps memory that another process made and may keep writing.
    pub(crate) fn open(handle: Handle) -> io::Result<Self> {
        handle.check(SealFlags::SHRINK)?;
        let mapping = Mapping::new(&handle, handle.length()?, READ)?;
        Ok(Self { handle: Arc::new(handle), mapping })
    }

    /// Maps memory frozen by [`freeze`], here or in another process; `length` bytes must really be
    /// allocated.
    pub(crate) fn open_frozen(handle: Handle, length: usize) -> io::Result<Self> {
        // Check the seals first: after that the size cannot change.
        handle.check(FROZEN)?;
        if handle.length()? < length || handle.occupied() < length as u64 {
            return Err(io::Error::other("the memory is shorter than announced"));
        }
        let mapping = Mapping::new(&handle, length, READ)?;
        Ok(Self { handle: Arc::new(handle), mapping })
    }

    pub(crate) fn start(&self) -> *const u8 {
        self.mapping.start
    }

    pub(crate) fn length(&self) -> usize {
        self.mapping.length
    }

    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    /// Makes `length` bytes readable, provided that the other process has written them. A file may
    /// claim any length; only allocated pages cost its maker memory.
    pub(crate) fn reach(&mut self, length: usize) -> io::Result<()> {
        let made = self.handle.length()?;
        if length > made || length as u64 > self.handle.occupied() {
            return Err(io::Error::other("the memory is shorter than announced"));
        }
        if length > self.length() { self.mapping.grow(made) } else { Ok(()) }
    }

    /// Returns the pages to the system, for everybody who maps them.
    pub(crate) fn discard(&self) {
        self.handle.discard(self.length());
    }

    /// Keeps the mapping from a child that forks without exec: it must not act in our name.
    pub(crate) fn keep_from_forks(&mut self) {
        self.mapping.keep_from_forks();
    }
}

/// The seals of frozen memory.
const FROZEN: SealFlags =
    SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::WRITE).union(SealFlags::SEAL);

/// Whether a file is such memory: one that can be sealed, of ordinary pages. Of others there may be
/// none left when a reader comes to one, which ends it by a SIGBUS.
pub(crate) fn is_memory(file: &OwnedFd) -> bool {
    const HUGE_PAGES: u32 = 0x9584_58f6;
    rustix::fs::fcntl_get_seals(file).is_ok()
        && rustix::fs::fstatfs(file).is_ok_and(|about| about.f_type as u32 != HUGE_PAGES)
}

/// Creates memory with these bytes, which nobody can change.
pub(crate) fn freeze(bytes: &[u8]) -> io::Result<Handle> {
    let memory = Memory::new(bytes.len())?;
    // SAFETY: the memory was made that long, and nobody else knows of it.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), memory.start(), bytes.len()) };
    let Memory { handle, mapping } = memory;
    drop(mapping);
    add_seals(&handle, FROZEN)?;
    Ok(handle)
}

/// Frozen memory as a whole.
#[cfg(feature = "cluster")]
pub(crate) fn contents(handle: &Handle) -> io::Result<Vec<u8>> {
    let length = handle.length()?;
    let view = View::open_frozen(handle.try_clone()?, length)?;
    // SAFETY: the view is that long, and sealed against every change.
    Ok(unsafe { std::slice::from_raw_parts(view.start(), length) }.to_vec())
}
