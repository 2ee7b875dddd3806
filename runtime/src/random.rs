//! Randomness, of which little is needed: the standard library's own source is enough.

use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

/// A number that nobody else has and nobody guesses: a hash under keys that the system gave.
///
/// A forked child has its parent's keys, so its own number is hashed in, and the moment.
pub(crate) fn number() -> u64 {
    RandomState::new().hash_one((std::process::id(), Instant::now()))
}
