//! Calls of every kind, and the ways to wait for one.

use std::pin::Pin;
use std::time::Duration;

use futures::StreamExt;
use futures::executor::block_on;
use futures::stream;
use trine::{Error, Sender, Task, TaskIterator, TaskSet, channel, concurrent, gather, race, scope};
use trine_tests::checks::wait_until;

use super::WATCHDOG;

/// How a call is made, and how it is awaited.
pub(crate) type Call = fn() -> Task<u32>;
pub(crate) type Wait = fn(&'static str, Call) -> Result<u32, Error>;

pub(crate) const WAYS: &[(&str, Wait)] = &[
    ("join", |_, call| call().join()),
    ("await", |_, call| block_on(call())),
    ("poll", |_, call| {
        let mut task = call();
        block_on(futures::future::poll_fn(|context| Pin::new(&mut task).poll(context)))
    }),
    ("join_timeout", |name, call| {
        let waited = call().join_timeout(Duration::from_secs(u64::from(WATCHDOG)));
        waited.unwrap_or_else(|_| panic!("{name} did not end"))
    }),
    ("timeout", |_, call| call().timeout(Duration::from_millis(5)).join()),
    ("timeout_await", |_, call| block_on(call().timeout(Duration::from_millis(5)))),
    ("gather", |_, call| gather((0..3).map(|_| call())).join().map(|values| values[0])),
    ("gather_await", |_, call| block_on(gather((0..3).map(|_| call()))).map(|values| values[0])),
    ("map", |_, call| call().map(|value| value).join()),
    ("map_await", |_, call| block_on(call().map(|value| value))),
    ("then", |_, call| call().then(move |_| call()).join()),
    ("then_await", |_, call| block_on(call().then(move |_| call()))),
    ("outcome", |_, call| call().outcome().join()?),
    ("outcome_await", |_, call| block_on(call().outcome())?),
    ("race", |_, call| race([call(), call()]).join()),
    ("race_await", |_, call| block_on(race([call(), call()]))),
    ("buffered", |_, call| (0..3).map(|_| call()).buffered(2).last().unwrap()),
    ("buffered_await", |_, call| {
        block_on((0..3).map(|_| call()).buffered(2).into_stream().next()).unwrap()
    }),
    ("buffer_unordered", |_, call| (0..3).map(|_| call()).buffer_unordered(2).last().unwrap()),
    ("buffer_unordered_await", |_, call| {
        block_on((0..3).map(|_| call()).buffer_unordered(2).into_stream().next()).unwrap()
    }),
    ("set", |_, call| TaskSet::from_iter([call(), call()]).join_next().unwrap()),
    ("set_await", |_, call| block_on(TaskSet::from_iter([call(), call()]).next()).unwrap()),
    ("drive", |_, call| trine::block_on(call())),
    ("finished", |_, call| {
        let task = call().timeout(Duration::from_millis(5));
        // Nobody waits for it.
        wait_until(|| task.is_finished());
        task.join()
    }),
];

#[concurrent(threads)]
pub(crate) fn plain() -> u32 {
    7
}

#[concurrent(threads, timeout = 50s)]
pub(crate) fn with_timeout() -> u32 {
    7
}

#[concurrent(threads, retries = 1)]
pub(crate) fn with_retries() -> u32 {
    7
}

#[concurrent(threads, priority = high)]
pub(crate) fn first() -> u32 {
    7
}

#[concurrent(threads, priority = low)]
pub(crate) fn last() -> u32 {
    7
}

#[concurrent(threads, limit = 1)]
pub(crate) fn with_limit() -> u32 {
    7
}

#[concurrent(threads, limit = 1)]
fn with_another_limit() -> u32 {
    7
}

#[concurrent(async)]
pub(crate) async fn asynchronous() -> u32 {
    7
}

#[concurrent(async, timeout = 50s, retries = 1)]
async fn asynchronous_with_options() -> u32 {
    7
}

#[concurrent(threads)]
fn items() -> impl Iterator<Item = u32> {
    [7; 3].into_iter()
}

#[concurrent(threads)]
fn polled_items() -> impl stream::Stream<Item = u32> {
    stream::iter([7; 3])
}

#[concurrent(async)]
fn asynchronous_items() -> impl stream::Stream<Item = u32> {
    stream::iter([7; 3])
}

#[concurrent(threads)]
fn send(to: Sender<u32>) {
    to.send(7).unwrap();
}

#[concurrent(threads, scoped)]
fn borrow(number: &u32) -> u32 {
    *number
}

#[concurrent(async, scoped)]
async fn borrow_asynchronously(number: &u32) -> u32 {
    *number
}

pub(crate) struct Keeper(u32);

#[concurrent(threads)]
impl Keeper {
    pub(crate) fn new() -> Self {
        Self(7)
    }
    pub(crate) fn value(&self) -> u32 {
        self.0
    }
    #[concurrent(retries = 1, timeout = 50s)]
    pub(crate) fn value_with_options(&self) -> u32 {
        self.0
    }
    pub(crate) fn change(&mut self) -> u32 {
        self.0
    }
}

pub(crate) struct AsyncKeeper(u32);

#[concurrent(async)]
impl AsyncKeeper {
    pub(crate) async fn new() -> Self {
        Self(7)
    }
    pub(crate) async fn value(&self) -> u32 {
        self.0
    }
}

/// All of them, however they are made and waited for.
pub(crate) type Whole = fn() -> Result<u32, Error>;

pub(crate) const WHOLE: &[(&str, Whole)] = &[
    ("a scope", || scope(|s| borrow(s, &7).join())),
    ("what a scope drops", || {
        scope(|s| drop(borrow(s, &7)));
        Ok(7)
    }),
    ("what a scope awaits", || scope(|s| block_on(borrow(s, &7)))),
    ("async in a scope", || scope(|s| borrow_asynchronously(s, &7).join())),
    ("async awaited in a scope", || scope(|s| block_on(borrow_asynchronously(s, &7)))),
    ("a join", || Ok(trine::join(|| 7, || 8).0)),
    ("a stream that is iterated", || items().into_iter().last().unwrap()),
    ("a stream that is awaited", || block_on(items().next()).unwrap()),
    ("a polled stream", || polled_items().into_iter().last().unwrap()),
    ("async stream that is iterated", || asynchronous_items().into_iter().last().unwrap()),
    ("async stream that is awaited", || block_on(asynchronous_items().next()).unwrap()),
    ("a channel", || {
        let (sender, stream) = channel(1);
        let sends = send(sender);
        // The sender is gone with the call.
        sends.join()?;
        stream.into_iter().next().unwrap()
    }),
    ("a call of a worker that is gone", || {
        let keeper = KeeperWorker::new();
        let task = keeper.value();
        drop(keeper);
        task.join()
    }),
    ("a worker that is stopped", || {
        let keeper = KeeperWorker::new();
        let task = keeper.value();
        keeper.stop();
        task.join().or_else(|error| if error.is_stopped() { Ok(7) } else { Err(error) })
    }),
];

pub(crate) const CALLS: &[(&str, Call)] = &[
    ("async", asynchronous),
    ("async with options", asynchronous_with_options),
    ("plain", plain),
    ("timeout", with_timeout),
    ("retries", with_retries),
    ("limit", with_limit),
    ("high priority", first),
    ("low priority", last),
    ("stream", || items().gather().map(|items| items[0])),
    ("stream, polled", || polled_items().gather().map(|items| items[0])),
    ("async stream", || asynchronous_items().gather().map(|items| items[0])),
    ("worker", || KeeperWorker::new().value()),
    ("worker with options", || KeeperWorker::new().value_with_options()),
    ("worker that changes", || KeeperWorker::new().change()),
    ("async worker", || AsyncKeeperWorker::new().value()),
    ("behind a limit", || {
        // It has the place, and nobody joins it.
        std::mem::forget(with_limit());
        with_limit()
    }),
    ("behind a call that nobody wants", || {
        with_another_limit().detach();
        with_another_limit()
    }),
];
