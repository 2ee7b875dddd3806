//! The mode has to be there.

use trine::concurrent;

#[concurrent]
fn one() {}

#[concurrent()]
fn two() {}

#[concurrent(= 5)]
fn three() {}

fn main() {}
