//! Items, ends and failures: each mode × iterated, awaited, gathered.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::StreamExt;
use trine::{Error, Stream};
use trine_tests::checks::wait_until;

use crate::functions::{MODES, Mode};

/// What was read, and the failure that ended it.
pub(crate) type Read<T> = (Vec<T>, Option<Error>);
/// Reads a part of a stream and drops it.
type Reader = (&'static str, fn(Stream<u64>));
pub(crate) type Way<T> = (&'static str, fn(Stream<T>) -> Read<T>);

fn note<T>(read: &mut Read<T>, item: Result<T, Error>) {
    assert!(read.1.is_none(), "an item after the last");
    match item {
        Ok(item) => read.0.push(item),
        Err(error) => read.1 = Some(error),
    }
}

fn iterated<T>(stream: Stream<T>) -> Read<T> {
    let mut read = (Vec::new(), None);
    for item in stream {
        note(&mut read, item);
    }
    read
}

fn iterated_in_parts<T>(mut stream: Stream<T>) -> Read<T> {
    let mut read = (Vec::new(), None);
    loop {
        let before = read.0.len();
        for item in (&mut stream).into_iter().take(3) {
            note(&mut read, item);
        }
        if read.0.len() == before {
            assert!((&mut stream).into_iter().next().is_none(), "it goes on after its end");
            return read;
        }
    }
}

fn awaited<T>(mut stream: Stream<T>) -> Read<T> {
    trine::block_on(async {
        let mut read = (Vec::new(), None);
        while let Some(item) = stream.next().await {
            note(&mut read, item);
        }
        assert!(stream.next().await.is_none(), "it goes on after its end");
        read
    })
}

pub(crate) fn ways<T>() -> [Way<T>; 3] {
    [("iterated", iterated), ("in parts", iterated_in_parts), ("awaited", awaited)]
}

/// A file of this test and no other.
fn file(mode: &Mode, name: &str) -> PathBuf {
    let file = format!("trine-streams-{}-{}-{name}", std::process::id(), mode.name);
    let path = std::env::temp_dir().join(file);
    let _ = std::fs::remove_file(&path);
    path
}

fn wait_until_dropped(path: &Path) {
    wait_until(|| path.exists());
    let _ = std::fs::remove_file(path);
}

#[test]
fn items_come_in_order_and_end() {
    for mode in MODES {
        for count in [0, 1, 2, 63, 64, 65, 1000] {
            let expected: Vec<u64> = (0..count).collect();
            for (way, read) in ways() {
                for function in [mode.count, mode.one_ahead] {
                    let (items, error) = read(function(count));
                    assert!(error.is_none(), "{}, {way}: {error:?}", mode.name);
                    assert_eq!(items, expected, "{}, {way}", mode.name);
                }
            }
            let all = (mode.count)(count).gather().join().unwrap();
            assert_eq!(all, expected, "{}, gathered", mode.name);
            let all = trine::block_on((mode.one_ahead)(count).gather()).unwrap();
            assert_eq!(all, expected, "{}, gathered and awaited", mode.name);
        }
    }
}

#[test]
fn long_items_arrive_as_they_were() {
    for mode in MODES {
        for length in [10, 70_000, 3_000_000] {
            let (items, error) = iterated((mode.long)(5, length));
            assert!(error.is_none(), "{}: {error:?}", mode.name);
            for (number, item) in items.iter().enumerate() {
                assert_eq!(item.len(), length, "{}", mode.name);
                assert!(item.starts_with(&number.to_string()), "{}", mode.name);
            }
            assert_eq!(items.len(), 5, "{}", mode.name);
        }
    }
}

/// Of these the bytes run out long before the items do, so the reader has to say that it has gone
/// on while there are still many that it has not.
#[test]
fn items_of_many_bytes_keep_coming() {
    for mode in MODES {
        for length in [30_000, 400_000] {
            for (way, read) in ways() {
                let (items, error) = read((mode.long)(40, length));
                assert!(error.is_none(), "{}, {way}: {error:?}", mode.name);
                let lengths: Vec<_> = items.iter().map(String::len).collect();
                assert_eq!(lengths[..10], [length; 10], "{}, {way}", mode.name);
                assert_eq!(lengths.len(), 40, "{}, {way}", mode.name);
            }
        }
    }
}

#[test]
fn a_panic_is_the_last_item() {
    for mode in MODES {
        for count in [0, 1, 100] {
            for (way, read) in ways() {
                let (items, error) = read((mode.panics)(count));
                let error = error.unwrap();
                assert_eq!(items, (0..count).collect::<Vec<_>>(), "{}, {way}", mode.name);
                assert!(error.is_panic(), "{}, {way}: {error}", mode.name);
                assert!(error.to_string().contains(&format!("on purpose: {count}")), "{error}");
            }
            let error = (mode.panics)(count).gather().join().unwrap_err();
            assert!(error.is_panic(), "{}, gathered: {error}", mode.name);
        }
        let (items, error) = iterated((mode.panics_at_once)());
        assert!(items.is_empty() && error.unwrap().is_panic(), "{}", mode.name);
    }
}

#[test]
fn an_err_of_the_body_is_an_item() {
    let expected = [Ok(0), Ok(1), Err("no 2".to_owned())];
    for mode in MODES {
        for (way, read) in ways() {
            let (items, error) = read((mode.fails)(2));
            assert!(error.is_none(), "{}, {way}: {error:?}", mode.name);
            assert_eq!(items, expected, "{}, {way}", mode.name);
        }
        assert_eq!((mode.fails)(2).gather().join().unwrap(), expected, "{}, gathered", mode.name);
    }
}

#[test]
fn a_deadline_ends_it_after_what_was_yielded() {
    for mode in MODES {
        for (way, read) in ways() {
            let (items, error) = read((mode.hangs)(3));
            // A busy machine may come to none of them in that time.
            assert!([0, 1, 2].starts_with(&items), "{}, {way}: {items:?}", mode.name);
            assert!(error.unwrap().is_timeout(), "{}, {way}", mode.name);
        }
        let error = (mode.hangs)(3).gather().join().unwrap_err();
        assert!(error.is_timeout(), "{}, gathered: {error}", mode.name);

        let endless = || (mode.count)(u64::MAX).timeout(Duration::from_millis(20));
        for (way, read) in ways() {
            let (_, error) = read(endless());
            assert!(error.unwrap().is_timeout(), "{}, {way}: of the handle", mode.name);
        }
        let error = endless().gather().join().unwrap_err();
        assert!(error.is_timeout(), "{}, gathered: of the handle: {error}", mode.name);
    }
}

#[test]
fn what_is_on_the_way_at_the_deadline_comes_before_it() {
    for mode in MODES {
        let (trace, steps) = (file(mode, "late"), file(mode, "late-steps"));
        let mut stream = (mode.dropped)(trace.clone(), steps.clone());
        assert_eq!((&mut stream).into_iter().next().unwrap().unwrap(), 0);
        // The last of these may be in the hands of the body.
        wait_until(|| std::fs::metadata(&steps).is_ok_and(|file| file.len() >= 5));
        let (items, error) = iterated(stream.timeout(Duration::from_millis(1)));
        assert!(items.starts_with(&[1, 2, 3]), "{}: {items:?}", mode.name);
        assert!(error.unwrap().is_timeout(), "{}", mode.name);
        let _ = (std::fs::remove_file(trace), std::fs::remove_file(steps));
    }
}

#[test]
fn a_cancel_ends_it_at_its_next_yield() {
    for mode in MODES {
        let (trace, steps) = (file(mode, "cancel"), file(mode, "cancel-steps"));
        let mut stream = (mode.dropped)(trace.clone(), steps.clone());
        assert_eq!((&mut stream).into_iter().next().unwrap().unwrap(), 0);
        stream.cancel();
        wait_until_dropped(&trace);
        let (items, error) = iterated(stream);
        assert!(items.len() <= 4, "{}: {items:?}", mode.name);
        assert!(error.unwrap().is_cancelled(), "{}", mode.name);
        let _ = std::fs::remove_file(steps);

        for (way, read) in ways() {
            let mut stream = (mode.count)(u64::MAX);
            assert_eq!((&mut stream).into_iter().next().unwrap().unwrap(), 0);
            stream.cancel();
            let (items, error) = read(stream);
            let count = items.len() as u64;
            assert!(items.into_iter().eq(1..=count), "{}, {way}", mode.name);
            assert!(error.unwrap().is_cancelled(), "{}, {way}", mode.name);
        }
        let task = (mode.count)(u64::MAX).gather();
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled(), "{}, gathered", mode.name);
    }
}

#[test]
fn dropped_in_the_middle_it_drops_the_iterator() {
    for mode in MODES {
        let reads: [Reader; 5] = [
            ("at once", |stream| drop(stream)),
            ("after one", |stream| _ = stream.into_iter().next().unwrap().unwrap()),
            ("after many", |stream| {
                assert_eq!(stream.into_iter().nth(50).unwrap().unwrap(), 50);
            }),
            ("after one was awaited", |mut stream| {
                let first = trine::block_on(stream.next());
                assert_eq!(first.unwrap().unwrap(), 0);
            }),
            ("while gathered", |mut stream| {
                assert_eq!((&mut stream).into_iter().next().unwrap().unwrap(), 0);
                drop(stream.gather());
            }),
        ];
        for (when, read) in reads {
            let (trace, steps) = (file(mode, "drop"), file(mode, "drop-steps"));
            read((mode.dropped)(trace.clone(), steps.clone()));
            // A call that had not begun drops its arguments, and there was no iterator.
            if when != "at once" {
                wait_until_dropped(&trace);
            }
            let _ = std::fs::remove_file(steps);
        }
    }
}

#[test]
fn a_body_waits_for_a_slow_reader() {
    for mode in MODES {
        let (trace, steps) = (file(mode, "slow"), file(mode, "slow-steps"));
        let mut stream = (mode.dropped)(trace.clone(), steps.clone());
        let yielded = || std::fs::metadata(&steps).map_or(0, |file| file.len());
        for read in 1..=20_u64 {
            let item = match read % 2 {
                0 => (&mut stream).into_iter().next(),
                _ => trine::block_on(stream.next()),
            };
            assert_eq!(item.unwrap().unwrap(), read - 1, "{}", mode.name);
            // Four on the way, and one in the hands of the body.
            let (began, most) = (Instant::now(), read + 5);
            while yielded() < read + 2 && began.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(1));
            }
            assert!(yielded() <= most, "{}: {} of {most}", mode.name, yielded());
        }
        drop(stream);
        wait_until_dropped(&trace);
        let _ = std::fs::remove_file(steps);
    }
}

#[test]
fn a_body_that_waits_for_its_reader_holds_nobody_up() {
    for mode in MODES {
        // More than there are permits or cores, and none is read.
        let streams: Vec<_> = (0..20).map(|_| (mode.count)(u64::MAX)).collect();
        assert_eq!((mode.count)(3).gather().join().unwrap(), [0, 1, 2], "{}", mode.name);
        for stream in streams {
            let first = stream.into_iter().next().unwrap().unwrap();
            assert_eq!(first, 0, "{}", mode.name);
        }
    }
}

#[test]
fn in_sequential_all_is_yielded_at_the_call() {
    for mode in MODES {
        for (way, read) in ways() {
            let stream = trine::sequential(|| (mode.count)(1000));
            assert_eq!(read(stream).0.len(), 1000, "{}, {way}", mode.name);
            let (items, error) = read(trine::sequential(|| (mode.panics)(2)));
            assert_eq!(items, [0, 1], "{}, {way}", mode.name);
            assert!(error.unwrap().is_panic(), "{}, {way}", mode.name);
        }
        let task = trine::sequential(|| (mode.count)(1000).gather());
        assert_eq!(task.join().unwrap().len(), 1000, "{}, gathered", mode.name);
    }
}
