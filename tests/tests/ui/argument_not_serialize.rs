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

#[concurrent(process)]
fn reports(progress: trine::Sender<u32>) {
    drop(progress);
}

#[concurrent(process)]
fn stage(numbers: trine::Stream<u32>) -> u32 {
    numbers.into_iter().flatten().sum()
}

fn main() {}
