//! `memory`, `fresh`, `pool` and `local` belong to `process`.

use trine::concurrent;

#[concurrent(threads, memory = 512MiB)]
fn memory() {}

#[concurrent(async, fresh)]
async fn fresh() {}

#[concurrent(threads, local)]
fn local() {}

#[concurrent(threads, pool = "images")]
fn pool() {}

#[concurrent(process, pool = "all images")]
fn spaced() {}

#[concurrent(process, pool = 3)]
fn number() {}

#[concurrent(process, priority = hihg)]
fn level() {}

#[concurrent(process, priority = normal)]
fn normal() {}

#[concurrent(process, priority = 3)]
fn three() {}

fn main() {}
