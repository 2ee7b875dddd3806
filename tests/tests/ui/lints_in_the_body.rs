//! The user's lints fire in the body, once, at the user's tokens.

#![deny(warnings)]

use trine::concurrent;

#[concurrent(threads)]
fn variables(unused: u32, mut unchanged: u32) -> u32 {
    unchanged
}

#[concurrent(async)]
async fn variables_async(unused: u32, (a, b): (u32, u32)) -> u32 {
    a
}

#[concurrent(threads)]
fn unreachable() -> u32 {
    return 1;
    2
}

#[concurrent(async)]
async fn result_unused() {
    important();
}

#[must_use]
fn important() -> u32 {
    3
}

fn task_unused() {
    unreachable();
}

fn main() {
    task_unused();
    let _ = (variables(1, 2), variables_async(1, (2, 3)), result_unused());
}
