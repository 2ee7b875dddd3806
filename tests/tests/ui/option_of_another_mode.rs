//! `memory` and `fresh` belong to `process`.

use trine::concurrent;

#[concurrent(threads, memory = 512MiB)]
fn memory() {}

#[concurrent(async, fresh)]
async fn fresh() {}

fn main() {}
