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

fn main() {}
