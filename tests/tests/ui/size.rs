//! A size has a unit and is more than nothing.

use trine::concurrent;

#[concurrent(process, memory = 512)]
fn unit_missing() {}

#[concurrent(process, memory = 5s)]
fn unit_unknown() {}

#[concurrent(process, memory = 0MiB)]
fn zero() {}

#[concurrent(process, memory = 0x10MiB)]
fn hexadecimal() {}

fn main() {}
