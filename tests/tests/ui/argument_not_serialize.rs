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
fn reports(progress: trine::Sender<Opaque>) {
    drop(progress);
}

#[concurrent(process)]
fn stage(numbers: trine::Stream<Opaque>) -> usize {
    numbers.into_iter().flatten().count()
}

fn main() {}
