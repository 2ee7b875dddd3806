//! Prints what came out, as the Markdown that the README carries.

use crate::harness::{Cost, Goal, Outcome};

#[derive(Default)]
pub(crate) struct Table {
    rows: usize,
    short: usize,
}

impl Table {
    pub(crate) fn add(&mut self, outcome: Outcome) {
        if self.rows == 0 {
            println!(
                "| # | workload | contestant | wall | CPU | trine's share | goal | switches | \
                 allocations | threads |"
            );
            println!("|---|---|---|--:|--:|--:|---|--:|--:|--:|");
        }
        self.rows += 1;
        let ours = outcome.costs[0].clone();
        for (index, cost) in outcome.costs.iter().enumerate() {
            let (number, workload) =
                if index == 0 { (outcome.number, outcome.workload) } else { ("", "") };
            let share = if index == 0 { String::new() } else { ratio(ours.wall / cost.wall) };
            let goal = self.goals(&outcome, cost, index == 0);
            println!(
                "| {number} | {workload} | {} | {} | {} | {share} | {goal} | {} | {} | {} |",
                cost.name,
                time(cost.wall),
                time(cost.cpu),
                count(cost.switches),
                count(cost.allocations),
                cost.threads,
            );
        }
        for name in &outcome.missing {
            println!("| | | {name} | not here | | | | | | |");
        }
    }

    /// The goals that this contestant's line shows: trine's own, or those against this peer.
    fn goals(&mut self, outcome: &Outcome, cost: &Cost, is_ours: bool) -> String {
        let ours = &outcome.costs[0];
        let mut texts = Vec::new();
        for goal in &outcome.goals {
            let (text, reached) = match *goal {
                Goal::Time(peer, share) if peer == cost.name => {
                    (format!("≤ {share}"), ours.wall <= share * cost.wall)
                }
                Goal::Absolute(most) if is_ours => (format!("≤ {}", time(most)), ours.wall <= most),
                Goal::Best(share) if is_ours => {
                    let peers = outcome.costs[1..].iter().map(|cost| cost.wall);
                    let least = peers.fold(f64::INFINITY, f64::min);
                    (format!("≤ {share} × the best"), ours.wall <= share * least)
                }
                _ => continue,
            };
            self.short += usize::from(!reached);
            texts.push(if reached { format!("{text} ✓") } else { format!("{text} **short**") });
        }
        texts.join(", ")
    }

    pub(crate) fn finish(self) {
        let Self { rows, short } = self;
        eprintln!("{rows} rows, {short} goals not reached");
    }
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
