//! `retries` hands the arguments over again.

use trine::concurrent;

struct Ticket;

#[concurrent(threads, retries = 3)]
fn redeem(count: u32, ticket: Ticket) -> Result<u32, String> {
    drop(ticket);
    Ok(count)
}

fn main() {}
