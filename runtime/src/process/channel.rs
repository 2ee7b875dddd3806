//! The memory between a parent and one worker: two rings of bytes and the words that move them.
//!
//! ```text
//! parent's half (read-only in the worker)     worker's half
//! ┌───────────┬──────────────────────────┐    ┌───────────┬─────────────────────────┐
//! │ its words │ requests ▶               │    │ its words │ replies ▶               │
//! └───────────┴──────────────────────────┘    └───────────┴─────────────────────────┘
//! ```
//!
//! Every word has one writer, who keeps a private copy and never reads it back. The parent holds
//! everything that the worker writes against what it knows: a reply's length against the ring's,
//! its number against the call it is waiting for. It frees the space of a request only when it
//! has taken the reply, so the arguments of calls that did not run are still there, untouched,
//! when the worker dies.
//!
//! Positions count bytes and wrap; records are contiguous and aligned to 8. A record that does
//! not fit before the ring's end goes to its start, and [`SKIP`] stands where it would have been.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicU64, fence};
use std::time::Duration;

use crossbeam_utils::CachePadded;
use rustix::thread::futex::{self, Timespec};

use crate::process::linux::memory::{Access, Mapping, Memory, SEGMENTS};
use crate::process::spin;
use crate::process::value::output::INLINE_MAX;

/// The bytes of each ring: a power of two, and several of the longest records.
pub(crate) const RING: u32 = 256 << 10;
/// The words at the start of each half: a multiple of every page size there is.
const WORDS: usize = 64 << 10;
const HALF: usize = WORDS + RING as usize;
/// Where the worker leaves word of a panic that kills it.
const REPORT: usize = 4 << 10;
/// A record's length if there is none, and the next one is at the start of the ring.
const SKIP: u32 = u32::MAX;

const _: () = assert!(RING.is_power_of_two() && RING as usize >= 4 * INLINE_MAX);

/// The end of a ring, and the core on which its writer was when it wrote that.
struct End {
    position: AtomicU32,
    core: AtomicU32,
}

impl End {
    fn publish(&self, position: u32) {
        self.core.store(spin::core(), Relaxed);
        self.position.store(position, Release);
    }
}

#[repr(C)]
struct ParentWords {
    /// What a worker looks at before each call.
    progress: CachePadded<Progress>,
    /// Who wants to hear of replies: a [`Listener`] and, above it, how often that has changed.
    listening: CachePadded<AtomicU32>,
    /// What a worker sleeps on.
    bell: CachePadded<AtomicU32>,
    /// How many messages in each of the worker's segments the parent is done with.
    released: [AtomicU32; SEGMENTS],
}

struct Progress {
    /// The end of the requests.
    request_tail: End,
    /// The start of the replies that the parent has not taken.
    reply_head: AtomicU32,
}

#[repr(C)]
struct WorkerWords {
    /// The end of the replies.
    reply_tail: CachePadded<End>,
    /// Twice the number of the latest call, and 1 more while it runs.
    running: CachePadded<AtomicU64>,
    /// Counts by 4; 1 more while the worker sleeps, 3 more if it does so for want of room.
    sleeping: CachePadded<AtomicU32>,
    /// Not 0 when it has started.
    ready: CachePadded<AtomicU32>,
    report_length: AtomicU32,
    /// Not 0 when it ends for want of memory.
    over_limit: AtomicU32,
}

/// Who wants to hear of replies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listener {
    /// Nobody: somebody is looking.
    Looking = 0,
    /// The dispatcher, by a message on the socket.
    Dispatcher = 1,
    /// A joining thread that sleeps on the end of the replies.
    Joiner = 2,
}

/// What stands before the arguments.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct RequestHead {
    /// The bytes that follow, in this ring.
    pub(crate) length: u32,
    pub(crate) flags: u16,
    /// How many files come with it, on the socket.
    pub(crate) files: u16,
    pub(crate) number: u64,
    /// The code to call: from the anchor to the function.
    pub(crate) invoke: i64,
    pub(crate) body: i64,
    /// Not 0 if the call was taken back before it ran.
    pub(crate) withdrawn: u32,
    pub(crate) reserved: u32,
}

/// What stands before a result.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplyHead {
    pub(crate) length: u32,
    pub(crate) flags: u16,
    pub(crate) files: u16,
    pub(crate) number: u64,
    pub(crate) status: u32,
    pub(crate) reserved: u32,
}

/// The bytes lie in a segment or file that a [`Large`] in their place names.
pub(crate) const LARGE: u16 = 1;

/// Where a message lies that is too long for the ring.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Large {
    pub(crate) length: u64,
    /// The sender's segment; [`SEGMENTS`] or more for a file of its own.
    pub(crate) segment: u32,
    /// 1 if the file comes with this message: the receiver does not know it yet.
    pub(crate) sent: u32,
}

pub(crate) const HEAD: u32 = size_of::<RequestHead>() as u32;
pub(crate) const REPLY_HEAD: u32 = size_of::<ReplyHead>() as u32;

/// The bytes that a record takes.
pub(crate) const fn record(head: u32, length: u32) -> u32 {
    head + length.next_multiple_of(8)
}

/// A corrupt worker wrote what cannot be.
#[derive(Debug)]
pub(crate) struct Corrupt(pub(crate) &'static str);

/// The parent's end.
pub(crate) struct ParentEnd {
    memory: Memory,
}

/// The worker's end.
pub(crate) struct WorkerEnd {
    requests: Mapping,
    replies: Mapping,
    /// What `sleeping` says when it does not sleep.
    sleeps: AtomicU32,
}

/// A ring as such.
#[derive(Clone, Copy)]
struct Ring(*mut u8);

impl Ring {
    fn at(self, position: u32) -> *mut u8 {
        // SAFETY: within the ring, whatever the position.
        unsafe { self.0.add((position & (RING - 1)) as usize) }
    }

    const fn to_end(position: u32) -> u32 {
        RING - (position & (RING - 1))
    }

    /// Where `bytes` in a row can be written at `tail` or after; `None` while there is no room.
    /// Up to `taken` the ring has been read.
    fn place(self, tail: u32, taken: u32, bytes: u32) -> Option<u32> {
        let to_end = Self::to_end(tail);
        let skip = if to_end < bytes { to_end } else { 0 };
        if tail.wrapping_sub(taken) + skip + bytes > RING {
            return None;
        }
        if skip > 0 {
            // SAFETY: positions are multiples of 8, so there is room for the word, which nobody
            // reads before the tail is past it.
            unsafe { self.at(tail).cast::<u32>().write(SKIP) };
        }
        Some(tail.wrapping_add(skip))
    }

    /// The next record between two positions: where it starts, and its head.
    ///
    /// # Safety
    /// `H` must start with the record's length, and every bit pattern must be an `H`.
    unsafe fn next<H: Copy>(
        self,
        head: u32,
        tail: u32,
        length_of: fn(&H) -> u32,
    ) -> Result<(u32, H), Corrupt> {
        let mut start = head;
        let mut available = tail.wrapping_sub(head);
        if available > RING || !available.is_multiple_of(8) || available < 8 {
            return Err(Corrupt("its ring has an impossible end"));
        }
        // SAFETY: aligned and within the ring, like all below.
        if unsafe { self.at(start).cast::<u32>().read_volatile() } == SKIP {
            let skip = Self::to_end(start);
            available = available.checked_sub(skip).ok_or(Corrupt("it skips past its end"))?;
            start = start.wrapping_add(skip);
        }
        let size = size_of::<H>() as u32;
        if available < size || Self::to_end(start) < size {
            return Err(Corrupt("a record is cut short"));
        }
        // SAFETY: `size` bytes in a row are there; the caller vouches for `H`.
        let record = unsafe { self.at(start).cast::<H>().read_volatile() };
        let length = length_of(&record);
        if length > INLINE_MAX as u32 {
            return Err(Corrupt("a record is too long"));
        }
        let bytes = self::record(size, length);
        if bytes > available || bytes > Self::to_end(start) {
            return Err(Corrupt("a record runs over its end"));
        }
        Ok((start, record))
    }
}

fn ring_bell(bell: &AtomicU32) -> usize {
    futex::wake(bell, futex::Flags::empty(), i32::MAX as u32).unwrap_or(0)
}

fn sleep_on(word: &AtomicU32, seen: u32, most: Option<Duration>) {
    let most = most.and_then(|most| Timespec::try_from(most).ok());
    // Interrupted, already changed, woken, or late: whoever sleeps looks again in each case.
    let _ = futex::wait(word, futex::Flags::empty(), seen, most.as_ref());
}

#[cfg(fuzzing)]
pub mod fuzzing;
mod parent;
mod worker;

#[cfg(test)]
mod tests;
