//! A joining thread sleeps on a word of its worker's memory, which reaches it there: the worker can
//! take the wake-ups that are for the joiner, move it to another word, or wake it again and again.

use serde::{Deserialize, Serialize};
use trine::concurrent;
use trine_tests::checks::ends_in_time;

use super::{Others, raw};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Trick {
    /// Nobody who wakes the word reaches the joiner.
    Moves,
    /// The same, and it looks as if somebody had been woken.
    MovesAndTakesWakes,
    TakesWakes,
    WakesForNothing,
}

const TRICKS: &[Trick] =
    &[Trick::Moves, Trick::MovesAndTakesWakes, Trick::TakesWakes, Trick::WakesForNothing];

/// Without a time limit, so that its joiner sleeps there; and it dies, of which the joiner has to
/// hear.
#[concurrent(process)]
fn trick(trick: Trick) {
    let take = || {
        (0..4).for_each(|_| {
            std::thread::spawn(|| {
                loop {
                    raw::take_a_wake();
                }
            });
        });
    };
    let move_it = || while raw::move_sleepers() == 0 {};
    match trick {
        Trick::Moves => move_it(),
        Trick::MovesAndTakesWakes => {
            move_it();
            take();
        }
        Trick::TakesWakes => take(),
        Trick::WakesForNothing => (0..10_000).for_each(|_| raw::wake()),
    }
    std::process::abort();
}

#[test]
fn a_joiner_hears_of_the_end_wherever_it_sleeps() {
    for &how in TRICKS {
        let what = format!("{how:?}");
        println!("{what}");
        ends_in_time(&what, || {
            let tricked = trick(how);
            let others = Others::call();
            let error = tricked.join().unwrap_err();
            assert!(error.is_crash(), "{what}: {error}");
            others.check(&what);
        });
    }
}
