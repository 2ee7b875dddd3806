//! Each blocking wait has a wake-up of its own, wherever it is: nested waits, and waits inside
//! polls, never consume each other's.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Barrier, mpsc};
use std::time::Duration;

use trine::{Task, TaskIterator, concurrent, gather, scope};
use trine_tests::checks::ends_in_time;
use trine_tests::programs::alone;

#[concurrent(async)]
async fn nap(milliseconds: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    milliseconds
}

#[concurrent(threads, scoped)]
fn waits(milliseconds: &u64) -> u64 {
    std::thread::sleep(Duration::from_millis(*milliseconds));
    *milliseconds
}

/// Blocks for about this many milliseconds, and returns them.
type Wait = fn(u64) -> u64;

/// The ways to block, each until something happens that takes this long.
const WAITS: &[(&str, Wait)] = &[
    ("join", |long| nap(long).join().unwrap()),
    ("join_timeout", |long| {
        let mut task = nap(long);
        loop {
            match task.join_timeout(Duration::from_millis(1)) {
                Ok(result) => return result.unwrap(),
                Err(still) => task = still,
            }
        }
    }),
    ("block_on", |long| trine::block_on(nap(long)).unwrap()),
    ("gather", |long| gather([nap(long), nap(1)]).join().unwrap()[0]),
    ("buffer_unordered", |long| {
        [long, 1].into_iter().map(nap).buffer_unordered(2).map(Result::unwrap).max().unwrap()
    }),
    ("scope", |long| {
        scope(|s| drop(waits(s, &long)));
        long
    }),
];

/// A future that is pending, and that also waits in another way when it is polled for the first
/// time.
async fn waiting_inside(wait: Wait) -> (u64, u64) {
    let mut outer: Task<u64> = nap(20);
    let mut inner = None;
    poll_fn(|context| {
        let polled = Pin::new(&mut outer).poll(context);
        // By the time this wait ends, the outer task has already been told.
        let inner = *inner.get_or_insert_with(|| wait(60));
        polled.map(|outer| (outer.unwrap(), inner))
    })
    .await
}

#[concurrent(threads)]
async fn on_the_pool(wait: Wait) -> (u64, u64) {
    waiting_inside(wait).await
}

#[test]
fn a_wait_inside_of_a_poll_leaves_the_outer_ones_wake_up() {
    for (name, wait) in WAITS {
        ends_in_time(name, || assert_eq!(trine::block_on(waiting_inside(*wait)), (20, 60)));
        ends_in_time(name, || assert_eq!(on_the_pool(*wait).join().unwrap(), (20, 60)));
    }
}

#[test]
fn waits_are_nested_three_deep() {
    ends_in_time("three deep", || {
        let (mut first, mut second) = (nap(10), nap(20));
        let mut begun = (false, false);
        let sum = trine::block_on(poll_fn(|context| {
            let polled = Pin::new(&mut first).poll(context);
            if !std::mem::replace(&mut begun.0, true) {
                let inner = trine::block_on(poll_fn(|context| {
                    let polled = Pin::new(&mut second).poll(context);
                    if !std::mem::replace(&mut begun.1, true) {
                        assert_eq!(nap(40).join().unwrap(), 40);
                    }
                    polled
                }));
                assert_eq!(inner.unwrap(), 20);
            }
            polled
        }));
        assert_eq!(sum.unwrap(), 10);
    });
}

#[test]
fn a_thread_that_ends_may_still_wait() {
    struct JoinsAtTheEnd(mpsc::Sender<u64>);
    impl Drop for JoinsAtTheEnd {
        fn drop(&mut self) {
            self.0.send(nap(1).join().unwrap()).unwrap();
        }
    }
    thread_local! {
        static LAST: std::cell::RefCell<Option<JoinsAtTheEnd>> = const {
            std::cell::RefCell::new(None)
        };
    }
    let (sender, receiver) = mpsc::channel();
    ends_in_time("thread-local destructor", move || {
        std::thread::spawn(|| {
            LAST.set(Some(JoinsAtTheEnd(sender)));
            nap(1).join().unwrap();
        })
        .join()
        .unwrap();
    });
    assert_eq!(receiver.recv().unwrap(), 1);
}

#[concurrent(threads)]
fn quick(number: u32) -> u32 {
    number
}

/// A thread outside the pool computes in a join, so it has a permit there, and may wait for a call.
#[test]
fn whoever_joins_outside_the_pool_may_wait_for_it() {
    alone(whoever_joins_outside_the_pool_may_wait_for_it, &[("TRINE_THREADS", "2")], || {
        for _ in 0..50 {
            ends_in_time("joins that wait", || {
                let all_are_inside = Barrier::new(4);
                std::thread::scope(|s| {
                    for _ in 0..4 {
                        s.spawn(|| {
                            let waits = || {
                                all_are_inside.wait();
                                trine::block_on(quick(7)).unwrap()
                            };
                            assert_eq!(trine::join(waits, || 8), (7, 8));
                        });
                    }
                });
            });
        }
    });
}
