//! The functions of each mode that yield, in one shape.

use std::path::PathBuf;

use trine::Stream;

/// The functions of one mode.
pub(crate) struct Mode {
    pub(crate) name: &'static str,
    /// From 0, so many.
    pub(crate) count: fn(u64) -> Stream<u64>,
    /// The same with one item on the way at most.
    pub(crate) one_ahead: fn(u64) -> Stream<u64>,
    /// Yields so many and panics.
    pub(crate) panics: fn(u64) -> Stream<u64>,
    /// Panics before there is an iterator.
    pub(crate) panics_at_once: fn() -> Stream<u64>,
    /// Yields so many `Ok`s and one `Err`.
    pub(crate) fails: fn(u64) -> Stream<Result<u64, String>>,
    /// Yields so many and then nothing, without end; with a time limit of 100 ms.
    pub(crate) hangs: fn(u64) -> Stream<u64>,
    /// Yields without end, and writes the file when its iterator is dropped; adds a byte to the
    /// other file with each item.
    pub(crate) dropped: fn(PathBuf, PathBuf) -> Stream<u64>,
    /// Yields so many strings, each so long.
    pub(crate) long: fn(u64, usize) -> Stream<String>,
}

/// Writes a file when it is dropped.
struct Trace(PathBuf);

impl Drop for Trace {
    fn drop(&mut self) {
        std::fs::write(&self.0, "dropped").unwrap();
    }
}

fn panic_at(number: u64, end: u64) -> u64 {
    assert!(number < end, "on purpose: {number}");
    number
}

fn fail_at(number: u64, end: u64) -> Result<u64, String> {
    if number < end { Ok(number) } else { Err(format!("no {number}")) }
}

fn add_byte(path: &std::path::Path) {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(b".").unwrap();
}

/// Waits for ever, as something that nobody can see through.
fn hang() -> ! {
    loop {
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
}

macro_rules! iterators {
    ($module:ident, $mode:ident) => {
        pub(crate) mod $module {
            use super::*;
            use trine::concurrent;

            pub(crate) const MODE: Mode = Mode {
                name: stringify!($module),
                count,
                one_ahead,
                panics,
                panics_at_once,
                fails,
                hangs,
                dropped,
                long,
            };

            #[concurrent($mode)]
            fn count(most: u64) -> impl Iterator<Item = u64> {
                0..most
            }

            #[concurrent($mode, ahead = 1)]
            fn one_ahead(most: u64) -> impl Iterator<Item = u64> + use<> {
                0..most
            }

            #[concurrent($mode)]
            fn panics(most: u64) -> impl Iterator<Item = u64> {
                (0..).map(move |number| panic_at(number, most))
            }

            #[concurrent($mode)]
            fn panics_at_once() -> impl Iterator<Item = u64> {
                if true {
                    panic!("on purpose: at once");
                }
                0..1
            }

            #[concurrent($mode)]
            fn fails(most: u64) -> impl Iterator<Item = Result<u64, String>> {
                (0..=most).map(move |number| fail_at(number, most))
            }

            #[concurrent($mode, timeout = 100ms)]
            fn hangs(most: u64) -> impl Iterator<Item = u64> {
                (0..).map(move |number| if number < most { number } else { hang() })
            }

            #[concurrent($mode, ahead = 4)]
            fn dropped(trace: PathBuf, steps: PathBuf) -> impl Iterator<Item = u64> {
                let trace = Trace(trace);
                (0..).inspect(move |_| {
                    let _ = &trace;
                    add_byte(&steps);
                })
            }

            #[concurrent($mode)]
            fn long(most: u64, length: usize) -> impl Iterator<Item = String> {
                (0..most).map(move |number| number.to_string().repeat(length))
            }
        }
    };
}

macro_rules! streams {
    ($module:ident, $mode:ident) => {
        pub(crate) mod $module {
            use super::*;
            use futures::stream::{self, StreamExt};
            use trine::concurrent;

            pub(crate) const MODE: Mode = Mode {
                name: stringify!($module),
                count,
                one_ahead,
                panics,
                panics_at_once,
                fails,
                hangs,
                dropped,
                long,
            };

            /// Gives way before each item.
            async fn later<T>(value: T) -> T {
                tokio::task::yield_now().await;
                value
            }

            #[concurrent($mode)]
            fn count(most: u64) -> impl stream::Stream<Item = u64> {
                stream::iter(0..most).then(later)
            }

            #[concurrent($mode, ahead = 1)]
            fn one_ahead(most: u64) -> impl stream::Stream<Item = u64> {
                stream::iter(0..most).then(later)
            }

            #[concurrent($mode)]
            fn panics(most: u64) -> impl stream::Stream<Item = u64> {
                stream::iter(0..).then(later).map(move |number| panic_at(number, most))
            }

            #[concurrent($mode)]
            fn panics_at_once() -> impl stream::Stream<Item = u64> {
                if true {
                    panic!("on purpose: at once");
                }
                stream::iter(0..1)
            }

            #[concurrent($mode)]
            fn fails(most: u64) -> impl stream::Stream<Item = Result<u64, String>> {
                stream::iter(0..=most).map(move |number| fail_at(number, most))
            }

            #[concurrent($mode, timeout = 100ms)]
            fn hangs(most: u64) -> impl stream::Stream<Item = u64> {
                stream::iter(0..most).chain(stream::pending())
            }

            #[concurrent($mode, ahead = 4)]
            fn dropped(trace: PathBuf, steps: PathBuf) -> impl stream::Stream<Item = u64> {
                let trace = Trace(trace);
                stream::iter(0..).then(later).inspect(move |_| {
                    let _ = &trace;
                    add_byte(&steps);
                })
            }

            #[concurrent($mode)]
            fn long(most: u64, length: usize) -> impl stream::Stream<Item = String> {
                stream::iter(0..most).map(move |number| number.to_string().repeat(length))
            }
        }
    };
}

iterators!(threads, threads);
streams!(threads_polled, threads);
iterators!(process, process);
streams!(process_polled, process);
streams!(asynchronous, async);

/// Each mode, and each way to yield in it.
pub(crate) const MODES: &[Mode] =
    &[threads::MODE, threads_polled::MODE, process::MODE, process_polled::MODE, asynchronous::MODE];
