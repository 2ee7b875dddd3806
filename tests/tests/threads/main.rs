//! The threads engine. Every test here passes on a pool of any size; `in_pools_of_one_and_two` runs
//! all of them again in the smallest ones.

mod calls;
mod coroutines;
#[cfg(any(target_os = "linux", windows))]
mod encoding;
mod fork_join;
mod priority;

use trine_tests::programs::again_in_pools_of_one_and_two;

#[test]
fn in_pools_of_one_and_two() {
    again_in_pools_of_one_and_two("TRINE_THREADS");
}
