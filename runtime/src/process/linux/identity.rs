//! The rights of this process.
//!
//! A worker permanently keeps the rights that its parent had when it was started. A program that
//! gives up rights must not be served by workers that still have them, so the pool checks here for
//! changes. Asking the kernel at each call would cost a good part of the call. So the user ids are
//! queried at most every few microseconds, which is less than a multi-threaded program needs to
//! change them. Everything is queried when the C library makes all threads take part in a change,
//! since that interrupts the thread that waits for the workers. A process that cannot change its
//! identity is not queried again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Everything by which the kernel decides what a process may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64);

static CURRENT: AtomicU64 = AtomicU64::new(0);
/// The user ids, and when they were queried.
static USERS: AtomicU64 = AtomicU64::new(0);
static ASKED: AtomicU64 = AtomicU64::new(0);
/// Whether it can change at all.
static MAY_CHANGE: AtomicBool = AtomicBool::new(true);

/// In units of [`moment`].
const OFTEN: u64 = 1 << 15;

impl Identity {
    /// The identity of this process; queries the kernel if it may have changed since the last
    /// query.
    #[inline]
    pub(crate) fn current() -> Self {
        if MAY_CHANGE.load(Ordering::Relaxed) {
            let now = moment();
            if now.wrapping_sub(ASKED.load(Ordering::Relaxed)) > OFTEN {
                ASKED.store(now, Ordering::Relaxed);
                if hash(&users()) != USERS.load(Ordering::Relaxed) {
                    return Self::ask();
                }
            }
        }
        Self(CURRENT.load(Ordering::Acquire))
    }

    /// Asks the kernel for all of it.
    #[cold]
    pub(crate) fn ask() -> Self {
        let numbers = Numbers::ask();
        USERS.store(hash(&numbers.users), Ordering::Relaxed);
        MAY_CHANGE.store(numbers.may_change(), Ordering::Relaxed);
        let hash = hash(&numbers);
        CURRENT.store(hash, Ordering::Release);
        Self(hash)
    }
}

#[derive(Hash)]
struct Numbers {
    users: [u32; 3],
    groups: [u32; 3],
    others: Vec<u32>,
    /// The capabilities that are effective.
    rights: [u32; 2],
}

impl Numbers {
    fn ask() -> Self {
        let mut groups = [0; 3];
        // What `capget` takes: its version and this thread; and what it fills in.
        let mut head = [0x2008_0522_u32, 0];
        let mut rights = [[0_u32; 3]; 2];
        // SAFETY: they fill in the given buffers, which have the required sizes.
        unsafe {
            let [real, effective, saved] = &mut groups;
            libc::getresgid(real, effective, saved);
            libc::syscall(libc::SYS_capget, head.as_mut_ptr(), rights.as_mut_ptr());
        }
        let others = rustix::process::getgroups().unwrap_or_default();
        let others = others.into_iter().map(rustix::process::Gid::as_raw).collect();
        let rights = rights.map(|[effective, ..]| effective);
        Self { users: users(), groups, others, rights }
    }

    fn may_change(&self) -> bool {
        let are_one = |[real, effective, saved]: [u32; 3]| real == effective && real == saved;
        let is_root = self.users[1] == 0;
        is_root || !are_one(self.users) || !are_one(self.groups) || self.rights != [0; 2]
    }
}

fn users() -> [u32; 3] {
    let mut users = [0; 3];
    let [real, effective, saved] = &mut users;
    // SAFETY: it fills in the given buffer.
    unsafe { libc::getresuid(real, effective, saved) };
    users
}

fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
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
