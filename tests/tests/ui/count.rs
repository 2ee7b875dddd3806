//! `limit` and `retries` are whole numbers from one on.

use trine::concurrent;

#[concurrent(threads, limit = 0)]
fn zero() {}

#[concurrent(threads, retries = 4294967296)]
fn overflow() {}

#[concurrent(threads, limit = 1.5)]
fn fraction() {}

#[concurrent(threads, limit = 3s)]
fn unit() {}

#[concurrent(threads, limit = many())]
fn not_const() {}

fn many() -> usize {
    3
}

fn main() {}
