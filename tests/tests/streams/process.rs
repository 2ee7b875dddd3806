//! What is of worker processes alone: crashes, limits, bodies that do not come to a yield.

use std::time::{Duration, Instant};

use trine::{Stream, concurrent};
use trine_tests::system::{bounds_memory, is_there};

use crate::contract::ways;

#[concurrent(process)]
fn crashes(count: u64) -> impl Iterator<Item = u64> {
    (0..).map(move |number| if number < count { number } else { std::process::abort() })
}

#[concurrent(process, memory = 64MiB)]
fn grows(count: u64) -> impl Iterator<Item = u64> {
    (0..).inspect(move |&number| {
        if number == count {
            std::hint::black_box(vec![1_u8; 1 << 30]);
        }
    })
}

/// Yields the id of its process, and then nothing for ever.
#[concurrent(process)]
fn is_stuck() -> impl Iterator<Item = u32> {
    (0..).map(|number| {
        if number > 0 {
            std::thread::sleep(Duration::from_secs(3600));
        }
        std::process::id()
    })
}

#[concurrent(process)]
fn numbers(count: u64) -> impl Iterator<Item = u64> {
    0..count
}

#[concurrent(process)]
fn others(count: u64) -> impl Iterator<Item = u64> {
    0..count
}

/// Its items are encoded, but not decoded.
#[derive(serde::Serialize, Debug)]
struct OneWay(u64);

impl<'de> serde::Deserialize<'de> for OneWay {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("on purpose"))
    }
}

#[concurrent(process)]
fn undecodable() -> impl Iterator<Item = OneWay> {
    (0..).map(OneWay)
}

#[test]
fn the_end_of_a_worker_is_the_last_item() {
    for count in [0, 1, 100] {
        let expected: Vec<u64> = (0..count).collect();
        for (way, read) in ways() {
            let (items, error) = read(crashes(count));
            assert_eq!(items, expected, "{way}");
            assert!(error.unwrap().is_crash(), "{way}");
            if !bounds_memory() {
                continue;
            }
            let (items, error) = read(grows(count));
            assert_eq!(items, expected, "{way}");
            assert!(error.unwrap().is_memory_limit(), "{way}");
        }
        assert!(crashes(count).gather().join().unwrap_err().is_crash());
        if bounds_memory() {
            assert!(grows(count).gather().join().unwrap_err().is_memory_limit());
        }
    }
}

#[test]
fn a_body_that_does_not_yield_is_killed_when_nobody_reads() {
    let ends: [fn(Stream<u32>); 3] = [
        drop,
        |stream| stream.cancel(),
        |stream| {
            drop(stream.timeout(Duration::from_millis(1)));
        },
    ];
    for end in ends {
        let mut stream = is_stuck();
        let worker = (&mut stream).into_iter().next().unwrap().unwrap();
        end(stream);
        let began = Instant::now();
        while is_there(worker.try_into().unwrap()) {
            assert!(began.elapsed() < Duration::from_secs(20), "the worker is still there");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Its worker has gone on to others by then, and what is said of the first is none of theirs.
#[test]
fn a_stream_can_be_read_after_its_call_has_ended() {
    for _ in 0..20 {
        let mut first: Vec<_> = (0..4).map(|_| numbers(60)).collect();
        std::thread::sleep(Duration::from_millis(5));
        let mut second: Vec<_> = (0..4).map(|_| numbers(500)).collect();
        for number in 0..500 {
            for stream in &mut second {
                assert_eq!(stream.into_iter().next().unwrap().unwrap(), number);
            }
            for stream in first.iter_mut().filter(|_| number < 60) {
                assert_eq!(stream.into_iter().next().unwrap().unwrap(), number);
            }
        }
        assert!(first.into_iter().chain(second).all(|stream| stream.into_iter().next().is_none()));
    }
}

/// With calls of two functions in the queue, one went behind a stream that waited for its reader,
/// who waited for that call.
#[test]
fn no_stream_waits_behind_another() {
    for _ in 0..10 {
        let functions: [fn(u64) -> Stream<u64>; 2] = [numbers, others];
        let mut streams: Vec<_> = (0..12).map(|index| functions[index % 2](200)).collect();
        streams.rotate_left(5);
        for stream in &mut streams {
            assert_eq!(stream.into_iter().next().unwrap().unwrap(), 0);
        }
        for number in 1..200 {
            for stream in &mut streams {
                assert_eq!(stream.into_iter().next().unwrap().unwrap(), number);
            }
        }
    }
}

#[test]
fn an_item_that_does_not_decode_is_the_last() {
    let mut stream = undecodable();
    let error = (&mut stream).into_iter().next().unwrap().unwrap_err();
    assert!(error.to_string().contains("an item") && error.to_string().contains("on purpose"));
    assert!(stream.into_iter().next().is_none());
}

#[concurrent(process, ahead = 1)]
fn singly(count: u64) -> impl Iterator<Item = u64> {
    0..count
}

/// The dispatcher may come in vain for each item that a thread takes, and none of its bells may be
/// left in the socket then: when it was full, the next one was lost, and whoever awaited an item
/// waited for ever.
#[test]
fn streams_that_are_joined_and_awaited_in_turn_end() {
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        assert_eq!(singly(1000).into_iter().count(), 1000);
        assert_eq!(trine::block_on(singly(3).gather()).unwrap(), [0, 1, 2]);
        assert_eq!(singly(1000).into_iter().count(), 1000);
        let items = trine::block_on(futures::StreamExt::collect::<Vec<_>>(singly(3)));
        assert_eq!(items.len(), 3);
    }
}
