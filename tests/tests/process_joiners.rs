//! Threads that join take a worker's replies themselves; what others await must not wait for them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use trine::concurrent;

#[concurrent(process)]
fn double(number: u32) -> u32 {
    number * 2
}

/// One worker: everybody's replies come through the same ring, and whoever joins has it in hand
/// for a moment.
#[test]
fn awaited_calls_are_told_however_joins_come_in_between() {
    trine::Config::new().processes(1).apply().unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(double(number).join().unwrap(), number * 2);
                number = (number + 1) % 1000;
            }
        });
        for number in 0..5_000 {
            // Alone, and with others behind it.
            assert_eq!(trine::block_on(double(number)).unwrap(), number * 2);
            let few: Vec<_> = (0..3).map(double).collect();
            assert_eq!(trine::block_on(trine::gather(few)).unwrap(), [0, 2, 4]);
        }
        done.store(true, Ordering::Relaxed);
    });
}
