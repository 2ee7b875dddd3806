//! Memory that two processes share: private memfds, never a name in a file system.
//!
//! A [`Memory`] can grow but never shrink: the kernel seals it so, and a file that comes from
//! another process is checked for that seal, since reading a mapping past the end of its file
//! would be a SIGBUS.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr;

use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, MremapFlags, ProtFlags};

use crate::sync::Lock;

/// A stretch of a file's pages in this process.
pub(crate) struct Mapping {
    start: *mut u8,
    length: usize,
}

// SAFETY: it is memory, owned; who may touch which part when is settled by those that use it.
unsafe impl Send for Mapping {}
// SAFETY: as above: `&Mapping` alone gives out a pointer and nothing else.
unsafe impl Sync for Mapping {}

/// A memory file, mapped from its start.
pub(crate) struct Memory {
    file: OwnedFd,
    mapping: Mapping,
}

/// How much of a file a process may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Mapping {
    /// Maps a part of a file; it must end within it.
    pub(crate) fn new(
        file: impl AsFd,
        offset: u64,
        length: usize,
        access: Access,
    ) -> io::Result<Self> {
        if length == 0 {
            return Ok(Self { start: ptr::NonNull::<u64>::dangling().as_ptr().cast(), length });
        }
        let protection = match access {
            Access::Read => ProtFlags::READ,
            Access::Write => ProtFlags::READ | ProtFlags::WRITE,
        };
        // SAFETY: a new mapping at an address that the kernel chooses harms nobody.
        let start = unsafe {
            rustix::mm::mmap(ptr::null_mut(), length, protection, MapFlags::SHARED, file, offset)
        };
        let start = start.map_err(|error| failed("mmap", error))?;
        Ok(Self { start: start.cast(), length })
    }

    pub(crate) fn start(&self) -> *mut u8 {
        self.start
    }

    fn grow(&mut self, length: usize) -> io::Result<()> {
        // SAFETY: this is the whole mapping, and who borrowed `self` mutably knows that it moves.
        let start = unsafe {
            let old = self.start.cast();
            rustix::mm::mremap(old, self.length, length, MremapFlags::MAYMOVE)?
        };
        self.start = start.cast();
        self.length = length;
        Ok(())
    }

    /// Keeps the mapping from a child that forks without exec: it must not act in our name.
    pub(crate) fn keep_from_forks(&self) {
        if self.length > 0 {
            // SAFETY: nobody is hurt but such a child, which has no business here.
            let _ = unsafe {
                rustix::mm::madvise(self.start.cast(), self.length, Advice::LinuxDontFork)
            };
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: the mapping is ours alone, and pointers into it are used only while its
            // owner lives.
            let _ = unsafe { rustix::mm::munmap(self.start.cast(), self.length) };
        }
    }
}

impl Memory {
    /// A new one of at least `length` bytes, all zero.
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Not being executable is a seal that old kernels refuse to make.
        let file = rustix::fs::memfd_create("trine", flags | MemfdFlags::NOEXEC_SEAL)
            .or_else(|_| rustix::fs::memfd_create("trine", flags))
            .map_err(|error| failed("memfd_create", error))?;
        let length = whole_pages(length)?;
        rustix::fs::ftruncate(&file, length as u64)?;
        rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK)?;
        let mapping = Mapping::new(&file, 0, length, Access::Write)?;
        Ok(Self { file, mapping })
    }

    /// Maps all of a file that another process made.
    pub(crate) fn open(file: OwnedFd, access: Access) -> io::Result<Self> {
        if !rustix::fs::fcntl_get_seals(&file)?.contains(SealFlags::SHRINK) {
            return Err(io::Error::other("a memory file that could shrink"));
        }
        let length = usize::try_from(rustix::fs::fstat(&file)?.st_size)
            .map_err(|_| io::Error::other("a memory file of impossible size"))?;
        let mapping = Mapping::new(&file, 0, length, access)?;
        Ok(Self { file, mapping })
    }

    pub(crate) fn start(&self) -> *mut u8 {
        self.mapping.start
    }

    pub(crate) fn length(&self) -> usize {
        self.mapping.length
    }

    /// The file alone: nothing is mapped any more.
    pub(crate) fn into_file(self) -> OwnedFd {
        self.file
    }

    /// Makes it at least `length` bytes long; it may move.
    pub(crate) fn grow(&mut self, length: usize) -> io::Result<()> {
        let length = whole_pages(length)?;
        if length <= self.length() {
            return Ok(());
        }
        rustix::fs::ftruncate(&self.file, length as u64)?;
        self.mapping.grow(length)
    }

    /// Maps what another process has added at the end of the file.
    pub(crate) fn catch_up(&mut self) -> io::Result<()> {
        let length = usize::try_from(rustix::fs::fstat(&self.file)?.st_size)
            .map_err(|_| io::Error::other("a memory file of impossible size"))?;
        if length > self.length() { self.mapping.grow(length) } else { Ok(()) }
    }

    /// Keeps the mapping from a child that forks without exec: it must not act in our name.
    pub(crate) fn keep_from_forks(&self) {
        self.mapping.keep_from_forks();
    }

    /// A large message has been read: its pages are worth more to others.
    pub(crate) fn discard_if_large(&self) {
        if self.length() > KEEP {
            self.discard();
        }
    }

    /// Gives the pages back to the system, for all who map the file; its bytes are zero then.
    pub(crate) fn discard(&self) {
        let holes = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let _ = rustix::fs::fallocate(&self.file, holes, 0, self.length() as u64);
    }
}

impl AsFd for Memory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Says what failed too: where a limit or a filter is in the way, that is what to look for.
pub(crate) fn failed(call: &str, error: Errno) -> io::Error {
    let error = io::Error::from(error);
    io::Error::new(error.kind(), format!("{call}: {error}"))
}

fn whole_pages(length: usize) -> io::Result<usize> {
    length
        .max(1)
        .checked_next_multiple_of(rustix::param::page_size())
        .filter(|&length| isize::try_from(length).is_ok())
        .ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))
}

/// How many segments there are; the others pages are for one message alone.
pub(crate) const SEGMENTS: usize = 16;
/// What a segment may keep when it is not in use.
const KEEP: usize = 16 << 20;

/// A memory file for one large message at a time. There are few, and they are used again and
/// again: the receiver maps each once, and warm pages are what makes them fast.
pub(crate) struct Segment {
    number: usize,
    pub(crate) memory: Memory,
}

struct Segments {
    made: usize,
    idle: Vec<Segment>,
}

static ALL: Lock<Segments> = Lock::new(Segments { made: 0, idle: Vec::new() });

impl Segment {
    /// One of at least `length` bytes, unless all are in use or memory is short.
    pub(crate) fn take(length: usize) -> Option<Self> {
        let mut all = ALL.lock();
        // The last one back is the warmest; of those, the first that is large enough.
        let large = all.idle.iter().rposition(|segment| segment.memory.length() >= length);
        let found = match large {
            Some(index) => Some(all.idle.remove(index)),
            None => all.idle.pop(),
        };
        let mut segment = match found {
            Some(segment) => segment,
            None if all.made < SEGMENTS => {
                let memory = Memory::new(length).ok()?;
                all.made += 1;
                Self { number: all.made - 1, memory }
            }
            None => return None,
        };
        drop(all);
        if segment.memory.grow(length).is_err() {
            segment.give_back();
            return None;
        }
        Some(segment)
    }

    /// Less than [`SEGMENTS`].
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Everybody is done with what lies in it.
    pub(crate) fn give_back(self) {
        self.memory.discard_if_large();
        ALL.lock().idle.push(self);
    }
}
