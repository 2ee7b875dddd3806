//! Memory that two processes share: objects of `shm_open`, whose names are gone before anybody
//! hears of them.
//!
//! Nothing can be sealed here, and some systems let an object be given a size only once. So
//! * each object keeps the size that it is made with. Memory grows by being copied to a larger one;
//! * whoever makes memory to write gives others a second descriptor, which cannot write;
//! * a process trusts what it has made itself, and what its parent has sent. What a worker sends is
//!   copied before it is looked at: read into memory of this process, which nobody else has. So it
//!   may shorten its objects or write to them as it likes.
//!
//! The one thing that a parent maps and a worker can shorten is the half of the channel that the
//! worker writes. macOS does not let it.

#![allow(unsafe_code, reason = "mapped memory")]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::Arc;

use rustix::fs::{FileType, Mode};
use rustix::io::Errno;
use rustix::mm::MapFlags;
use rustix::shm::OFlags;

use crate::process::posix::failed;
use crate::process::posix::mapping::{Mapping, READ, WRITE, lengthen, whole_pages};
use crate::random;

/// How many names to try. Nobody else has any of them.
const TRIES: u32 = 100;

/// Memory, or the end of a tube, as it travels between processes.
#[derive(Debug)]
pub(crate) struct Handle {
    file: OwnedFd,
    /// A worker has sent it, and may have others like it.
    is_foreign: bool,
}

impl Handle {
    /// What a worker has sent.
    pub(crate) fn of_worker(file: OwnedFd) -> Self {
        Self { file, is_foreign: true }
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { file: self.file.try_clone()?, is_foreign: self.is_foreign })
    }

    /// Whether it is memory, and not the end of a tube.
    pub(crate) fn is_memory(&self) -> bool {
        is_memory(&self.file)
    }

    pub(crate) fn into_file(self) -> OwnedFd {
        self.file
    }

    /// Whether a worker has sent it.
    pub(super) fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    /// Identifies a memory as long as a handle or a view of it exists. Apple's have no numbers.
    pub(crate) fn identity(&self) -> Option<u64> {
        if cfg!(target_vendor = "apple") {
            return None;
        }
        rustix::fs::fstat(&self.file).ok().map(|status| status.st_ino)
    }

    /// Whether so many bytes are there, and its maker has paid for them. That can be seen on Linux
    /// only.
    fn check(&self, length: usize) -> io::Result<()> {
        let status = rustix::fs::fstat(&self.file)?;
        let made = usize::try_from(status.st_size).unwrap_or(0);
        #[cfg(target_os = "linux")]
        let made = made.min(usize::try_from(status.st_blocks).unwrap_or(0).saturating_mul(512));
        if length <= made { Ok(()) } else { Err(cut_short()) }
    }

    fn length(&self) -> io::Result<usize> {
        usize::try_from(rustix::fs::fstat(&self.file)?.st_size)
            .map_err(|_| io::Error::other("the memory has an impossible size"))
    }

    /// Reads its first bytes into memory of this process.
    ///
    /// # Safety
    /// `length` bytes from `to` on must be writable, and nobody else may use them meanwhile.
    unsafe fn read(&self, to: *mut u8, length: usize) -> io::Result<()> {
        // Objects cannot be read there, but they keep their size.
        if cfg!(target_vendor = "apple") {
            let mapping = Mapping::new(&self.file, length, READ)?;
            // SAFETY: the caller's promise, and the object is that long for good.
            unsafe { ptr::copy_nonoverlapping(mapping.start, to, length) };
            return Ok(());
        }
        let mut done = 0;
        while done < length {
            // SAFETY: the caller's promise.
            let rest = unsafe { std::slice::from_raw_parts_mut(to.add(done), length - done) };
            match rustix::io::pread(&self.file, rest, done as u64) {
                Ok(0) => return Err(cut_short()),
                Ok(more) => done += more,
                Err(Errno::INTR) => {}
                Err(error) => return Err(failed("pread", error)),
            }
        }
        Ok(())
    }
}

impl From<OwnedFd> for Handle {
    /// What this process has made, or its parent.
    fn from(file: OwnedFd) -> Self {
        Self { file, is_foreign: false }
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn cut_short() -> io::Error {
    io::Error::other("the memory is shorter than announced")
}

/// A new object: a descriptor that can write, and one that cannot.
fn make(length: usize) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
    for _ in 0..TRIES {
        let name = format!("/trine-{:016x}", random::number());
        match rustix::shm::open(&name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(to_write) => {
                let to_read = rustix::shm::open(&name, OFlags::RDONLY, Mode::empty());
                let _ = rustix::shm::unlink(&name);
                let to_read = to_read.map_err(|error| failed("shm_open", error))?;
                lengthen(&to_write, length)?;
                return Ok((to_write, to_read));
            }
            Err(Errno::EXIST) => {}
            Err(error) => return Err(failed("shm_open", error)),
        }
    }
    Err(failed("shm_open", Errno::EXIST))
}

impl Mapping {
    /// Memory that is in no object.
    fn anonymous(length: usize) -> io::Result<Self> {
        // SAFETY: a new mapping at an address that the kernel chooses harms nobody.
        Self::with(length, |length| unsafe {
            rustix::mm::mmap_anonymous(ptr::null_mut(), length, WRITE, MapFlags::PRIVATE)
        })
    }

    /// Replaces it by new pages, which are zero.
    fn clear(&self) {
        if self.length > 0 {
            let flags = MapFlags::PRIVATE | MapFlags::FIXED;
            // SAFETY: exactly this mapping, which was made so; whoever owns it is done with the
            // bytes.
            let _ =
                unsafe { rustix::mm::mmap_anonymous(self.start.cast(), self.length, WRITE, flags) };
        }
    }
}

/// Memory that this process writes.
pub(crate) struct Memory {
    /// It cannot write, unless somebody else made the memory for this process.
    handle: Handle,
    mapping: Mapping,
}

impl Memory {
    /// A new one of at least `length` bytes, all zero.
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        let length = whole_pages(length)?;
        let (to_write, to_read) = make(length)?;
        let mapping = Mapping::new(&to_write, length, WRITE)?;
        Ok(Self { handle: to_read.into(), mapping })
    }

    /// Maps memory that the parent made for this process to write.
    pub(crate) fn adopt(handle: Handle) -> io::Result<Self> {
        let mapping = Mapping::new(&handle, handle.length()?, WRITE)?;
        Ok(Self { handle, mapping })
    }

    pub(crate) fn start(&self) -> *mut u8 {
        self.mapping.start
    }

    pub(crate) fn length(&self) -> usize {
        self.mapping.length
    }

    /// The same memory for another process, which can only read it.
    pub(crate) fn share(&self) -> io::Result<Handle> {
        self.handle.try_clone()
    }

    /// The same memory for a trusted process.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Grows it to at least `length` bytes, by a larger one. Returns whether the handles that
    /// others have are still of it.
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

    /// Pages return to the system only with the whole.
    pub(crate) fn discard(&self) -> bool {
        false
    }

    /// Keeps the mapping from a child that forks without exec: it must not act in our name.
    pub(crate) fn keep_from_forks(&mut self) {
        self.mapping.keep_from_forks();
    }
}

/// Memory that this process reads.
pub(crate) struct View {
    handle: Arc<Handle>,
    /// Of the memory itself, or of a copy.
    mapping: Mapping,
}

impl View {
    /// Memory for another process to write and this one to read: what the other gets, and the view.
    pub(crate) fn for_writer(length: usize) -> io::Result<(Self, Handle)> {
        let (to_write, to_read) = make(whole_pages(length)?)?;
        Ok((Self::open(to_read.into())?, to_write.into()))
    }

    /// Memory that another process made and may keep writing. Of a worker's,
    /// [`reach`](Self::reach) brings what is there by then.
    pub(crate) fn open(handle: Handle) -> io::Result<Self> {
        let mapping = if handle.is_foreign() {
            Mapping::anonymous(0)?
        } else {
            Mapping::new(&handle, handle.length()?, READ)?
        };
        Ok(Self { handle: Arc::new(handle), mapping })
    }

    /// Memory made by [`freeze`], here or in another process, or else a frozen copy of it; `length`
    /// bytes must really be there.
    pub(crate) fn open_frozen(handle: Handle, length: usize) -> io::Result<Self> {
        handle.check(length)?;
        if !handle.is_foreign() {
            let mapping = Mapping::new(&handle, length, READ)?;
            return Ok(Self { handle: Arc::new(handle), mapping });
        }
        let copy = Memory::new(length)?;
        // SAFETY: it was made that long, and nobody else knows of it.
        unsafe { handle.read(copy.start(), length) }?;
        let mapping = Mapping::new(&copy.handle, length, READ)?;
        Ok(Self { handle: Arc::new(copy.handle), mapping })
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

    /// Makes `length` bytes readable, provided that the other process has written them.
    pub(crate) fn reach(&mut self, length: usize) -> io::Result<()> {
        self.handle.check(length)?;
        if !self.handle.is_foreign() {
            return if length <= self.length() { Ok(()) } else { Err(cut_short()) };
        }
        if length > self.length() {
            self.mapping = Mapping::anonymous(whole_pages(length)?)?;
        }
        // SAFETY: it is that long, and nobody has a pointer into it: it is borrowed mutably.
        unsafe { self.handle.read(self.mapping.start, length) }
    }

    /// Returns the pages of a copy to the system; the memory itself only goes as a whole.
    pub(crate) fn discard(&self) {
        if self.handle.is_foreign() {
            self.mapping.clear();
        }
    }

    /// Keeps the mapping from a child that forks without exec: it must not act in our name.
    pub(crate) fn keep_from_forks(&mut self) {
        self.mapping.keep_from_forks();
    }
}

/// Whether a file is such memory. To others a reader might wait for as long as their maker likes.
pub(crate) fn is_memory(file: &OwnedFd) -> bool {
    let Ok(status) = rustix::fs::fstat(file) else { return false };
    let is_object = match FileType::from_raw_mode(status.st_mode) {
        FileType::RegularFile => true,
        // Apple's objects have no type.
        FileType::Unknown => cfg!(target_vendor = "apple"),
        _ => false,
    };
    is_object && is_of_no_disk(file)
}

#[cfg(target_os = "linux")]
fn is_of_no_disk(file: &OwnedFd) -> bool {
    const TMPFS: u32 = 0x0102_1994;
    rustix::fs::fstatfs(file).is_ok_and(|about| about.f_type as u32 == TMPFS)
}

/// What is no file has no file system.
#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
fn is_of_no_disk(file: &OwnedFd) -> bool {
    rustix::fs::fstatfs(file).is_err()
}

/// Makes memory with these bytes, which nobody can change: nothing is left that could write it.
pub(crate) fn freeze(bytes: &[u8]) -> io::Result<Handle> {
    let memory = Memory::new(bytes.len())?;
    // SAFETY: the memory was made that long, and nobody else knows of it.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), memory.start(), bytes.len()) };
    Ok(memory.handle)
}

/// Frozen memory as a whole.
#[cfg(feature = "cluster")]
pub(crate) fn contents(handle: &Handle) -> io::Result<Vec<u8>> {
    let length = handle.length()?;
    let view = View::open_frozen(handle.try_clone()?, length)?;
    // SAFETY: the view is that long, and nobody can change it.
    Ok(unsafe { std::slice::from_raw_parts(view.start(), length) }.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(view: &View, length: usize) -> &[u8] {
        // SAFETY: it was asked for that many, and nobody writes them here.
        unsafe { std::slice::from_raw_parts(view.start(), length) }
    }

    #[test]
    fn what_a_worker_sends_is_a_copy_that_it_cannot_change() {
        let length = 3 * whole_pages(1).unwrap();
        let (to_write, to_read) = make(length).unwrap();
        let theirs = Mapping::new(&to_write, length, WRITE).unwrap();
        // SAFETY: it is that long, and nobody else has it.
        let write = |byte| unsafe { theirs.start.write_bytes(byte, length) };
        write(1);
        let handle = Handle::of_worker(to_read);
        let frozen = View::open_frozen(handle.try_clone().unwrap(), length).unwrap();
        let mut view = View::open(handle.try_clone().unwrap()).unwrap();
        view.reach(length).unwrap();
        write(2);
        assert!(bytes(&frozen, length).iter().chain(bytes(&view, length)).all(|&byte| byte == 1));
        assert!(!frozen.handle().is_foreign(), "it would be passed on");
        view.reach(length).unwrap();
        assert!(bytes(&view, length).iter().all(|&byte| byte == 2));
        // Not even if it is no longer there.
        lengthen(&to_write, 0).unwrap();
        assert!(view.reach(length).is_err());
        assert!(View::open_frozen(handle, length).is_err());
        assert!(bytes(&frozen, length).iter().all(|&byte| byte == 1));
    }

    #[test]
    fn what_is_shared_cannot_be_written() {
        let memory = Memory::new(1).unwrap();
        for handle in [memory.share().unwrap(), freeze(&[1]).unwrap()] {
            assert!(Mapping::new(&handle, 1, WRITE).is_err());
            assert!(lengthen(&handle, 0).is_err());
        }
    }
}
