//! An argument goes to a worker process as bytes.

use trine::concurrent;

struct Opaque;

#[concurrent(process)]
fn owned(count: u32, value: Opaque) -> u32 {
    drop(value);
    count
}

#[concurrent(process)]
fn lent(count: u32, value: &Opaque) -> u32 {
    let _ = value;
    count
}

impl Opaque {
    #[concurrent(process)]
    fn method(&self) {}
}

#[concurrent(process)]
fn generic<T: Send>(value: T) {
    drop(value);
}

fn main() {}
