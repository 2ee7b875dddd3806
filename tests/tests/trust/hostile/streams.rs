//! User code of functions that yield: the iterator, its destructor, and those of items.

use std::task::Waker;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use trine::{Sender, Stream, Task};

use super::elsewhere::PollOnce;
use super::{Deed, contained, everywhere, in_turn};

/// Where the deed is done.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Spot {
    Next,
    DropOfIterator,
    DropOfItem,
    /// Of an item, on its way.
    Serialize,
    Deserialize,
}

const SPOTS: &[Spot] =
    &[Spot::Next, Spot::DropOfIterator, Spot::DropOfItem, Spot::Serialize, Spot::Deserialize];

struct Item(Spot, Deed);

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        act(Spot::Serialize, self.0, self.1);
        (self.0, self.1).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (spot, deed) = Deserialize::deserialize(deserializer)?;
        act(Spot::Deserialize, spot, deed);
        Ok(Self(spot, deed))
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        act(Spot::DropOfItem, self.0, self.1);
    }
}

fn act(here: Spot, spot: Spot, deed: Deed) {
    if here == spot && !std::thread::panicking() {
        deed.done();
    }
}

/// Four items, with the deed before the third.
struct Source(Spot, Deed, u32);

impl Iterator for Source {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        let Self(spot, deed, count) = self;
        *count += 1;
        if *count == 3 {
            act(Spot::Next, *spot, *deed);
        }
        (*count <= 4).then_some(Item(*spot, *deed))
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        act(Spot::DropOfIterator, self.0, self.1);
    }
}

macro_rules! yielding {
    ($module:ident, $mode:ident) => {
        mod $module {
            use super::{Deed, Item, Sender, Source, Spot, Stream};

            #[trine::concurrent($mode)]
            pub(super) fn sends(spot: Spot, deed: Deed, to: Sender<Item>) -> bool {
                Source(spot, deed, 0).all(|item| to.send(item).is_ok())
            }

            #[trine::concurrent($mode)]
            pub(super) fn reads(from: Stream<Item>) -> usize {
                from.into_iter().filter(Result::is_ok).count()
            }

            #[trine::concurrent($mode)]
            pub(super) fn items(spot: Spot, deed: Deed) -> impl Iterator<Item = Item> {
                Source(spot, deed, 0)
            }

            /// Waits for its reader after each item.
            #[trine::concurrent($mode, ahead = 1)]
            pub(super) fn slow(spot: Spot, deed: Deed) -> impl Iterator<Item = Item> {
                Source(spot, deed, 0)
            }
        }
    };
}

yielding!(threads, threads);
yielding!(process, process);

mod asynchronous {
    use futures::stream;

    use super::{Deed, Item, Sender, Source, Spot, Stream};

    #[trine::concurrent(async)]
    pub(super) async fn sends(spot: Spot, deed: Deed, to: Sender<Item>) -> bool {
        for item in Source(spot, deed, 0) {
            if to.send_async(item).await.is_err() {
                return false;
            }
        }
        true
    }

    #[trine::concurrent(async)]
    pub(super) async fn reads(mut from: Stream<Item>) -> usize {
        let mut count = 0;
        while let Some(item) = stream::StreamExt::next(&mut from).await {
            count += usize::from(item.is_ok());
        }
        count
    }

    #[trine::concurrent(async)]
    pub(super) fn items(spot: Spot, deed: Deed) -> impl stream::Stream<Item = Item> {
        stream::iter(Source(spot, deed, 0))
    }

    #[trine::concurrent(async, ahead = 1)]
    pub(super) fn slow(spot: Spot, deed: Deed) -> impl stream::Stream<Item = Item> {
        stream::iter(Source(spot, deed, 0))
    }
}

type Yielding = fn(Spot, Deed) -> Stream<Item>;

fn functions(mode: &str) -> [Yielding; 2] {
    match mode {
        "threads" => [threads::items, threads::slow],
        "process" => [process::items, process::slow],
        _ => [asynchronous::items, asynchronous::slow],
    }
}

/// What becomes of a stream.
const READS: &[fn(Stream<Item>)] = &[
    |stream| stream.into_iter().for_each(|item| contained(|| drop(item))),
    |stream| {
        let mut items = stream.into_iter();
        contained(|| drop(items.next()));
        contained(|| drop(items));
    },
    |stream| contained(|| drop(stream)),
    |stream| contained(|| drop(stream.gather().join())),
    |stream| contained(|| drop(stream.gather())),
    |mut stream| {
        contained(|| _ = futures::StreamExt::next(&mut stream).poll_once(Waker::noop()));
        contained(|| drop(stream));
    },
];

#[test]
fn every_place_of_a_function_that_yields_times_what_it_may_do() {
    in_turn(every_place_of_a_function_that_yields_times_what_it_may_do, || {
        let names: Vec<_> = SPOTS.iter().map(|spot| format!("yielding, {spot:?}")).collect();
        everywhere(&names, SPOTS.len(), |mode, index, deed| {
            let spot = SPOTS[index];
            for function in functions(mode.name) {
                for read in READS {
                    contained(|| read(function(spot, deed)));
                }
                // The items before a panic arrive, and then it is told as one.
                let (mut count, mut error) = (0, None);
                for item in function(spot, deed) {
                    match item {
                        Ok(item) => {
                            count += 1;
                            contained(|| drop(item));
                        }
                        Err(why) => error = Some(why),
                    }
                }
                let (is_panic, is_error) =
                    (error.as_ref().is_some_and(trine::Error::is_panic), error.is_some());
                contained(|| drop(error));
                let before = match spot {
                    Spot::Next => 2,
                    Spot::Serialize | Spot::Deserialize if mode.name == "process" => 0,
                    _ => continue,
                };
                let expected = if deed.panics() { (before, true, true) } else { (4, false, false) };
                assert_eq!((count, is_panic, is_error), expected);
            }
        });
    });
}

type Sends = fn(Spot, Deed, Sender<Item>) -> Task<bool>;
type Reads = fn(Stream<Item>) -> Task<usize>;

/// Through a channel, with one end in a call and with both.
#[test]
fn every_place_of_what_is_sent_times_what_it_may_do() {
    in_turn(every_place_of_what_is_sent_times_what_it_may_do, || {
        let names: Vec<_> = SPOTS.iter().map(|spot| format!("sent, {spot:?}")).collect();
        everywhere(&names, SPOTS.len(), |mode, index, deed| {
            let spot = SPOTS[index];
            let (sends, reads): (Sends, Reads) = match mode.name {
                "threads" => (threads::sends, threads::reads),
                "process" => (process::sends, process::reads),
                _ => (asynchronous::sends, asynchronous::reads),
            };
            for read in READS {
                let (sender, stream) = trine::channel(2);
                let sent = sends(spot, deed, sender);
                contained(|| read(stream));
                contained(|| drop(sent.join()));
            }
            let (sender, stream) = trine::channel(2);
            let sent = sends(spot, deed, sender);
            let read = reads(stream);
            contained(|| drop(sent.join()));
            contained(|| drop(read.join()));
        });
    });
}
