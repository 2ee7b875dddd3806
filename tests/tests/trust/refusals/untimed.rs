//! The system refuses the thread that keeps deadlines and pauses, when all others are there: who
//! waits keeps the time, whatever it waits for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::executor::block_on;
use trine::{Error, channel, concurrent, drain, gather};
use trine_tests::checks::wait_until;
use trine_tests::process::{EXECUTES, anyone_may_execute};

use super::calls::{Call, Wait, Whole, asynchronous, plain};
use super::{WAYS, limits, watch};

static TRIES: AtomicUsize = AtomicUsize::new(0);

#[concurrent(threads, retries = 2, backoff = 5ms)]
fn fails() -> Result<(), ()> {
    TRIES.fetch_add(1, Ordering::SeqCst);
    Err(())
}

pub(crate) fn drains() {
    watch();
    assert_eq!(gather((0..8).map(|_| plain())).join().unwrap(), [7; 8]);
    if let Err(why) = limits::threads() {
        return println!("skipped: {why}");
    }
    fails().detach();
    // Before the pause that is to be waited for.
    assert!(drain(Duration::from_secs(50)));
    assert_eq!(TRIES.load(Ordering::SeqCst), 3);
    println!("all ended");
}

#[concurrent(threads, timeout = 50ms)]
fn never() -> u32 {
    wait_until(trine::cancelled);
    7
}

#[concurrent(async, timeout = 50ms)]
async fn pending() -> u32 {
    std::future::pending().await
}

#[concurrent(threads, timeout = 50ms)]
fn no_items() -> impl Iterator<Item = u32> {
    std::iter::from_fn(|| {
        wait_until(trine::cancelled);
        None
    })
}

#[concurrent(async, timeout = 50ms)]
fn no_polled_items() -> impl futures::Stream<Item = u32> {
    futures::stream::pending()
}

const HANGS: &[(&str, Call)] = &[
    ("threads", never),
    ("async", pending),
    ("stream", || no_items().gather().map(|items| items[0])),
    ("async stream", || no_polled_items().gather().map(|items| items[0])),
];

/// Streams, as they are read.
const READ: &[(&str, Whole)] = &[
    ("iterated", || no_items().into_iter().next().unwrap()),
    ("awaited", || block_on(no_items().next()).unwrap()),
    ("polled, iterated", || no_polled_items().into_iter().next().unwrap()),
    ("polled, awaited", || block_on(no_polled_items().next()).unwrap()),
    ("a full channel", || {
        let (sender, stream) = channel(1);
        sender.send(1).unwrap();
        // Who reads makes room, after a pause that this one here keeps.
        let reads = fails().outcome().map(move |_| drop(stream));
        let result = block_on(sender.send_async(2));
        assert!(result.is_err());
        reads.detach();
        block_on(pending())
    }),
];

/// Each is told at its deadline, however it is awaited.
pub(crate) fn deadlines() {
    watch();
    let way = std::env::args().nth(2).unwrap();
    assert_eq!(gather((0..8).map(|_| plain())).join().unwrap(), [7; 8]);
    assert_eq!(asynchronous().join().unwrap(), 7);
    if let Err(why) = limits::threads() {
        return println!("skipped: {why}");
    }
    let expect = |name: &str, result: Result<u32, Error>| {
        let error = result.unwrap_err();
        assert!(error.is_timeout(), "{name}: {error}");
    };
    match WAYS.iter().find(|(name, _)| *name == way) {
        Some((_, wait)) => HANGS.iter().for_each(|(name, call)| expect(name, wait(name, *call))),
        None => READ.iter().for_each(|(name, read)| expect(name, read())),
    }
    println!("all ended");
}

#[concurrent(process)]
fn crosses() -> u32 {
    7
}

#[concurrent(process, timeout = 100ms)]
fn hangs() -> u32 {
    crosses_or_hangs_here(true)
}

#[concurrent(process)]
fn crosses_or_hangs(does_hang: bool) -> u32 {
    crosses_or_hangs_here(does_hang)
}

fn crosses_or_hangs_here(does_hang: bool) -> u32 {
    if does_hang {
        loop {
            std::thread::park();
        }
    }
    7
}

/// The deadline of the one before ends its worker; no other can be started.
pub(crate) fn calls_behind_one_that_hangs() {
    watch();
    let way = std::env::args().nth(2).unwrap();
    let wait: Wait = WAYS.iter().find(|(name, _)| *name == way).unwrap().1;
    if !anyone_may_execute() {
        return println!("skipped: its file is not for everybody");
    }
    // A worker with other rights would get no more calls.
    limits::become_nobody_else();
    assert_eq!(crosses().join().unwrap(), 7);
    if let Err(why) = limits::threads() {
        return println!("skipped: {why}");
    }
    // This one waits in the same worker.
    crosses_or_hangs(true).timeout(Duration::from_millis(100)).detach();
    for call in [|| crosses_or_hangs(false), crosses, hangs] {
        match wait("behind one that hangs", call) {
            // On a slow machine its time may be over before it begins, and the worker lives on.
            Ok(value) => assert_eq!(value, 7),
            Err(error) => {
                let is_told = error.to_string().contains(&format!("could not start: {EXECUTES}"));
                assert!(is_told || error.is_timeout(), "{error}");
            }
        }
    }
    println!("all ended");
}
