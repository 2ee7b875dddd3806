//! The option `renew`, and warming up: workers come and go while calls run.

use std::collections::HashMap;
#[cfg(unix)]
use std::process::Command;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use trine::{Task, concurrent};
use trine_tests::process::double;
use trine_tests::programs::{alone, alone_with_each};
#[cfg(unix)]
use trine_tests::system::is_emulated;
use trine_tests::system::{bounds_memory, children};

/// A hang is a failure.
pub(crate) const TOO_LONG: Duration = Duration::from_secs(60);

#[concurrent(process, renew = 10)]
pub(crate) fn after_ten() -> u32 {
    std::process::id()
}

#[concurrent(process, renew = 10, memory = 256MiB)]
pub(crate) fn after_ten_with_a_limit() -> u32 {
    std::process::id()
}

#[concurrent(process, renew = 10, fresh)]
pub(crate) fn fresh_anyway() -> u32 {
    std::process::id()
}

#[concurrent(process, renew = 10)]
fn yields() -> impl Iterator<Item = u32> {
    std::iter::repeat_n(std::process::id(), 20)
}

/// Who yielded all of its items.
pub(crate) fn after_ten_streams() -> Task<u32> {
    yields().gather().map(|all| {
        assert!(all.len() == 20 && all.iter().all(|id| *id == all[0]), "{all:?}");
        all[0]
    })
}

#[concurrent(process, renew = 64MiB)]
fn beyond(leak: usize) -> u32 {
    static LEAKED: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
    LEAKED.lock().unwrap().push(vec![1; leak]);
    std::process::id()
}

/// Leaves a child that is dead, since nobody waits for it.
#[cfg(unix)]
#[concurrent(process)]
#[expect(clippy::zombie_processes, reason = "that is the point")]
fn leaves_a_child() -> u32 {
    Command::new("true").spawn().unwrap();
    std::process::id()
}

/// Leaves a child of a child, which the worker adopts.
#[cfg(unix)]
#[concurrent(process)]
fn leaves_an_orphan() -> u32 {
    Command::new("sh").args(["-c", "true &"]).status().unwrap();
    std::process::id()
}

pub(crate) type Call = fn() -> Task<u32>;
pub(crate) type Way = (&'static str, fn(Call) -> Vec<u32>);

pub(crate) const WAYS: &[Way] = &[
    ("joined", |call| vec![call().join().unwrap()]),
    ("awaited", |call| vec![trine::block_on(call()).unwrap()]),
    ("in flight", |call| {
        let tasks: Vec<_> = (0..50).map(|_| call()).collect();
        tasks.into_iter().map(|task| task.join().unwrap()).collect()
    }),
];

/// Calls until this many different workers have answered; none of the calls fails.
fn until_replaced(call: Call, way: &Way, workers: usize) -> HashMap<u32, usize> {
    let since = Instant::now();
    let mut answered = HashMap::new();
    while answered.len() < workers {
        assert!(since.elapsed() < TOO_LONG, "{}: the worker stays: {answered:?}", way.0);
        (way.1)(call).into_iter().for_each(|id| *answered.entry(id).or_default() += 1);
    }
    answered
}

#[test]
fn a_worker_is_replaced_and_no_call_fails() {
    alone_with_each(a_worker_is_replaced_and_no_call_fails, "TRINE_PROCESSES", &["1", "2"], || {
        for way in WAYS {
            let answered = until_replaced(after_ten, way, 6);
            // No worker goes before its time; the last of them may have only just begun.
            let early = answered.values().filter(|count| **count < 10).count();
            assert!(early <= 2, "{}: {answered:?}", way.0);
            until_replaced(after_ten_with_a_limit, way, 4);
            until_replaced(after_ten_streams, way, 4);
            until_replaced(fresh_anyway, way, 4);
            until_replaced(|| beyond(8 << 20), way, 5);
            // Elsewhere the dead leave nothing behind, or cannot be counted.
            #[cfg(unix)]
            if cfg!(not(trine_platform = "unix")) {
                until_replaced(leaves_a_child, way, 3);
                if !is_emulated() {
                    until_replaced(leaves_an_orphan, way, 3);
                }
            }
        }
    });
}

const LIMIT: usize = 64 << 20;

/// Needs some memory, and leaves some behind.
fn keep(leak: usize, needs: usize) -> u32 {
    std::hint::black_box(Vec::<u8>::with_capacity(needs));
    std::mem::forget(std::hint::black_box(Vec::<u8>::with_capacity(leak)));
    std::process::id()
}

#[concurrent(process, memory = 64MiB)]
fn leaks(leak: usize, needs: usize) -> u32 {
    keep(leak, needs)
}

#[concurrent(process, memory = 64MiB, timeout = 1min)]
fn leaks_in_time(leak: usize, needs: usize) -> u32 {
    keep(leak, needs)
}

#[concurrent(process, memory = 64MiB)]
fn leaks_and_yields(leak: usize, needs: usize) -> impl Iterator<Item = u32> {
    std::iter::once_with(move || keep(leak, needs))
}

/// A call that leaves so much behind, and needs so much.
type Leaking = fn(usize, usize) -> Task<u32>;

const LEAKS: &[(&str, Leaking)] = &[
    ("call", leaks),
    ("timeout", leaks_in_time),
    ("stream", |leak, needs| leaks_and_yields(leak, needs).gather().map(|all| all[0])),
];

/// What other calls have left behind is nobody's fault.
#[test]
fn a_call_is_not_blamed_for_what_others_left_behind() {
    let test = a_call_is_not_blamed_for_what_others_left_behind;
    alone_with_each(test, "TRINE_PROCESSES", &["1", "2"], || {
        for (name, call) in LEAKS {
            for (leak, needs) in [(1 << 20, 0), (10 << 20, 50 << 20), (40 << 20, 60 << 20)] {
                let all = |tasks: Vec<Task<u32>>| {
                    for task in tasks {
                        let ended = task.join_timeout(TOO_LONG);
                        let ended = ended.unwrap_or_else(|_| panic!("{name}: it hangs"));
                        ended.unwrap_or_else(|error| panic!("{name}, {leak}, {needs}: {error}"));
                    }
                };
                let calls = 4 * LIMIT / leak;
                (0..calls).for_each(|_| all(vec![call(leak, needs)]));
                all((0..calls).map(|_| call(leak, needs)).collect());
            }
            if bounds_memory() {
                let error = call(0, 2 * LIMIT).join().unwrap_err();
                assert!(error.is_memory_limit(), "{name}: {error}");
            }
        }
    });
}

/// What the first call made is no leak, and what a call has freed is none either.
#[test]
fn a_worker_stays_whose_calls_leave_nothing_behind() {
    #[concurrent(process, memory = 64MiB)]
    fn uses_statics(needs: usize) -> u32 {
        static TABLE: LazyLock<Vec<u8>> = LazyLock::new(|| vec![1; 40 << 20]);
        let value = TABLE[0];
        // In pieces, which an allocator does not give back.
        let pieces: Vec<_> = (0..needs >> 10).map(|_| vec![value; 1 << 10]).collect();
        std::hint::black_box(pieces);
        std::process::id()
    }

    let test = a_worker_stays_whose_calls_leave_nothing_behind;
    alone(test, &[("TRINE_PROCESSES", "1")], || {
        let first = uses_statics(0).join().unwrap();
        for _ in 0..10 {
            assert_eq!(uses_statics(40 << 20).join().unwrap(), first);
        }
        if bounds_memory() {
            let error = uses_statics(64 << 20).join().unwrap_err();
            assert!(error.is_memory_limit(), "{error}");
        }
    });
}

#[test]
fn warming_up_starts_all_workers_before_the_first_call() {
    let test = warming_up_starts_all_workers_before_the_first_call;
    alone(test, &[("TRINE_PROCESSES", "3")], || {
        assert_eq!(children(), 0);
        trine::process::warm_up();
        let since = Instant::now();
        while children() < 3 {
            assert!(since.elapsed() < TOO_LONG, "there are only {}", children());
            std::thread::yield_now();
        }
        trine::process::warm_up();
        assert_eq!(double(4).join().unwrap(), 8);
        assert_eq!(children(), 3);
    });
}
