//! Only functions run.

use trine::concurrent;

#[concurrent(threads)]
struct Data;

#[concurrent(threads)]
mod module {}

#[concurrent(threads)]
impl Data {}

#[concurrent(threads)]
const LIMIT: u32 = 1;

fn main() {}
