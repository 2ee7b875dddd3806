//! User code of functions that yield: the iterator, its destructor, and those of items.

use std::task::Waker;

use serde::{Deserialize, Serialize};
use trine::Stream;

use super::elsewhere::PollOnce;
use super::{Deed, contained, everywhere};

/// Where the deed is done.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Spot {
    Next,
    DropOfIterator,
    DropOfItem,
}

const SPOTS: &[Spot] = &[Spot::Next, Spot::DropOfIterator, Spot::DropOfItem];

#[derive(Serialize, Deserialize)]
struct Item(Spot, Deed);

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
            use super::{Deed, Item, Source, Spot};

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

    use super::{Deed, Item, Source, Spot};

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
            if spot == Spot::Next {
                let expected = if deed.panics() { (2, true, true) } else { (4, false, false) };
                assert_eq!((count, is_panic, is_error), expected);
            }
        }
    });
}
