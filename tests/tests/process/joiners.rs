//! Threads that join take a worker's replies themselves; tasks that others await must not have to
//! wait for them.

use std::sync::Barrier;
use std::thread;

use trine::concurrent;
use trine_tests::programs::alone;

#[concurrent(process)]
fn slowly_double(number: u32) -> u32 {
    (0..number % 7).for_each(|_| thread::yield_now());
    number * 2
}

/// One worker: all replies come through the same ring, and nobody else comes by to take what is
/// left there.
#[test]
fn an_awaited_call_is_told_when_joins_come_in_between() {
    let test = an_awaited_call_is_told_when_joins_come_in_between;
    alone(test, &[("TRINE_PROCESSES", "1")], || {
        rounds(1, 20_000);
        rounds(2, 20_000);
    });
}

/// In each round this many threads join a call, while this thread awaits another.
fn rounds(joiners: usize, count: u32) {
    let round = &Barrier::new(joiners + 1);
    thread::scope(|scope| {
        for joiner in 0..joiners as u32 {
            scope.spawn(move || {
                for number in 0..count {
                    round.wait();
                    (0..number % 3 * joiner).for_each(|_| thread::yield_now());
                    assert_eq!(slowly_double(number).join().unwrap(), number * 2);
                }
            });
        }
        for number in 0..count {
            round.wait();
            (0..number % 5).for_each(|_| thread::yield_now());
            assert_eq!(trine::block_on(slowly_double(number)).unwrap(), number * 2);
        }
    });
}
