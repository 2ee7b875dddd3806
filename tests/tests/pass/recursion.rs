//! A recursive call reaches the concurrent function: that is what the name means.

use trine::{Task, concurrent};

#[concurrent(threads)]
fn depth(left: u32) -> u32 {
    if left == 0 {
        return 0;
    }
    let below: Task<u32> = depth(left - 1);
    below.join().expect("no failure") + 1
}

fn main() {
    assert_eq!(depth(5).join().expect("no failure"), 5);
}
