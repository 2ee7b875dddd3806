//! The rights of this process.
//!
//! A worker permanently keeps the rights that its parent had when it was started. A program that
//! gives up rights must not be served by workers that still have them, so the pool checks here for
//! changes. Asking the kernel at each call would cost a good part of the call. So it is asked at
//! most every few microseconds, which is less than a multi-threaded program needs to change its
//! user, and each time for one of the [`Part`]s: a change is known after three such times.
//! Everything is asked for when the C library makes all threads take part in a change, since that
//! interrupts the thread that waits for the workers. A process that cannot change its identity is
//! not asked about again.
//!
//! To the kernel these are rights of a thread, so each thread keeps what it knows.

#![allow(unsafe_code, reason = "calls of the C library")]

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Everything by which the kernel decides what a thread may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64);

/// What a single system call or two can tell.
const PARTS: [fn() -> Part; 3] = [Part::users, Part::groups, Part::rights];

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
            parts: [const { Cell::new(0) }; 3],
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
    parts: [Cell<u64>; 3],
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
                    if PARTS[next]().hash() != known.parts[next].get() {
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
            for (ask, hash) in PARTS.iter().zip(&known.parts) {
                let part = ask();
                hash.set(part.hash());
                hash.get().hash(&mut hasher);
                known.may_change.set(known.may_change.get() || part.may_change());
            }
            known.identity.set(Self(hasher.finish()));
            known.identity.get()
        })
    }

    /// Makes every thread ask again for everything.
    pub(super) fn doubt() {
        DOUBTS.fetch_add(1, Ordering::Release);
    }
}

/// A part of an identity.
#[derive(Hash)]
enum Part {
    /// Real, effective and saved.
    Users([u32; 3]),
    Groups([u32; 3], Vec<u32>),
    Rights(Rights),
}

impl Part {
    fn users() -> Self {
        let mut users = [0; 3];
        let [real, effective, saved] = &mut users;
        // SAFETY: it fills in the given buffer.
        unsafe { libc::getresuid(real, effective, saved) };
        Self::Users(users)
    }

    fn groups() -> Self {
        let mut groups = [0; 3];
        let [real, effective, saved] = &mut groups;
        // SAFETY: it fills in the given buffer.
        unsafe { libc::getresgid(real, effective, saved) };
        let others = rustix::process::getgroups().unwrap_or_default();
        Self::Groups(groups, others.into_iter().map(rustix::process::Gid::as_raw).collect())
    }

    fn rights() -> Self {
        Self::Rights(Rights::of_this_thread())
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        Hash::hash(self, &mut hasher);
        hasher.finish()
    }

    fn may_change(&self) -> bool {
        let are_one = |[real, effective, saved]: &[u32; 3]| real == effective && real == saved;
        match self {
            Self::Users(users) => users[1] == 0 || !are_one(users),
            Self::Groups(groups, _) => !are_one(groups),
            Self::Rights(rights) => *rights != Rights::default(),
        }
    }
}

/// The capabilities: effective, permitted and inheritable, in two words each.
#[derive(Clone, Copy, Debug, Default, Hash, PartialEq, Eq)]
pub(super) struct Rights(pub(super) [[u32; 3]; 2]);

/// The version of what the calls take, and a process: this thread.
const HEAD: [u32; 2] = [0x2008_0522, 0];

impl Rights {
    /// Those of this thread, which a process that it starts gets at most.
    pub(super) fn of_this_thread() -> Self {
        let (mut head, mut rights) = (HEAD, Self::default());
        // SAFETY: it fills in the given buffers, which have the required sizes.
        unsafe { libc::syscall(libc::SYS_capget, head.as_mut_ptr(), rights.0.as_mut_ptr()) };
        rights
    }

    /// Gives up what is not among these. The kernel gives a process of the superuser all rights as
    /// it starts, also one whose parent has given some of them up.
    pub(super) fn keep(self) {
        let own = Self::of_this_thread();
        let mut kept = own;
        let words = kept.0.iter_mut().flatten().zip(self.0.iter().flatten());
        words.for_each(|(word, allowed)| *word &= allowed);
        if kept != own {
            let mut head = HEAD;
            // SAFETY: it reads the given buffers, which have the required sizes.
            unsafe { libc::syscall(libc::SYS_capset, head.as_mut_ptr(), kept.0.as_ptr()) };
        }
    }
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

/// Whether this program has rights that its caller does not have.
pub(super) fn is_elevated() -> bool {
    static ELEVATED: OnceLock<bool> = OnceLock::new();
    // SAFETY: it reads what the kernel left for the process.
    *ELEVATED.get_or_init(|| unsafe { libc::getauxval(libc::AT_SECURE) } != 0)
}
