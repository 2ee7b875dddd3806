//! A duration has a unit and is more than nothing.

use trine::concurrent;

#[concurrent(threads, timeout = 5)]
fn unit_missing() {}

#[concurrent(threads, timeout = 5sec)]
fn unit_unknown() {}

#[concurrent(threads, timeout = 0s)]
fn zero() {}

#[concurrent(threads, timeout = -5s)]
fn negative() {}

#[concurrent(threads, timeout = 9999999999h)]
fn overflow() {}

#[concurrent(threads, timeout = 0.5ns)]
fn too_small() {}

#[concurrent(threads, timeout = "5s")]
fn quoted() {}

#[concurrent(threads, timeout = ZERO)]
fn zero_by_name() {}

const ZERO: std::time::Duration = std::time::Duration::ZERO;

fn main() {}
