//! An option is one of those there are.

use trine::concurrent;

#[concurrent(threads, timout = 5s)]
fn near() {}

#[concurrent(threads, colour = 5)]
fn far() {}

#[concurrent(threads, 5)]
fn number() {}

fn main() {}
