//! Workers that run out of what the system bounds, or are to be replaced where it refuses what
//! another one needs.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use trine::{Task, concurrent};
use trine_tests::limits::{Resource, compute, limited};
use trine_tests::programs::{alone, alone_with_each};
use trine_tests::system::is_alive;

use crate::renewal::{
    Call, TOO_LONG, WAYS, after_ten, after_ten_streams, after_ten_with_a_limit, fresh_anyway,
};

/// Leaves a file open.
#[concurrent(process)]
fn leaves_a_file() -> u32 {
    std::mem::forget(std::fs::File::open("/dev/null").unwrap());
    std::process::id()
}

#[concurrent(process)]
fn closes_its_input() -> u32 {
    // SAFETY: nothing here owns it.
    unsafe { libc::close(0) };
    std::process::id()
}

#[concurrent(process)]
fn computes(long: Duration) -> u32 {
    compute(long);
    std::process::id()
}

#[concurrent(process, renew = 64MiB)]
fn grows_once() -> u32 {
    static GROWN: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    GROWN.lock().unwrap().resize(100 << 20, 1);
    std::process::id()
}

#[test]
fn a_call_is_not_blamed_for_what_earlier_ones_have_used_up() {
    let test = a_call_is_not_blamed_for_what_earlier_ones_have_used_up;
    alone(test, &[("TRINE_PROCESSES", "1")], || {
        limited(libc::RLIMIT_NOFILE, 256);
        for number in 0..600 {
            leaves_a_file().join().unwrap_or_else(|error| panic!("the {number}th: {error}"));
        }
        limited(libc::RLIMIT_CPU, 2);
        trine::process::warm_up();
        // The one that there is has no limit.
        for number in 0..600 {
            leaves_a_file().join().unwrap_or_else(|error| panic!("the {number}th: {error}"));
        }
        for number in 0..10 {
            computes(Duration::from_millis(250))
                .join()
                .unwrap_or_else(|error| panic!("the {number}th: {error}"));
        }
    });
}

/// The number of the next file is learned from its input.
#[test]
fn a_worker_without_an_input_serves_on() {
    alone(a_worker_without_an_input_serves_on, &[("TRINE_PROCESSES", "1")], || {
        let first = closes_its_input().join().unwrap();
        for _ in 0..200 {
            assert_eq!(closes_its_input().join().unwrap(), first);
        }
    });
}

/// The signal is named, also where the system would kill without one.
#[test]
fn a_call_that_computes_for_too_long_is_told_why_it_ended() {
    alone(a_call_that_computes_for_too_long_is_told_why_it_ended, &[], || {
        let limit = libc::rlimit { rlim_cur: 2, rlim_max: 2 };
        // SAFETY: a valid limit.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_CPU, &raw const limit) }, 0);
        let error = computes(TOO_LONG).join().unwrap_err();
        assert!(error.is_crash(), "{error}");
        assert!(error.to_string().contains("SIGXCPU, the limit of processor time"), "{error}");
    });
}

/// What a program may have no more of, so that no worker can be started.
const REFUSED: &[(&str, Resource, libc::rlim_t)] =
    &[("files", libc::RLIMIT_NOFILE, 4), ("file sizes", libc::RLIMIT_FSIZE, 4096)];

#[test]
fn a_worker_goes_on_whose_replacement_does_not_start() {
    let test = a_worker_goes_on_whose_replacement_does_not_start;
    alone_with_each(test, "TRINE_PROCESSES", &["1", "2"], || {
        let processes: usize = std::env::var("TRINE_PROCESSES").unwrap().parse().unwrap();
        trine::process::warm_up();
        for (what, resource, most) in REFUSED {
            let calls = [after_ten as Call, grows_once, after_ten_with_a_limit];
            for call in calls {
                call().join().unwrap();
                let before = limited(*resource, *most);
                let answered = WAYS.iter().cycle().take(12).flat_map(|way| (way.1)(call));
                let workers: BTreeSet<_> = answered.collect();
                limited(*resource, before.rlim_cur);
                // A replacement may have been on its way already.
                assert!(workers.len() <= 2 * processes, "{what}: {workers:?}");
                // Once there is room, they are replaced.
                until_gone(call, *workers.first().unwrap(), what);
            }
        }
    });
}

fn until_gone(call: Call, worker: u32, what: &str) {
    let since = Instant::now();
    while is_alive(worker.cast_signed()) {
        assert!(since.elapsed() < TOO_LONG, "{what}: the worker stays");
        call().join().unwrap();
    }
}

/// Those that yield have as many workers as there are streams, as long as there can be any.
#[test]
fn a_stream_that_finds_no_worker_says_so_or_waits() {
    alone(a_stream_that_finds_no_worker_says_so_or_waits, &[], || {
        let first = after_ten_streams().join().unwrap();
        for (what, resource, most) in REFUSED {
            let before = limited(*resource, *most);
            // The worker that there is has one after the other, beyond its ten.
            let tasks: Vec<_> = (0..30).map(|_| after_ten_streams()).collect();
            let ended = |task: Task<u32>| {
                let ended = task.join_timeout(TOO_LONG);
                ended.unwrap_or_else(|_| panic!("{what}: it hangs")).is_ok()
            };
            let served = tasks.into_iter().filter_map(|task| ended(task).then_some(())).count();
            let fresh = fresh_anyway().join_timeout(TOO_LONG);
            assert!(fresh.unwrap_or_else(|_| panic!("{what}: it hangs")).is_err());
            limited(*resource, before.rlim_cur);
            assert!(served > 0, "{what}");
            assert!(fresh_anyway().join().is_ok(), "{what}");
            until_gone(after_ten_streams, first, what);
        }
    });
}
