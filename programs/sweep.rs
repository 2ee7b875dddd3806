//! A sweep over a learner's settings: many trainings at once. The best one is kept, and as soon as
//! one is good enough the others are cancelled.
//!
//! `buffer_unordered` gives results as they come, so the first good one ends the loop. Dropping the
//! iterator cancels those in flight; a training checks `trine::cancelled` once per epoch.

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;

use lexopt::prelude::*;
use trine::{TaskIterator, concurrent};
use trine_programs::{BadUsage, Failure, progress};

const USAGE: &str = "\
sweep: find the settings with which a linear model learns a table best

Usage: sweep [--target ERROR] TABLE.csv

  --target ERROR  stop at the first settings with an error this small (default: try all)

The last column is predicted from the others. All are numbers; a first line of names is skipped.
Every fifth row is held back, and the error is the root mean square over those.";

struct Table {
    training: Vec<Row>,
    held_back: Vec<Row>,
}

/// The columns, with a 1 for the constant term, and the value to predict.
type Row = (Vec<f64>, f64);

#[derive(Clone, Copy, Debug)]
struct Settings {
    rate: f64,
    momentum: f64,
    decay: f64,
}

/// Trains by gradient descent; returns the error, or nothing if it was cancelled.
#[concurrent(threads)]
fn train(table: Arc<Table>, settings: Settings) -> Option<f64> {
    let width = table.training[0].0.len();
    let mut weights = vec![0.0; width];
    let mut speed = vec![0.0; width];
    for _epoch in 0..300 {
        if trine::cancelled() {
            return None;
        }
        for (columns, wanted) in &table.training {
            let error = predict(&weights, columns) - wanted;
            for ((weight, speed), column) in weights.iter_mut().zip(&mut speed).zip(columns) {
                let slope = error * column + settings.decay * *weight;
                *speed = settings.momentum * *speed - settings.rate * slope;
                *weight += *speed;
            }
        }
    }
    let squares = table.held_back.iter().map(|(c, wanted)| (predict(&weights, c) - wanted).powi(2));
    Some((squares.sum::<f64>() / table.held_back.len() as f64).sqrt())
}

fn predict(weights: &[f64], columns: &[f64]) -> f64 {
    weights.iter().zip(columns).map(|(weight, column)| weight * column).sum()
}

fn main() -> ExitCode {
    trine_programs::run(USAGE, run)
}

fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let (mut file, mut target) = (None, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("target") => target = Some(read_target(&arguments.value()?.string()?)?),
            Value(value) if file.is_none() => file = Some(value),
            other => return Err(other.unexpected().into()),
        }
    }
    let file = file.ok_or_else(|| BadUsage::because("which table?"))?;
    let text = fs::read_to_string(&file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let table = Arc::new(read_table(&text).map_err(|why| format!("{}: {why}", file.display()))?);

    let grid = grid();
    let tasks = grid
        .iter()
        .map(|&settings| train(Arc::clone(&table), settings).map(move |error| (settings, error)));
    let bar = progress(grid.len());
    let mut tried = 0;
    let mut best: Option<(Settings, f64)> = None;
    for result in bar.wrap_iter(tasks.buffer_unordered(8)) {
        tried += 1;
        // A training that diverged has an error of NaN, which is less than nothing.
        let (settings, Some(error)) = result? else { continue };
        if error < best.map_or(f64::INFINITY, |(_, error)| error) {
            best = Some((settings, error));
        }
        if target.is_some_and(|target| error <= target) {
            break; // The loop held the iterator: with it go the trainings in flight.
        }
    }
    bar.finish_and_clear();
    let (settings, error) = best.ok_or("no settings led anywhere")?;
    let Settings { rate, momentum, decay } = settings;
    println!("best: rate {rate}, momentum {momentum}, decay {decay}: error {error:.4}");
    let rest = if tried < grid.len() { ", the others cancelled or not started" } else { "" };
    println!("{tried} of {} settings tried{rest}", grid.len());
    Ok(())
}

fn read_target(text: &str) -> Result<f64, Failure> {
    text.parse().ok().filter(|target| *target >= 0.0).ok_or_else(|| {
        BadUsage::because(format!("--target is `{text}`, and has to be a number from 0 on"))
    })
}

fn grid() -> Vec<Settings> {
    let mut grid = Vec::new();
    for rate in [0.1, 0.03, 0.01, 0.003, 0.001, 0.0003] {
        for momentum in [0.0, 0.5, 0.9] {
            for decay in [0.0, 0.0001, 0.01] {
                grid.push(Settings { rate, momentum, decay });
            }
        }
    }
    grid
}

fn read_table(text: &str) -> Result<Table, String> {
    let mut rows: Vec<Vec<f64>> = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let cells = line.split(',').map(str::trim);
        let row: Result<Vec<f64>, _> = cells.map(|cell| cell.parse().map_err(|_| cell)).collect();
        match row {
            Ok(row) if rows.first().is_none_or(|first| first.len() == row.len()) => rows.push(row),
            Ok(row) => {
                let (first, this) = (rows[0].len(), row.len());
                return Err(format!("line {number} has {this} columns, the first has {first}"));
            }
            Err(_) if number == 1 => {}
            Err(cell) => return Err(format!("line {number}: `{cell}` is not a number")),
        }
    }
    if rows.len() < 10 || rows[0].len() < 2 {
        return Err("at least 10 rows of 2 columns are needed".to_owned());
    }
    standardize(&mut rows);
    let (mut training, mut held_back) = (Vec::new(), Vec::new());
    for (index, mut columns) in rows.into_iter().enumerate() {
        let last = columns.len() - 1;
        let wanted = std::mem::replace(&mut columns[last], 1.0);
        if index % 5 == 4 { &mut held_back } else { &mut training }.push((columns, wanted));
    }
    Ok(Table { training, held_back })
}

/// Scales all columns but the last to a mean of 0 and a spread of 1.
fn standardize(rows: &mut [Vec<f64>]) {
    let count = rows.len() as f64;
    for column in 0..rows[0].len() - 1 {
        let mean = rows.iter().map(|row| row[column]).sum::<f64>() / count;
        let spread = rows.iter().map(|row| (row[column] - mean).powi(2)).sum::<f64>() / count;
        let spread = if spread > 0.0 { spread.sqrt() } else { 1.0 };
        rows.iter_mut().for_each(|row| row[column] = (row[column] - mean) / spread);
    }
}
