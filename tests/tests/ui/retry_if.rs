//! `retry_if` is the path of a function that is asked of each outcome.

use trine::{Error, concurrent};

fn asks(_: Result<&Result<u32, u32>, &Error>) -> bool {
    true
}

#[concurrent(threads, retry_if = asks)]
fn without() -> Result<u32, u32> {
    Ok(1)
}

#[concurrent(threads, retries = 3, retry_if = asks())]
fn called() -> Result<u32, u32> {
    Ok(1)
}

#[concurrent(threads, retries = 3, retry_if = |_| true)]
fn closure() -> Result<u32, u32> {
    Ok(1)
}

#[concurrent(threads, retries = 3, retry_if = "asks")]
fn quoted() -> Result<u32, u32> {
    Ok(1)
}

#[concurrent(threads, retries = 3, retry_if = true)]
fn literal() -> Result<u32, u32> {
    Ok(1)
}

#[concurrent(threads, retries = 3, retry_on = asks)]
fn misnamed() -> Result<u32, u32> {
    Ok(1)
}

fn main() {}
