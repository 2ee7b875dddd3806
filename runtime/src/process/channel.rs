//! The memory between a parent and one worker: two rings of bytes and the words that control them.
//!
//! ```text
//! parent's half, which the worker can only read    worker's half, which the parent only reads
//! ┌───────────┬──────────────────────────┐    ┌───────────┬─────────────────────────┐
//! │ its words │ requests ▶               │    │ its words │ replies ▶               │
//! └───────────┴──────────────────────────┘    └───────────┴─────────────────────────┘
//! ```
//!
//! The halves are two memories, so that each can be sealed for its only writer. Every word is
//! written by one side, which keeps a private copy and never reads it back. The parent checks
//! everything that the worker writes against its own books (a reply's length against the ring's,
//! its number against the awaited call), and reads none of it twice.
//!
//! Positions count bytes and wrap; records are contiguous and aligned to 8. A record that does not
//! fit before the end of the ring goes to its start, with a mark in its original place.

#![allow(unsafe_code, reason = "records in memory that two processes share")]

use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::Duration;

use crossbeam_utils::CachePadded;

use crate::process::platform::{self, Alarm, Handle, Memory, Ringer, View};
use crate::process::segment::SEGMENTS;
use crate::process::value::output::MAX_INLINE;

/// How many bytes of replies the parent takes before it looks whether the worker waits for that.
pub(crate) const MUCH: u32 = RING / 32;
/// How much of a ring is copied at a time to look for items in it.
const MAX_RUN: u32 = 4 << 10;
/// The size of the words at the start of each half: a multiple of every page size.
const WORDS: usize = 64 << 10;
const HALF: usize = WORDS + RING as usize;
/// Where the worker leaves a description of the panic that kills it.
const REPORT: usize = 4 << 10;
const _: () = assert!(size_of::<ParentWords>() <= WORDS && size_of::<WorkerWords>() <= REPORT);

/// The end of a ring, and the core that its writer was on when it wrote that.
struct End {
    position: AtomicU32,
    core: AtomicU32,
}

/// An unknown core.
const UNKNOWN: u32 = u32::MAX;

impl End {
    fn publish(&self, position: u32) {
        self.core.store(platform::current_core().unwrap_or(UNKNOWN), Relaxed);
        self.position.store(position, Release);
    }

    /// Sleeps. The core is unknown meanwhile, since its writer may wake up on another one.
    fn while_asleep(&self, sleep: impl FnOnce()) {
        self.core.store(UNKNOWN, Relaxed);
        sleep();
        self.core.store(platform::current_core().unwrap_or(UNKNOWN), Relaxed);
    }

    fn core(&self) -> Option<u32> {
        Some(self.core.load(Relaxed)).filter(|&core| core != UNKNOWN)
    }
}

/// How long a joiner sleeps on its worker's word before it looks at its own.
const MAX_SLEEP: Duration = Duration::from_secs(1);

/// Loads from memory that is mapped read-only: of those, only the relaxed ones of a word are sure
/// to work on every processor. The fence makes it see all that was written before the word was.
trait Acquired<V> {
    fn acquired(&self) -> V;
}

impl Acquired<u32> for AtomicU32 {
    fn acquired(&self) -> u32 {
        let value = self.load(Relaxed);
        fence(Acquire);
        value
    }
}

impl Acquired<u64> for AtomicU64 {
    fn acquired(&self) -> u64 {
        let value = self.load(Relaxed);
        fence(Acquire);
        value
    }
}

/// A word of one of the memories, and what wakes those who sleep on it.
#[derive(Clone, Copy)]
pub(crate) struct SharedWord<'a> {
    word: &'a AtomicU32,
    ringer: Ringer<'a>,
}

impl Word for SharedWord<'_> {
    fn load(&self, order: Ordering) -> u32 {
        if order == Acquire { self.word.acquired() } else { self.word.load(order) }
    }

    fn store(&self, value: u32, order: Ordering) {
        self.word.store(value, order);
    }

    fn wait(&self, seen: u32) {
        self.ringer.wait(self.word, seen, Some(MAX_SLEEP));
    }

    fn wake(&self) -> usize {
        self.ringer.wake(self.word)
    }
}

#[repr(C)]
struct ParentWords {
    /// The end of the requests, which an idle worker looks at all the time: nothing else is near
    /// it, since each store there takes the memory away from the worker.
    request_tail: CachePadded<End>,
    /// The start of the replies that the parent has not read.
    reply_head: CachePadded<AtomicU32>,
    /// Who wants to hear of replies: a [`Listener`] and, above it, how often that has changed.
    listening: CachePadded<AtomicU32>,
    /// What a worker sleeps on.
    bell: CachePadded<AtomicU32>,
    /// How many messages in each of the worker's segments the parent has finished reading.
    released: [AtomicU32; SEGMENTS],
    /// How many items of the stream that runs may be forgotten: the low bits of the call's number,
    /// and below them those of the count.
    granted: CachePadded<AtomicU64>,
    /// The number of the latest call that is to end at its next yield.
    stopped: AtomicU64,
}

/// How many bits of [`ParentWords::granted`] are the count.
const COUNT_BITS: u32 = 40;

#[repr(C)]
struct WorkerWords {
    /// The end of the replies.
    reply_tail: CachePadded<End>,
    /// Twice the number of the latest call, and 1 more while it runs.
    running: CachePadded<AtomicU64>,
    /// Counts in steps of 4, plus 1 while the worker sleeps, or plus 3 while it sleeps until
    /// replies are taken.
    sleeping: CachePadded<AtomicU32>,
    /// Not 0 once it has started.
    ready: CachePadded<AtomicU32>,
    /// Not 0 while its call waits for others.
    waiting: AtomicU32,
    report_length: AtomicU32,
    /// Why it is about to be killed by a signal, if known: a [`Cause`].
    cause: AtomicU32,
}

/// A known reason for a signal that may have other reasons too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    MemoryLimit = 1,
    StackOverflow = 2,
}

/// The header before the arguments.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct RequestHead {
    /// The number of bytes that follow in this ring.
    pub(crate) length: u32,
    pub(crate) flags: u16,
    /// How many handles come with it on the socket.
    pub(crate) handles: u16,
    pub(crate) number: u64,
    /// The code to call, as a distance from the anchor.
    pub(crate) invoke: i64,
    pub(crate) body: i64,
    /// Not 0 if the call was withdrawn before it ran.
    pub(crate) withdrawn: u32,
    /// How large the worker may be after the call, in units of [`SIZE_UNIT`]; 0 for any size.
    pub(crate) size_limit: u32,
    /// How many items it may yield before any is granted; 0 if it does not yield.
    pub(crate) ahead: u32,
    /// How far the parent had read the replies, at least.
    pub(crate) taken: u32,
}

/// What [`RequestHead::size_limit`] counts.
pub(crate) const SIZE_UNIT: u64 = 4096;

/// The header before a result.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplyHead {
    pub(crate) length: u32,
    pub(crate) flags: u16,
    pub(crate) handles: u16,
    pub(crate) number: u64,
    pub(crate) status: u32,
    pub(crate) reserved: u32,
}

impl ReplyHead {
    fn from_bytes(bytes: &[u8; size_of::<Self>()]) -> Self {
        // SAFETY: any bytes are a head, and there are as many.
        unsafe { bytes.as_ptr().cast::<Self>().read_unaligned() }
    }
}

/// The bytes are in a segment or file, which a [`Large`] in their place describes.
pub(crate) const LARGE: u16 = 1;
/// In a reply: the worker has grown too large, see `worker/wear.rs`.
pub(crate) const GROWN: u16 = 2;
/// In a reply: the worker has forked a child, which may go on reading the arguments.
pub(crate) const FORKED: u16 = 8;
/// In a request: its worker keeps a value, so what it keeps is no leak.
pub(crate) const KEEPS: u16 = 4;
/// In a request: it uses that value, and is skipped once that is half changed.
pub(crate) const USES: u16 = 16;
/// In a request: a panic in it leaves that value half changed.
pub(crate) const CHANGES: u16 = 32;

/// The location of a message that is too long for the ring.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Large {
    pub(crate) length: u64,
    /// The sender's segment; [`SEGMENTS`] or more for a separate file.
    pub(crate) segment: u32,
    /// 1 if the file comes with this message because the receiver does not have it yet.
    pub(crate) sent: u32,
}

impl Large {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        // SAFETY: it is integers without padding.
        unsafe { std::slice::from_raw_parts((&raw const *self).cast(), size_of::<Self>()) }
    }
}

pub(crate) const HEAD: u32 = size_of::<RequestHead>() as u32;
pub(crate) const REPLY_HEAD: u32 = size_of::<ReplyHead>() as u32;

/// What a worker makes its end of.
pub(crate) struct Kit {
    /// Memory to read: its parent's half.
    pub(crate) to_read: Handle,
    /// Memory to write: its own.
    pub(crate) to_write: Handle,
    pub(crate) alarm: Alarm,
}

/// The parent's end.
pub(crate) struct ParentEnd {
    requests: Memory,
    replies: View,
    alarm: Alarm,
}

/// The worker's end.
pub(crate) struct WorkerEnd {
    requests: View,
    replies: Memory,
    alarm: Alarm,
    /// The value of `sleeping` while it is awake.
    sleeps: AtomicU32,
    /// How far the parent had read the replies when this end last looked. Each look at a word that
    /// the parent has just written costs as much as several items.
    seen_taken: AtomicU32,
}

#[cfg(any(fuzzing, test))]
pub(super) mod fuzzing;
mod parent;
mod received;
#[deny(unsafe_code)]
mod reception;
mod reply;
mod ring;
#[deny(unsafe_code)]
mod withdrawal;
mod worker;

pub(crate) use self::received::Received;
pub(crate) use self::reception::{Desk, Listener, Papers, Reception, Rendezvous, Told, Word};
pub(crate) use self::reply::{ReplyBytes, Run};
use self::ring::Ring;
pub(crate) use self::ring::{Corrupt, RING, record};

#[cfg(test)]
mod tests;
