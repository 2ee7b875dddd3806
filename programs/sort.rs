//! Quicksort on borrowed slices, with `join!` and with `scope`, beside rayon.
//!
//! `join!` is for recursion: it costs next to nothing when nobody is idle. Calls in a `scope` are
//! whole tasks, which can be cancelled and waited for one by one.

use std::fs;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lexopt::prelude::*;
use rayon::slice::ParallelSliceMut;
use trine::concurrent;
use trine_programs::{BadUsage, Failure, number};

const USAGE: &str = "\
sort: quicksort on all cores, with trine and with rayon

Usage: sort [--out SORTED] FILE
       sort [--numbers N]

  --out SORTED  where the sorted lines of the file go (default: nowhere)
  --numbers N   sort so many random numbers instead, up to 200000000 (default: 2000000)";

/// Below this size the standard library's sort is faster than splitting further.
const SMALL: usize = 4096;

/// The most numbers to sort; there are four copies of them, at 8 bytes a number.
const MAX_NUMBERS: usize = 200_000_000;

fn with_join<T: Ord + Send>(items: &mut [T]) {
    if items.len() <= SMALL {
        return items.sort_unstable();
    }
    let (low, high) = partition(items);
    trine::join!(with_join(low), with_join(high));
}

#[concurrent(threads, scoped)]
fn with_scope<T: Ord + Send>(items: &mut [T]) {
    if items.len() <= SMALL {
        return items.sort_unstable();
    }
    let (low, high) = partition(items);
    trine::scope(|s| {
        for half in [with_scope(s, low), with_scope(s, high)] {
            half.join().unwrap_or_else(|error| error.resume_unwind());
        }
    });
}

fn with_rayon<T: Ord + Send>(items: &mut [T]) {
    if items.len() <= SMALL {
        return items.sort_unstable();
    }
    let (low, high) = partition(items);
    rayon::join(|| with_rayon(low), || with_rayon(high));
}

/// Splits at the median of three: what ends up to its left is smaller, what ends up to its right is
/// not.
fn partition<T: Ord>(items: &mut [T]) -> (&mut [T], &mut [T]) {
    let (middle, last) = (items.len() / 2, items.len() - 1);
    for (low, high) in [(0, middle), (0, last), (middle, last)] {
        if items[high] < items[low] {
            items.swap(low, high);
        }
    }
    items.swap(0, middle);
    let Some((pivot, rest)) = items.split_first_mut() else { return (&mut [], &mut []) };
    let smaller = to_front(rest, |item| item < pivot);
    // If few are smaller, perhaps many are equal, and those need no more sorting.
    let few = smaller < rest.len() / 8;
    let equal = if few { to_front(&mut rest[smaller..], |item| item == pivot) } else { 0 };
    items.swap(0, smaller);
    let (left, right) = items.split_at_mut(smaller);
    (left, &mut right[1 + equal..])
}

/// Moves all items that belong to the front there, without a branch that the processor could
/// mispredict.
fn to_front<T>(items: &mut [T], belongs: impl Fn(&T) -> bool) -> usize {
    let mut count = 0;
    for index in 0..items.len() {
        let one_more = usize::from(belongs(&items[index]));
        items.swap(count, index);
        count += one_more;
    }
    count
}

fn main() -> ExitCode {
    trine_programs::run(USAGE, run)
}

fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let (mut file, mut out, mut numbers) = (None, None, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("out") => out = Some(arguments.value()?),
            Long("numbers") => numbers = Some(number("--numbers", &mut arguments)?),
            Value(value) if file.is_none() => file = Some(value),
            other => return Err(other.unexpected().into()),
        }
    }
    let Some(file) = file else {
        if out.is_some() {
            return Err(BadUsage::because("--out is for the lines of a file: which file?"));
        }
        let numbers = numbers.unwrap_or(2_000_000);
        if numbers > MAX_NUMBERS {
            return Err(BadUsage::because(format!(
                "--numbers is {numbers}, and may be up to {MAX_NUMBERS}"
            )));
        }
        compare(&random(numbers));
        return Ok(());
    };
    if numbers.is_some() {
        return Err(BadUsage::because("a file or --numbers, not both"));
    }
    let text = fs::read_to_string(&file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let sorted = compare(&text.lines().collect::<Vec<_>>());
    if let Some(out) = out {
        fs::write(&out, sorted.iter().flat_map(|line| [line, "\n"]).collect::<String>())
            .map_err(|error| format!("cannot write {}: {error}", out.display()))?;
    }
    Ok(())
}

/// Sorts the same items in every way, checks that the results agree, and prints the times.
fn compare<T: Ord + Send + Copy>(items: &[T]) -> Vec<T> {
    let (expected, alone) = timed(items, |items| items.sort_unstable());
    println!("{} items", items.len());
    print_row("std, one thread", alone, alone);
    let check = |name: &str, way: fn(&mut [T])| {
        let (sorted, time) = timed(items, way);
        assert!(sorted == expected, "{name} did not sort");
        print_row(name, time, alone);
    };
    check("trine::join!", with_join);
    check("trine::scope", |items| {
        let sorted = trine::scope(|s| with_scope(s, items).join());
        sorted.unwrap_or_else(|error| error.resume_unwind());
    });
    check("rayon::join", with_rayon);
    check("rayon par_sort", ParallelSliceMut::par_sort_unstable);
    expected
}

/// The best of three, since the first run may have to start threads.
fn timed<T: Copy>(items: &[T], sort: impl Fn(&mut [T])) -> (Vec<T>, Duration) {
    let run = || {
        let mut items = items.to_vec();
        let start = Instant::now();
        sort(black_box(&mut items));
        (items, start.elapsed())
    };
    let (sorted, first) = run();
    (sorted, first.min(run().1).min(run().1))
}

fn print_row(way: &str, time: Duration, alone: Duration) {
    let faster = alone.as_secs_f64() / time.as_secs_f64();
    println!("{way:<16}{:>10.2} ms{faster:>8.2} x", time.as_secs_f64() * 1000.0);
}

fn random(count: usize) -> Vec<u64> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    std::iter::repeat_with(next).take(count).collect()
}
