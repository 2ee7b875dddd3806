//! `retry_if` is asked of what this function returns.

use trine::{Error, concurrent};

fn of_the_error(_: &Error) -> bool {
    true
}

fn of_another(_: Result<&u32, &Error>) -> bool {
    true
}

#[concurrent(threads, retries = 3, retry_if = of_the_error)]
fn shape() -> Result<u32, u32> {
    Ok(1)
}

#[concurrent(process, retries = 3, retry_if = of_another)]
fn value() -> Result<u32, u32> {
    Ok(1)
}

fn main() {}
