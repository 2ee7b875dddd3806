//! However slow a reader is, only so much waits for it.

use std::time::Duration;

use trine_tests::programs::alone;
use trine_tests::system::peak;

use crate::functions::MODES;

/// A gigabyte comes from each body, of which the reader takes the smallest part.
#[test]
fn a_slow_reader_does_not_fill_the_memory() {
    alone(a_slow_reader_does_not_fill_the_memory, &[], || {
        for mode in MODES {
            // Each is 20 kB long.
            let mut stream = (mode.long)(50_000, 20_000);
            let before = peak();
            for item in (&mut stream).into_iter().take(100) {
                assert!(item.unwrap().len() >= 20_000, "{}", mode.name);
                std::thread::sleep(Duration::from_millis(2));
            }
            // The kernel counts it roughly.
            let grown = peak().saturating_sub(before);
            println!("{}: {grown} bytes more", mode.name);
            assert!(grown < 32 << 20, "{}: {grown} bytes more", mode.name);
        }
    });
}
