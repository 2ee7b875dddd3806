//! What a process may do: its user and its groups.

#![allow(unsafe_code, reason = "a call of the C library")]

use std::hash::{DefaultHasher, Hash};

use rustix::process::{getegid, geteuid, getgid, getgroups, getuid};

/// Each adds something of it to a hash, and returns whether it can change.
pub(crate) const PARTS: [fn(&mut DefaultHasher) -> bool; 2] = [users, groups];

fn users(hasher: &mut DefaultHasher) -> bool {
    let (real, effective) = (getuid(), geteuid());
    (real.as_raw(), effective.as_raw()).hash(hasher);
    effective.is_root() || real != effective
}

fn groups(hasher: &mut DefaultHasher) -> bool {
    let (real, effective) = (getgid(), getegid());
    (real.as_raw(), effective.as_raw()).hash(hasher);
    for group in getgroups().unwrap_or_default() {
        group.as_raw().hash(hasher);
    }
    real != effective
}

/// What a worker must be told of its parent's rights: nothing that it does not have anyway.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rights;

impl Rights {
    pub(crate) const LENGTH: usize = 0;

    pub(crate) fn of_this_thread() -> Self {
        Self
    }

    pub(crate) fn to_bytes(self) -> [u8; Self::LENGTH] {
        []
    }

    pub(crate) fn from_bytes(_: [u8; Self::LENGTH]) -> Self {
        Self
    }

    pub(crate) fn keep(self) {}
}

/// Whether this program has rights that its caller does not have.
pub(crate) fn is_elevated() -> bool {
    #[cfg(not(target_os = "linux"))]
    // SAFETY: it reads what the kernel left for the process.
    let is_said = unsafe { libc::issetugid() } != 0;
    // The C library's, which does not say it.
    #[cfg(target_os = "linux")]
    let is_said = false;
    is_said || getuid() != geteuid() || getgid() != getegid()
}
