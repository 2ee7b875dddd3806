//! What a thread may do: its users, its groups and its capabilities.

#![allow(unsafe_code, reason = "calls of the C library")]

use std::hash::{DefaultHasher, Hash};
use std::sync::OnceLock;

/// Each adds something of it to a hash, by a system call or two, and returns whether it can change.
pub(crate) const PARTS: [fn(&mut DefaultHasher) -> bool; 3] = [users, groups, rights];

fn users(hasher: &mut DefaultHasher) -> bool {
    let mut users = [0; 3];
    let [real, effective, saved] = &mut users;
    // SAFETY: it fills in the given buffer.
    unsafe { libc::getresuid(real, effective, saved) };
    users.hash(hasher);
    users[1] == 0 || !are_one(users)
}

fn groups(hasher: &mut DefaultHasher) -> bool {
    let mut groups = [0; 3];
    let [real, effective, saved] = &mut groups;
    // SAFETY: it fills in the given buffer.
    unsafe { libc::getresgid(real, effective, saved) };
    groups.hash(hasher);
    for other in rustix::process::getgroups().unwrap_or_default() {
        other.as_raw().hash(hasher);
    }
    !are_one(groups)
}

fn are_one([real, effective, saved]: [u32; 3]) -> bool {
    real == effective && real == saved
}

fn rights(hasher: &mut DefaultHasher) -> bool {
    let rights = Rights::of_this_thread();
    rights.hash(hasher);
    rights != Rights::default()
}

/// The capabilities: effective, permitted and inheritable, in two words each.
#[derive(Clone, Copy, Debug, Default, Hash, PartialEq, Eq)]
pub(crate) struct Rights([[u32; 3]; 2]);

/// The version of what the calls take, and a process: this thread.
const HEAD: [u32; 2] = [0x2008_0522, 0];

impl Rights {
    pub(crate) const LENGTH: usize = size_of::<Self>();

    /// Those of this thread, which a process that it starts gets at most.
    pub(crate) fn of_this_thread() -> Self {
        let (mut head, mut rights) = (HEAD, Self::default());
        // SAFETY: it fills in the given buffers, which have the required sizes.
        unsafe { libc::syscall(libc::SYS_capget, head.as_mut_ptr(), rights.0.as_mut_ptr()) };
        rights
    }

    pub(crate) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        for (four, word) in bytes.chunks_exact_mut(4).zip(self.0.iter().flatten()) {
            four.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        let mut rights = Self::default();
        for (word, four) in rights.0.iter_mut().flatten().zip(bytes.as_chunks().0) {
            *word = u32::from_ne_bytes(*four);
        }
        rights
    }

    /// Gives up what is not among these. The kernel gives a process of the superuser all rights as
    /// it starts, also one whose parent has given some of them up.
    pub(crate) fn keep(self) {
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

/// Whether this program has rights that its caller does not have.
pub(crate) fn is_elevated() -> bool {
    static ELEVATED: OnceLock<bool> = OnceLock::new();
    // SAFETY: it reads what the kernel left for the process.
    *ELEVATED.get_or_init(|| unsafe { libc::getauxval(libc::AT_SECURE) } != 0)
}
