//! Pi by throwing darts, on this machine or on many: the environment decides where.
//!
//! Nothing here mentions a cluster. `cargo run --example cluster` throws the darts in worker
//! processes on this machine. With `TRINE_CLUSTER` set, they are thrown on the machines that serve
//! there, and the same program with `TRINE_SERVE` set is such a machine. `cluster.sh` does all of
//! this on loopback, and kills a machine on the way.
use trine::{TaskIterator, concurrent};
const TASKS: u64 = 64;
/// Throws darts at the unit square and counts those in the quarter circle. If a machine goes away,
/// its darts are thrown again elsewhere, with the same result: the same seed gives the same darts.
fn throw(seed: u64, darts: u64) -> ::trine::Task<u64> {
    ::trine::process::spawn_retrying(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("throw")
                .retries(3);
            &FUNCTION
        },
        (seed, darts),
        |(seed, darts): (u64, u64)| -> u64 {
            let mut state = seed;
            let mut coordinate = || {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut bits = state;
                bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
            };
            (0..darts)
                .filter(|_| coordinate().powi(2) + coordinate().powi(2) < 1.0)
                .count() as u64
        },
        ::trine::Retry::failed(|__output: &u64| ::trine::Returned(__output).is_err()),
    )
}
fn main() -> Result<(), trine::Error> {
    let darts: u64 = match std::env::args().nth(1).map(|darts| darts.parse()) {
        None => 2_000_000,
        Some(Ok(darts)) if darts > 0 => darts,
        Some(_) => {
            eprintln!(
                "usage: cluster [DARTS]   how many darts each of {TASKS} tasks throws"
            );
            std::process::exit(2);
        }
    };
    let mut hits = 0;
    let seeds = (0..TASKS).map(|task| task << 32);
    for (done, task) in (1..).zip(seeds.map(|seed| throw(seed, darts)).buffered(16)) {
        hits += task?;
        if done % 16 == 0 {
            eprintln!("{done} of {TASKS} tasks are back");
        }
    }
    println!("pi is about {:.8}", 4.0 * hits as f64 / (TASKS * darts) as f64);
    Ok(())
}
