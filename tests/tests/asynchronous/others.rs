//! Streams, channels and workers with state, wherever they are made and waited for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use futures::StreamExt;
use trine::{Sender, channel, concurrent};

use super::surroundings::{check_refusal, everywhere};

#[concurrent(threads)]
fn yields() -> impl Iterator<Item = u32> {
    0..3
}

#[concurrent(process)]
fn yields_in_a_worker() -> impl Iterator<Item = u32> {
    0..3
}

#[concurrent(async)]
fn yields_on_tokio() -> impl futures::Stream<Item = u32> {
    futures::stream::iter(0..3)
}

struct Keeper;

#[concurrent(threads)]
impl Keeper {
    pub(crate) fn new() -> Self {
        Self
    }
    pub(crate) fn value(&self) -> u32 {
        2
    }
}

struct KeeperOnTokio;

#[concurrent(async)]
impl KeeperOnTokio {
    pub(crate) async fn new() -> Self {
        Self
    }
    pub(crate) async fn value(&self) -> u32 {
        2
    }
}

/// Each returns 2.
type Way = fn() -> u32;

/// Streams and workers with state, and whether they are on the runtime where they are made.
const OTHERS: &[(&str, bool, Way)] = &[
    ("a stream", false, || yields().into_iter().last().unwrap().unwrap()),
    ("a stream of a worker", false, || yields_in_a_worker().into_iter().last().unwrap().unwrap()),
    ("a stream, gathered", false, || yields().gather().join().unwrap()[2]),
    ("an async stream", true, || yields_on_tokio().into_iter().last().unwrap().unwrap()),
    ("an async stream, gathered", true, || yields_on_tokio().gather().join().unwrap()[2]),
    ("a worker with state", false, || KeeperWorker::new().value().join().unwrap()),
    ("an async one", true, || KeeperOnTokioWorker::new().value().join().unwrap()),
    ("an async one of elsewhere", false, || {
        let keeper = thread::spawn(KeeperOnTokioWorker::new).join().unwrap();
        keeper.value().join().unwrap()
    }),
    ("a channel", false, || {
        let (sender, numbers) = channel(1);
        let sends = send(sender);
        let last = numbers.into_iter().last().unwrap().unwrap();
        sends.join().unwrap();
        last
    }),
];

#[concurrent(threads)]
fn send(to: Sender<u32>) {
    (0..3).for_each(|number| to.send(number).unwrap());
}

#[test]
fn blocking_waits_for_streams_and_workers() {
    everywhere(|surrounding| async move {
        for (what, is_here, value) in OTHERS {
            let value = catch_unwind(AssertUnwindSafe(value));
            let is_refused = surrounding.is_alone && *is_here;
            match value {
                Ok(value) => assert!(value == 2 && !is_refused, "{what}: {value}"),
                Err(panic) => check_refusal(&*panic, is_refused, what),
            }
        }
    });
}

#[test]
fn awaiting_streams_and_workers() {
    everywhere(|_| async {
        let (threads, tokio) = (yields().collect::<Vec<_>>(), yields_on_tokio());
        assert_eq!(threads.await.pop().unwrap().unwrap(), 2);
        assert_eq!(tokio.collect::<Vec<_>>().await.pop().unwrap().unwrap(), 2);
        assert_eq!(yields_on_tokio().gather().await.unwrap(), [0, 1, 2]);
        assert_eq!(KeeperWorker::new().value().await.unwrap(), 2);
        assert_eq!(KeeperOnTokioWorker::new().value().await.unwrap(), 2);
    });
}
