//! Prints the results as Markdown: medians, how much the rounds varied, and whether each goal was
//! reached, if that can be told.
//!
//! Ratios are taken round by round, because contestants that run one after another found the
//! machine in the same state. A goal counts as reached or missed if three rounds out of four say
//! so; otherwise the noise was larger than the margin, and there is no verdict.

use crate::harness::{Cost, Goal, Outcome, quartiles};
use crate::memory;

#[derive(Default)]
pub(crate) struct Table {
    rows: usize,
    short: usize,
    unclear: usize,
}

impl Table {
    pub(crate) fn add(&mut self, outcome: Outcome) {
        if self.rows == 0 {
            println!(
                "| # | workload | contestant | wall | ± | CPU | trine's share | goal | switches | \
                 allocations | threads |"
            );
            println!("|---|---|---|--:|--:|--:|--:|---|--:|--:|--:|");
        }
        self.rows += 1;
        let ours = outcome.costs[0].clone();
        for (index, cost) in outcome.costs.iter().enumerate() {
            let (number, workload) =
                if index == 0 { (outcome.number, outcome.workload) } else { ("", "") };
            let share = if index == 0 { String::new() } else { ratio(ours.wall / cost.wall) };
            let goal = self.goals(&outcome, cost, index == 0);
            println!(
                "| {number} | {workload} | {} | {} | {} | {} | {share} | {goal} | {} | {} | {} |",
                cost.name,
                time(cost.wall),
                spread(cost),
                time(cost.cpu),
                count(cost.switches),
                count(cost.allocations),
                cost.threads,
            );
        }
        for name in &outcome.missing {
            println!("| | | {name} | not here | | | | | | | |");
        }
    }

    /// The goals shown in this contestant's row: trine's own, or those against this peer.
    fn goals(&mut self, outcome: &Outcome, cost: &Cost, is_ours: bool) -> String {
        let ours = &outcome.costs[0].rounds;
        let against = |others: &[f64]| -> Vec<f64> {
            ours.iter().zip(others).map(|(ours, other)| ours / other).collect()
        };
        let mut texts = Vec::new();
        for goal in &outcome.goals {
            let (text, shares, most) = match *goal {
                Goal::Time(peer, share) if peer == cost.name => {
                    (format!("≤ {share}"), against(&cost.rounds), share)
                }
                Goal::Absolute(most) if is_ours => {
                    (format!("≤ {}", time(most)), ours.clone(), most)
                }
                Goal::Best(share) if is_ours => {
                    let best = |round: usize| {
                        let peers = outcome.costs[1..].iter().map(|peer| peer.rounds[round]);
                        peers.fold(f64::INFINITY, f64::min)
                    };
                    let best: Vec<f64> = (0..ours.len()).map(best).collect();
                    (format!("≤ {share} × the best"), against(&best), share)
                }
                _ => continue,
            };
            texts.push(format!("{text} {}", self.verdict(&shares, most)));
        }
        texts.join(", ")
    }

    fn verdict(&mut self, shares: &[f64], most: f64) -> &'static str {
        let [low, _, high] = quartiles(shares.iter().copied());
        if high <= most {
            "✓"
        } else if low > most {
            self.short += 1;
            "**short**"
        } else {
            self.unclear += 1;
            "? too noisy"
        }
    }

    pub(crate) fn finish(self) {
        let Self { rows, short, unclear } = self;
        let allocator = memory::NAME;
        eprintln!("{rows} rows with {allocator}, {short} goals not reached, {unclear} unclear");
    }
}

/// How far the middle half of the rounds lies from the median at most, in percent.
fn spread(cost: &Cost) -> String {
    let [low, middle, high] = quartiles(cost.rounds.iter().copied());
    format!("{:.0} %", (high - middle).max(middle - low) / middle * 100.0)
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.1} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.2} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

fn ratio(share: f64) -> String {
    if share < 0.1 { format!("{share:.3}") } else { format!("{share:.2}") }
}

fn count(number: f64) -> String {
    if number == 0.0 {
        "0".into()
    } else if number < 10.0 {
        format!("{number:.2}")
    } else {
        format!("{number:.0}")
    }
}
