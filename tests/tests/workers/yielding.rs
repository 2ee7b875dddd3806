//! Methods that yield: what they borrow, whose turn it is meanwhile, and how they end.

use futures::StreamExt as _;
use futures::stream::iter;
use trine::{Stream, Task, concurrent};
use trine_tests::gate::Gate;

use crate::counters::{Supervised, pass};

/// The functions of a worker whose methods yield the same in every mode.
struct Tape {
    start: fn(u64) -> Tape,
    /// What it has, and so many numbers on.
    count: Box<dyn Fn(u64) -> Stream<u64>>,
    /// Steps on so many times.
    step: Box<dyn Fn(u64) -> Stream<u64>>,
    /// Panics in `&mut self` after so many steps.
    tear: Box<dyn Fn(u64) -> Stream<u64>>,
    /// Panics in `&self` after so many numbers.
    stumble: Box<dyn Fn(u64) -> Stream<u64>>,
    /// Has 20 ms for all.
    hurry: Box<dyn Fn(u64) -> Stream<u64>>,
    read: Box<dyn Fn() -> Task<u64>>,
    wait: Box<dyn Fn(u16) -> Task<()>>,
    worker: Box<dyn Supervised>,
    another: Box<dyn Fn() -> Tape>,
}

macro_rules! tapes {
    ($module:ident, $mode:ident, $trait:path, $from:path $(, $async:ident)?) => {
        mod $module {
            use trine::concurrent;

            pub(super) struct Tape(u64);

            #[concurrent($mode, ahead = 2, restarts = 5, per = 1h)]
            impl Tape {
                pub(super) $($async)? fn new(at: u64) -> Self {
                    Self(at)
                }
                pub(super) fn count(&self, most: u64) -> impl $trait {
                    $from((0..most).map(move |number| self.0 + number))
                }
                pub(super) fn step(&mut self, times: u64) -> impl $trait {
                    $from((0..times).map(move |_| {
                        self.0 += 1;
                        self.0
                    }))
                }
                pub(super) fn tear(&mut self, after: u64) -> impl $trait {
                    $from((0..).map(move |number| {
                        self.0 += 1;
                        assert!(number < after, "it is torn");
                        self.0
                    }))
                }
                pub(super) fn stumble(&self, after: u64) -> impl $trait {
                    $from((0..).map(move |number| {
                        assert!(number < after, "it stumbles");
                        self.0
                    }))
                }
                #[concurrent(timeout = 20ms, ahead = 1)]
                pub(super) fn hurry(&self, most: u64) -> impl $trait {
                    $from((0..most).map(move |number| self.0 + number))
                }
                pub(super) $($async)? fn read(&self) -> u64 {
                    self.0
                }
                pub(super) $($async)? fn wait(&self, port: u16) {
                    super::pass(port);
                }
            }

            /// A worker of this mode.
            pub(super) fn start(at: u64) -> super::Tape {
                with(&TapeWorker::new(at))
            }

            fn with(worker: &TapeWorker) -> super::Tape {
                let handle = || worker.clone();
                let (count, step, tear, stumble) = (handle(), handle(), handle(), handle());
                let (hurry, read, wait, another) = (handle(), handle(), handle(), handle());
                super::Tape {
                    start,
                    count: Box::new(move |most| count.count(most)),
                    step: Box::new(move |times| step.step(times)),
                    tear: Box::new(move |after| tear.tear(after)),
                    stumble: Box::new(move |after| stumble.stumble(after)),
                    hurry: Box::new(move |most| hurry.hurry(most)),
                    read: Box::new(move || read.read()),
                    wait: Box::new(move |port| wait.wait(port)),
                    worker: Box::new((**worker).clone()),
                    another: Box::new(move || with(&another)),
                }
            }
        }
    };
}

tapes!(on_threads, threads, Iterator<Item = u64>, std::convert::identity);
tapes!(on_threads_polled, threads, futures::Stream<Item = u64>, super::iter);
tapes!(on_processes, process, Iterator<Item = u64>, std::convert::identity);
tapes!(on_processes_polled, process, futures::Stream<Item = u64>, super::iter);
tapes!(on_async, async, futures::Stream<Item = u64>, super::iter, async);

/// A test for each mode and kind, with a worker that is at 10.
macro_rules! each {
    ($($name:ident($tape:ident) $body:block)*) => {
        $(
            mod $name {
                #[allow(unused_imports, reason = "some need nothing")]
                use super::*;

                fn check($tape: &Tape) $body

                #[test]
                fn threads() {
                    check(&on_threads::start(10));
                }

                #[test]
                fn threads_polled() {
                    check(&on_threads_polled::start(10));
                }

                #[test]
                fn process() {
                    check(&on_processes::start(10));
                }

                #[test]
                fn process_polled() {
                    check(&on_processes_polled::start(10));
                }

                #[test]
                fn asynchronous() {
                    check(&on_async::start(10));
                }
            }
        )*
    };
}

/// What was read until its end or failure.
fn all(stream: Stream<u64>) -> (Vec<u64>, Option<trine::Error>) {
    let mut items = Vec::new();
    for item in stream {
        match item {
            Ok(item) => items.push(item),
            Err(error) => return (items, Some(error)),
        }
    }
    (items, None)
}

fn next(stream: &mut Stream<u64>) -> u64 {
    stream.into_iter().next().unwrap().unwrap()
}

each! {
    items_of_the_value_come_in_order(tape) {
        for most in [0, 1, 2, 3, 100] {
            let expected: Vec<u64> = (10..10 + most).collect();
            let (items, error) = all((tape.count)(most));
            assert!(error.is_none(), "{error:?}");
            assert_eq!(items, expected);
            assert_eq!((tape.count)(most).gather().join().unwrap(), expected);
            let awaited = trine::block_on((tape.count)(most).collect::<Vec<_>>());
            assert_eq!(awaited.into_iter().map(Result::unwrap).collect::<Vec<_>>(), expected);
        }
    }

    changes_are_seen_by_the_calls_behind(tape) {
        let (steps, read) = ((tape.step)(3), (tape.read)());
        let more = (tape.step)(2);
        assert_eq!(steps.gather().join().unwrap(), [11, 12, 13]);
        assert_eq!(read.join().unwrap(), 13);
        assert_eq!(more.gather().join().unwrap(), [14, 15]);
    }

    it_has_its_turn_to_its_end(tape) {
        let mut steps = (tape.step)(50);
        let read = (tape.read)();
        for step in 11..=20 {
            assert_eq!(next(&mut steps), step);
            assert!(!read.is_finished(), "the value serves another call meanwhile");
        }
        assert_eq!(steps.gather().join().unwrap(), Vec::from_iter(21..=60));
        assert_eq!(read.join().unwrap(), 60);
    }

    a_reader_that_leaves_passes_the_turn_on_and_the_value_stays(tape) {
        for yields in [&tape.count, &tape.step] {
            let mut counts = yields(u64::MAX);
            let behind = (tape.read)();
            next(&mut counts);
            drop(counts);
            let read = behind.join().unwrap();
            assert!((10..20).contains(&read), "{read}");
            assert_eq!(tape.worker.restarts(), 0);
        }
        assert!((tape.read)().join().unwrap() > 10);
    }

    a_panic_in_a_change_comes_last_and_ends_the_value(tape) {
        for after in [0, 1, 5] {
            let (items, error) = all((tape.tear)(after));
            assert_eq!(items, Vec::from_iter(11..11 + after));
            assert!(error.unwrap().is_panic());
            assert_eq!((tape.read)().join().unwrap(), 10, "the new one");
        }
        assert_eq!(tape.worker.restarts(), 3);
    }

    a_panic_in_a_look_comes_last_and_ends_nothing(tape) {
        assert_eq!(next(&mut (tape.step)(1)), 11);
        let (items, error) = all((tape.stumble)(5));
        assert_eq!(items, [11; 5]);
        assert!(error.unwrap().is_panic());
        assert_eq!((tape.read)().join().unwrap(), 11);
        assert_eq!(tape.worker.restarts(), 0);
    }

    a_reader_that_is_too_slow_for_its_timeout_is_told_last(tape) {
        let late = (tape.hurry)(u64::MAX);
        // Nobody reads, so nothing but the deadline ends it.
        (tape.read)().join().unwrap();
        let (items, error) = all(late);
        assert!(items.iter().copied().eq((10..).take(items.len())), "{items:?}");
        assert!(error.unwrap().is_timeout());
        assert_eq!((tape.read)().join().unwrap(), 10);
    }

    cancelled_in_line_it_leaves_the_line(tape) {
        let gate = Gate::new();
        let waits = (tape.wait)(gate.port());
        let held = gate.entered();
        let (cancelled, dropped, stays) = ((tape.step)(1), (tape.step)(1), (tape.step)(1));
        cancelled.cancel();
        assert!(all(cancelled).1.unwrap().is_cancelled());
        drop(dropped);
        drop(held);
        waits.join().unwrap();
        assert_eq!(stays.gather().join().unwrap(), [11]);
    }

    what_runs_when_it_is_stopped_yields_to_its_end(tape) {
        let mut steps = (tape.step)(20);
        assert_eq!(next(&mut steps), 11);
        let behind = (tape.count)(1);
        tape.worker.stop();
        assert!(!tape.worker.is_alive());
        assert_eq!(steps.gather().join().unwrap(), Vec::from_iter(12..=30));
        assert!(all(behind).1.unwrap().is_stopped());
        assert!(all((tape.count)(1)).1.unwrap().is_stopped());
        tape.worker.restart();
        assert_eq!((tape.count)(1).gather().join().unwrap(), [10]);
    }

    a_stream_outlives_the_last_handle(tape) {
        let counts = {
            let short = (tape.start)(7);
            (short.count)(100)
        };
        assert_eq!(counts.gather().join().unwrap(), Vec::from_iter(7..107));
    }

    handles_of_one_worker_share_the_line(tape) {
        let other = (tape.another)();
        let (first, second) = ((tape.step)(3), (other.step)(3));
        assert_eq!(first.gather().join().unwrap(), [11, 12, 13]);
        assert_eq!(second.gather().join().unwrap(), [14, 15, 16]);
    }

    inline_in_sequential(tape) {
        trine::sequential(|| {
            let inline = (tape.start)(3);
            assert_eq!((inline.step)(100).gather().join().unwrap(), Vec::from_iter(4..=103));
            let (items, error) = all((inline.tear)(2));
            assert_eq!(items, [104, 105]);
            assert!(error.unwrap().is_panic());
            assert_eq!((inline.read)().join().unwrap(), 3);
        });
    }
}

struct Copied;

#[concurrent(threads, copies = 2)]
impl Copied {
    pub(crate) fn new() -> Self {
        Self
    }
    pub(crate) fn count(&self) -> impl Iterator<Item = u64> {
        0..
    }
}

#[test]
fn two_copies_yield_at_once() {
    let copied = CopiedWorker::new();
    let mut streams = [copied.count(), copied.count()];
    for number in 0..1000 {
        for stream in &mut streams {
            assert_eq!(next(stream), number);
        }
    }
}

#[test]
fn what_waits_in_its_yield_is_not_half_changed_when_tokio_drops_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let tape = on_async::start(10);
        let mut steps = (tape.step)(u64::MAX);
        assert_eq!(steps.next().await.unwrap().unwrap(), 11);
        // This thread is the one that would poll it to its end.
        drop(steps);
        let read = (tape.read)().await.unwrap();
        assert!((12..=14).contains(&read), "{read}");
        assert_eq!(tape.worker.restarts(), 0);
    });
}

mod in_a_process {
    use super::*;

    struct Index {
        words: Vec<String>,
    }

    #[concurrent(process, restarts = 3)]
    impl Index {
        pub(crate) fn of(text: &str) -> Self {
            Self { words: text.split(' ').map(str::to_owned).collect() }
        }
        pub(crate) fn among(&self, known: &[String], prefix: &str) -> impl Iterator<Item = String> {
            let words = self.words.iter().filter(move |word| word.starts_with(prefix));
            words.filter(|word| known.contains(word)).cloned()
        }
        pub(crate) fn abort(&self, after: usize) -> impl Iterator<Item = usize> {
            (0..).inspect(move |number| {
                if *number == after {
                    std::process::abort();
                }
            })
        }
        pub(crate) fn unencodable(&self) -> impl Iterator<Item = std::path::PathBuf> {
            ["a".into(), trine_tests::system::no_text()].map(Into::into).into_iter()
        }
    }

    #[test]
    fn items_may_be_of_arguments_that_were_borrowed() {
        let index = IndexWorker::of("a few words and a few more");
        let known = ["few", "and", "fuller"].map(str::to_owned);
        let found = index.among(&known, "f").gather().join().unwrap();
        assert_eq!(found, ["few", "few"]);
    }

    #[test]
    fn a_crash_comes_last_and_the_value_is_made_anew() {
        let index = IndexWorker::of("a b");
        let mut stream = index.abort(100);
        let items: Vec<_> = (&mut stream).into_iter().map_while(Result::ok).collect();
        assert!(items.len() <= 100 && items.iter().copied().eq(0..items.len()), "{items:?}");
        assert_eq!(index.among(&["a".to_owned()], "").gather().join().unwrap(), ["a"]);
        assert_eq!(index.restarts(), 1);
    }

    #[test]
    fn an_item_that_cannot_be_encoded_is_the_last_and_ends_nothing() {
        let index = IndexWorker::of("a");
        let mut items = index.unencodable().into_iter();
        assert_eq!(items.next().unwrap().unwrap(), std::path::Path::new("a"));
        let error = items.next().unwrap().unwrap_err();
        assert!(error.to_string().contains("an item"), "{error}");
        assert!(items.next().is_none());
        assert_eq!(index.among(&["a".to_owned()], "").gather().join().unwrap(), ["a"]);
        assert_eq!(index.restarts(), 0);
    }
}
