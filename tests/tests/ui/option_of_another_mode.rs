//! `memory`, `fresh` and `local` belong to `process`.

use trine::concurrent;

#[concurrent(threads, memory = 512MiB)]
fn memory() {}

#[concurrent(async, fresh)]
async fn fresh() {}

#[concurrent(threads, local)]
fn local() {}

fn main() {}
