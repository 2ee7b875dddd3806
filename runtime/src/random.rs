//! Random numbers. Few are needed, so the standard library's own source is enough.

use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

/// A unique number that cannot be guessed: a hash under keys from the operating system.
///
/// A forked child has its parent's keys, so the process id and the time are hashed in.
pub(crate) fn number() -> u64 {
    RandomState::new().hash_one((std::process::id(), Instant::now()))
}
