//! π by throwing darts: one body, three modes, the same answer in each.
//!
//! Every task has a seed of its own, so the answer depends neither on the mode nor on the order in
//! which tasks run.

use std::process::ExitCode;
use std::time::Instant;

use lexopt::prelude::*;
use trine::{Task, TaskIterator, concurrent};
use trine_programs::{BadUsage, Failure, number, progress};

const USAGE: &str = "\
montecarlo: pi by throwing darts, on threads, in processes or async

Usage: montecarlo [--mode threads|process|async] [--tasks N] [--darts N] [--seed N]

  --mode MODE  where the tasks run (default: threads)
  --tasks N    how many tasks (default: 64)
  --darts N    how many darts each throws (default: 2000000)
  --seed N     another seed, another answer (default: 1)";

/// Throws darts at the unit square and counts those in the quarter circle.
fn throw(seed: u64, darts: u64) -> u64 {
    let mut state = seed;
    // SplitMix64: good numbers from any seed, even if seeds differ only by one.
    let mut coordinate = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..darts).filter(|_| coordinate().powi(2) + coordinate().powi(2) < 1.0).count() as u64
}

#[concurrent(threads)]
fn on_threads(seed: u64, darts: u64) -> u64 {
    throw(seed, darts)
}

#[concurrent(process)]
fn in_processes(seed: u64, darts: u64) -> u64 {
    throw(seed, darts)
}

#[concurrent(async)]
async fn as_async(seed: u64, darts: u64) -> u64 {
    throw(seed, darts)
}

fn main() -> ExitCode {
    trine_programs::run(USAGE, run)
}

fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let (mut mode, mut tasks, mut darts, mut seed) = ("threads".to_owned(), 64, 2_000_000, 1);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("mode") => mode = arguments.value()?.string()?,
            Long("tasks") => tasks = number("--tasks", &mut arguments)?,
            Long("darts") => darts = number("--darts", &mut arguments)?,
            Long("seed") => seed = number("--seed", &mut arguments)?,
            other => return Err(other.unexpected().into()),
        }
    }
    let start: fn(u64, u64) -> Task<u64> = match mode.as_str() {
        "threads" => on_threads,
        "process" => in_processes,
        "async" => as_async,
        _ => return Err(BadUsage::because(format!("no mode `{mode}`: threads, process or async"))),
    };
    if tasks == 0 || darts == 0 {
        return Err(BadUsage::because(
            "without darts there is no pi: --tasks and --darts from 1 on",
        ));
    }
    let seeds = || (0..tasks as u64).map(|task| seed ^ (task << 32));

    let began = Instant::now();
    let in_sequence: u64 = progress(tasks).wrap_iter(seeds()).map(|seed| throw(seed, darts)).sum();
    let time_in_sequence = began.elapsed();

    let began = Instant::now();
    let hits = progress(tasks)
        .wrap_iter(seeds().map(|seed| start(seed, darts)).buffered(64))
        .sum::<Result<u64, _>>()?;
    let time = began.elapsed();

    assert_eq!(hits, in_sequence, "the modes disagree");
    println!("pi is about {:.8}", 4.0 * hits as f64 / (tasks as u64 * darts) as f64);
    println!(
        "{mode}: {time:.2?}, in sequence {time_in_sequence:.2?}: {:.2} times as fast",
        time_in_sequence.as_secs_f64() / time.as_secs_f64()
    );
    Ok(())
}
