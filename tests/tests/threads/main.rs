//! The threads engine. Every test here passes on a pool of any size; `.ci/run` runs all of them
//! again in the smallest ones.

mod calls;
mod coroutines;
mod encoding;
mod fork_join;
mod priority;
