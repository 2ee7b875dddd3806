//! Threads that join take a worker's replies themselves; what others await must not wait for them.

use std::sync::Barrier;
use std::thread;

use trine::concurrent;

#[concurrent(process)]
fn double(number: u32) -> u32 {
    (0..number % 7).for_each(|_| thread::yield_now());
    number * 2
}

/// One worker: both replies come through the same ring, and nobody else comes by who would take
/// what is left there.
#[test]
fn an_awaited_call_is_told_when_a_join_comes_in_between() {
    trine::Config::new().processes(1).apply().unwrap();
    let round = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..20_000 {
                round.wait();
                assert_eq!(double(number).join().unwrap(), number * 2);
            }
        });
        for number in 0..20_000 {
            round.wait();
            (0..number % 5).for_each(|_| thread::yield_now());
            assert_eq!(trine::block_on(double(number)).unwrap(), number * 2);
        }
    });
}
