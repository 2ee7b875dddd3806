//! The threads engine. Every test here passes on a pool of any size; `.ci/run` runs all of them
//! again in the smallest ones.

mod calls;
mod coroutines;
#[cfg(any(target_os = "linux", windows))]
mod encoding;
mod fork_join;
mod priority;
