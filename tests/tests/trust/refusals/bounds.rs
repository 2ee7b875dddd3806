//! How many threads there may be, and how large their stacks.

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use trine::{Config, ErrorKind, concurrent, gather};
use trine_tests::checks::part;

use super::calls::{WAYS, first, plain, with_retries};
use super::{limits, watch};

/// So many calls, all of which wait for each other.
pub(crate) fn barrier() {
    meet(700);
}

pub(crate) fn deep() {
    Config::new().thread_stack(1 << 30).thread_name("deep").apply().unwrap();
    let awaited = futures::executor::block_on(descend_and_name(50_000)).unwrap();
    // Whoever joins has less, and so does not run it.
    let joined = descend_and_name(50_000).join().unwrap();
    // Nor when it has asked for room for something else meanwhile.
    for _ in 0..20 {
        assert_eq!(descend_and_name(1).join().unwrap(), joined);
    }
    println!("on {awaited} and {joined}");
}

#[concurrent(threads)]
fn overflow() -> u64 {
    down(0)
}

fn down(levels: u64) -> u64 {
    let room = std::hint::black_box([levels; 64]);
    if levels == u64::MAX { 0 } else { down(levels + 1) + room[3] }
}

/// Ends with the program.
pub(crate) fn too_deep() {
    Config::new().thread_stack(1 << 20).apply().unwrap();
    // Awaited, so that the joiner does not run it.
    let _ = futures::executor::block_on(overflow());
}

/// The last words name the thread, and the setting; on another thread, or at another fault, not
/// the setting.
pub(crate) fn said_of_overflows() {
    for (name, is_ours) in [("too-deep", true), ("too-deep-elsewhere", false), ("null", false)] {
        let mut part = part(name);
        let output = part.stderr(Stdio::piped()).output().unwrap();
        assert!(!output.status.success(), "{name}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.contains("Config::thread_stack"), is_ours, "{name}: {said}");
        assert_eq!(said.contains("has overflowed its stack"), name != "null", "{name}: {said}");
        assert_eq!(said.contains("'trine-worker'"), is_ours, "{name}: {said}");
    }
}

pub(crate) fn too_deep_elsewhere() {
    // The pool is there, and so is the handler.
    futures::executor::block_on(plain()).unwrap();
    println!("{}", down(0));
}

#[concurrent(threads)]
fn reads_nothing() -> u8 {
    // SAFETY: none, on purpose.
    unsafe { std::ptr::without_provenance::<u8>(8).read_volatile() }
}

pub(crate) fn null() {
    let _ = futures::executor::block_on(reads_nothing());
}

pub(crate) fn no_stack() {
    watch();
    Config::new().thread_stack(usize::MAX / 2).apply().unwrap();
    for (name, wait) in WAYS {
        for result in [plain, with_retries, first].map(|call| wait(name, call)) {
            let is_told = result.as_ref().err().is_none_or(|error| {
                matches!(error.kind(), ErrorKind::Worker { .. }) || error.is_timeout()
            });
            assert!(is_told, "{name}: {result:?}");
        }
    }
    println!("all ended");
}

#[concurrent(threads)]
fn arrive(barrier: Arc<Barrier>) {
    barrier.wait();
}

fn meet(count: usize) {
    watch();
    let barrier = Arc::new(Barrier::new(count));
    gather((0..count).map(|_| arrive(Arc::clone(&barrier)))).join().unwrap();
    println!("{count} met");
}

#[concurrent(threads)]
fn descend(levels: u32) -> u32 {
    if levels == 0 { 0 } else { descend(levels - 1).join().unwrap() + 1 }
}

#[concurrent(threads)]
fn descend_and_name(levels: u32) -> String {
    assert_eq!(descend(levels).join().unwrap(), levels);
    thread::current().name().unwrap().to_owned()
}

/// Threads outside the pool are in a join, and so have all permits, before there is any worker.
pub(crate) fn all_permits_elsewhere() {
    watch();
    let both_are_inside = Barrier::new(2);
    let may_begin = Barrier::new(3);
    thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                may_begin.wait();
                let waits = || {
                    both_are_inside.wait();
                    futures::executor::block_on(plain())
                };
                let (result, other) = trine::join(waits, || 8);
                let is_told = |error: trine::Error| error.to_string().contains("another thread");
                assert!(result.map_or_else(is_told, |value| value == 7) && other == 8);
            });
        }
        let refused = limits::threads();
        may_begin.wait();
        match refused {
            Ok(()) => println!("all ended"),
            Err(why) => println!("skipped: {why}"),
        }
    });
}

static AT_ONCE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// Until as many are there as may be.
#[concurrent(threads)]
fn stay_a_while(barrier: Arc<Barrier>) {
    let now = AT_ONCE.fetch_add(1, Ordering::SeqCst) + 1;
    MOST.fetch_max(now, Ordering::SeqCst);
    barrier.wait();
    AT_ONCE.fetch_sub(1, Ordering::SeqCst);
}

pub(crate) fn bounded() {
    Config::new().threads(2).max_threads(4).apply().unwrap();
    watch();
    let barrier = Arc::new(Barrier::new(4));
    let calls: Vec<_> = (0..200).map(|_| stay_a_while(Arc::clone(&barrier))).collect();
    for call in calls {
        // Awaited, so that the joiner does not run it.
        futures::executor::block_on(call).unwrap();
    }
    println!("{} at once", MOST.load(Ordering::SeqCst));
}

#[concurrent(async)]
async fn on_tokio() -> u32 {
    7
}

/// A refusal holds for the calls that are made meanwhile.
pub(crate) fn refused_for_a_while() {
    watch();
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: plain system calls.
    let few = unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut old), 0);
        let few = libc::rlimit { rlim_cur: 3, ..old };
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const few), 0);
        few
    };
    for _ in 0..3 {
        let error = on_tokio().join().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Worker { .. }), "{error}");
    }
    assert!(few.rlim_cur < old.rlim_cur);
    // SAFETY: as above.
    unsafe { assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const old), 0) };
    println!("{}", on_tokio().join().unwrap());
}
