//! The frames of joins under loom: a branch runs once, and its frame outlasts whoever has taken it.
//!
//! The joins, their frames and the seats are the real ones; the pool around them is only what they
//! ask it. CONTRIBUTING.md has the command.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use loom::model::Builder;
use loom::thread;

use super::around::seat;
use super::branch::take_offer_of;
use super::join;
use crate::threads::seat::Seat;

/// Runs `owner` on one thread, while another takes up to so many branches from it.
fn beside_a_thief(takes: usize, owner: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(move || {
        let seats: [&'static Seat; 2] = [seat::new(0), seat::new(1)];
        let thief = thread::spawn(move || {
            seat::take(seats[1]);
            for _ in 0..takes {
                take_offer_of(seats[0]);
            }
        });
        seat::take(seats[0]);
        owner();
        thief.join().unwrap();
    });
}

#[test]
fn a_branch_runs_once() {
    beside_a_thief(1, || {
        let runs = AtomicU32::new(0);
        let (first, second) = join(|| 1, || runs.fetch_add(1, SeqCst));
        assert_eq!((first, second, runs.load(SeqCst)), (1, 0, 1));
    });
}

#[test]
fn each_of_two_branches_runs_once() {
    beside_a_thief(2, || {
        let runs = AtomicU32::new(0);
        let run = || runs.fetch_add(1, SeqCst);
        join(|| join(run, run), run);
        assert_eq!(runs.load(SeqCst), 3);
    });
}

#[test]
fn who_waits_helps_with_what_the_thief_offers() {
    beside_a_thief(1, || {
        let runs = AtomicU32::new(0);
        let run = || runs.fetch_add(1, SeqCst);
        join(run, || join(run, run));
        assert_eq!(runs.load(SeqCst), 3);
    });
}

#[test]
fn a_frame_outlasts_its_branch_though_its_owner_panics() {
    beside_a_thief(1, || {
        let runs = AtomicU32::new(0);
        let panics = || -> u32 { panic_any(1) };
        let result = catch_unwind(AssertUnwindSafe(|| join(panics, || runs.fetch_add(1, SeqCst))));
        assert!(result.is_err());
        assert!(runs.load(SeqCst) <= 1);
    });
}
