//! The rights of this process.
//!
//! A worker permanently keeps the rights that its parent had when it was started. A program that
//! gives up rights must not be served by workers that still have them, so the pool checks here for
//! changes. Asking the kernel at each call would cost a good part of the call. So it is asked at
//! most every few microseconds, which is less than a multi-threaded program needs to change its
//! user, and each time for one of the [`PARTS`]: a change is known after as many such times.
//! Everything is asked for when the C library makes all threads take part in a change, since that
//! interrupts the thread that waits for the workers. A process that cannot change its identity is
//! not asked about again.
//!
//! To the kernel these are rights of a thread, so each thread keeps what it knows.

#![allow(unsafe_code, reason = "an instruction")]

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use super::system::rights::PARTS;

/// Everything by which the kernel decides what a thread may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64);

/// In units of [`moment`].
const OFTEN: u64 = 1 << 15;

/// How often everybody had to ask again for everything, and 1.
static DOUBTS: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static KNOWN: Known = const {
        Known {
            doubts: Cell::new(0),
            may_change: Cell::new(true),
            asked: Cell::new(0),
            next: Cell::new(0),
            parts: [const { Cell::new(0) }; PARTS.len()],
            identity: Cell::new(Identity(0)),
        }
    };
}

/// What a thread knows of itself.
struct Known {
    /// The value of [`DOUBTS`] when it asked for everything.
    doubts: Cell<u64>,
    /// Whether it can change at all.
    may_change: Cell<bool>,
    /// When it asked for a part, and which is next.
    asked: Cell<u64>,
    next: Cell<usize>,
    /// The hash of each.
    parts: [Cell<u64>; PARTS.len()],
    identity: Cell<Identity>,
}

impl Identity {
    /// The identity of this thread; queries the kernel if it may have changed since the last
    /// query.
    #[inline]
    pub(crate) fn current() -> Self {
        KNOWN.with(|known| {
            if known.doubts.get() != DOUBTS.load(Ordering::Acquire) {
                return Self::ask();
            }
            if known.may_change.get() {
                let now = moment();
                if now.wrapping_sub(known.asked.get()) > OFTEN {
                    known.asked.set(now);
                    let next = known.next.get();
                    known.next.set((next + 1) % PARTS.len());
                    if hash(PARTS[next]).0 != known.parts[next].get() {
                        return Self::ask();
                    }
                }
            }
            known.identity.get()
        })
    }

    /// Asks the kernel for all of it.
    #[cold]
    pub(crate) fn ask() -> Self {
        KNOWN.with(|known| {
            known.doubts.set(DOUBTS.load(Ordering::Acquire));
            known.may_change.set(false);
            let mut hasher = DefaultHasher::new();
            for (&ask, part) in PARTS.iter().zip(&known.parts) {
                let (hash, may_change) = hash(ask);
                part.set(hash);
                hash.hash(&mut hasher);
                known.may_change.set(known.may_change.get() || may_change);
            }
            known.identity.set(Self(hasher.finish()));
            known.identity.get()
        })
    }

    /// Makes every thread ask again for everything.
    pub(crate) fn doubt() {
        DOUBTS.fetch_add(1, Ordering::Release);
    }
}

/// The hash of a part, and whether that can change.
fn hash(ask: fn(&mut DefaultHasher) -> bool) -> (u64, bool) {
    let mut hasher = DefaultHasher::new();
    let may_change = ask(&mut hasher);
    (hasher.finish(), may_change)
}

/// A very cheap clock: cycles if available, or else nanoseconds.
#[cfg(target_arch = "x86_64")]
fn moment() -> u64 {
    // SAFETY: every such processor has the instruction.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn moment() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64)
}
