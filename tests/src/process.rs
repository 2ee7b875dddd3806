//! The function that nearly every test of the process engine calls.

use trine::concurrent;

/// Twice the number, from a worker.
#[concurrent(process)]
pub fn double(number: u32) -> u32 {
    number * 2
}
