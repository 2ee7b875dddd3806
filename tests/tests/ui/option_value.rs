//! An option has the value that it needs, and no other.

use trine::concurrent;

#[concurrent(threads, timeout)]
fn missing() {}

#[concurrent(threads, timeout =)]
fn empty() {}

#[concurrent(threads, scoped = true)]
fn superfluous() {}

#[concurrent(threads limit = 3)]
fn comma() {}

#[concurrent(threads, backoff = 1s)]
fn alone() {}

#[concurrent(threads, queue = 100)]
fn unlimited() {}

#[concurrent(threads, limit = 8, queue = 0)]
fn zero() {}

#[concurrent(threads, limit = 8, backlog = 10)]
fn misnamed() {}

fn main() {}
