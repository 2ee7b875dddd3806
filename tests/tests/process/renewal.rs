//! The option `renew`, and warming up: workers come and go while calls run.

use std::collections::{BTreeSet, HashMap};
use std::process::Command;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use trine::{Task, concurrent};
use trine_tests::checks;
use trine_tests::process::double;
use trine_tests::programs::{alone, alone_with_each};

/// A hang is a failure.
const TOO_LONG: Duration = Duration::from_secs(60);

#[concurrent(process, renew = 10)]
fn after_ten() -> u32 {
    std::process::id()
}

#[concurrent(process, renew = 10, memory = 256MiB)]
fn after_ten_with_a_limit() -> u32 {
    std::process::id()
}

#[concurrent(process, renew = 10, fresh)]
fn fresh_anyway() -> u32 {
    std::process::id()
}

#[concurrent(process, renew = 10)]
fn yields() -> impl Iterator<Item = u32> {
    std::iter::repeat_n(std::process::id(), 20)
}

/// Who yielded all of its items.
fn after_ten_streams() -> Task<u32> {
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
#[concurrent(process)]
#[expect(clippy::zombie_processes, reason = "that is the point")]
fn leaves_a_child() -> u32 {
    Command::new("true").spawn().unwrap();
    std::process::id()
}

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
fn computes(for_long: bool) -> u32 {
    let now = || {
        // SAFETY: a record to fill in.
        let time = unsafe {
            let mut time: libc::timespec = std::mem::zeroed();
            libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time);
            time
        };
        Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned() as u32)
    };
    let until = now() + Duration::from_millis(250);
    while for_long || now() < until {}
    std::process::id()
}

/// Leaves a child of a child, which the worker adopts.
#[concurrent(process)]
fn leaves_an_orphan() -> u32 {
    Command::new("sh").args(["-c", "true &"]).status().unwrap();
    std::process::id()
}

type Call = fn() -> Task<u32>;
type Way = (&'static str, fn(Call) -> Vec<u32>);

const WAYS: &[Way] = &[
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
            // The others cannot count them.
            if cfg!(not(trine_platform = "unix")) {
                until_replaced(leaves_a_child, way, 3);
                until_replaced(leaves_an_orphan, way, 3);
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
            let error = call(0, 2 * LIMIT).join().unwrap_err();
            assert!(error.is_memory_limit(), "{name}: {error}");
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
        let error = uses_statics(64 << 20).join().unwrap_err();
        assert!(error.is_memory_limit(), "{error}");
    });
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
            computes(false).join().unwrap_or_else(|error| panic!("the {number}th: {error}"));
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
        let error = computes(true).join().unwrap_err();
        assert!(error.is_crash(), "{error}");
        assert!(error.to_string().contains("SIGXCPU, the limit of processor time"), "{error}");
    });
}

/// What a program may have no more of, so that no worker can be started.
const REFUSED: &[(&str, libc::__rlimit_resource_t, libc::rlim_t)] =
    &[("files", libc::RLIMIT_NOFILE, 4), ("file sizes", libc::RLIMIT_FSIZE, 4096)];

fn limited(resource: libc::__rlimit_resource_t, most: libc::rlim_t) -> libc::rlimit {
    // SAFETY: a record to fill in, and then a valid limit.
    unsafe {
        let mut before = std::mem::zeroed();
        assert_eq!(libc::getrlimit(resource, &raw mut before), 0);
        let now = libc::rlimit { rlim_cur: most, ..before };
        assert_eq!(libc::setrlimit(resource, &raw const now), 0);
        before
    }
}

#[test]
fn a_worker_goes_on_whose_replacement_does_not_start() {
    for processes in ["1", "2"] {
        let test = a_worker_goes_on_whose_replacement_does_not_start;
        alone(test, &[("TRINE_PROCESSES", processes)], || {
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
}

fn until_gone(call: Call, worker: u32, what: &str) {
    let since = Instant::now();
    while checks::is_alive(worker.cast_signed()) {
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

fn children() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let of = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children"));
    tasks.filter_map(|task| of(task).ok()).map(|of| of.split_whitespace().count()).sum()
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
