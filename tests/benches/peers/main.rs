//! trine beside its peers: `cargo bench -p trine-tests` prints the table of BENCHMARKS.md,
//! `cargo bench -p trine-tests -- NAME` the rows whose name or number that is.
//!
//! All contestants of a row run in one process, in turn, for several rounds; what counts is the
//! ratio of the medians. A row that falls short of its goal is marked, and shown all the same.

mod blocking;
mod fork_join;
mod harness;
mod idle;
mod spawning;
mod table;

use harness::Row;

fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let rows: Vec<fn() -> Row> = vec![
        fork_join::fib,
        fork_join::unbalanced,
        spawning::many,
        spawning::in_turn,
        blocking::sleepers,
        blocking::mixed,
        blocking::hog,
        idle::after_work,
        idle::one_per_millisecond,
    ];
    let mut table = table::Table::default();
    for row in rows {
        let row = row();
        if wanted.is_empty() || wanted.iter().any(|name| row.is_called(name)) {
            table.add(row.run());
        }
    }
    table.finish();
}
