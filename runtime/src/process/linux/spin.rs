//! A short look before a sleep: most answers take less time than going to sleep does.

use std::hint::spin_loop;
use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::thread;

/// Looks for some microseconds whether it is done. On a single core it only lets others run.
pub(super) fn until(done: impl Fn() -> bool) -> bool {
    static CORES: OnceLock<usize> = OnceLock::new();
    let cores = CORES.get_or_init(|| thread::available_parallelism().map_or(1, NonZeroUsize::get));
    if *cores > 1 {
        for _ in 0..200 {
            if done() {
                return true;
            }
            spin_loop();
        }
    }
    for _ in 0..8 {
        if done() {
            return true;
        }
        thread::yield_now();
    }
    done()
}
