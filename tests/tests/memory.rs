//! A call that has ended keeps no memory, and one that was given up keeps no place. In a binary of
//! its own, because it counts every byte, and each test in a process of its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

use trine::{Stream, Task, concurrent};
use trine_tests::checks::wait_until;
use trine_tests::gate::Gate;
use trine_tests::programs::alone;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: this is `System`, with a count beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

type Large = [u8; 1000];
type Call = fn() -> Task<usize>;

macro_rules! mode {
    ($module:ident, $mode:ident, $($async:ident)?) => {
        mod $module {
            use super::{Calls, Large};
            use trine::concurrent;

            #[concurrent($mode)]
            pub(super) $($async)? fn large() -> usize {
                let large: Large = [1; _];
                large.len()
            }

            #[concurrent($mode)]
            pub(super) $($async)? fn text() -> Vec<u8> {
                vec![1; 100]
            }

            #[concurrent($mode, priority = high)]
            pub(super) $($async)? fn large_high() -> usize {
                size_of::<Large>()
            }

            #[concurrent($mode, priority = low)]
            pub(super) $($async)? fn large_low() -> usize {
                size_of::<Large>()
            }

            #[concurrent($mode)]
            pub(super) fn yields(count: usize) -> impl futures::Stream<Item = Vec<u8>> {
                futures::stream::iter(std::iter::repeat_n(vec![1; size_of::<Large>()], count))
            }

            /// A worker with state.
            #[derive(Clone, Copy)]
            pub(super) struct Desk;

            #[concurrent($mode)]
            impl Desk {
                pub(super) $($async)? fn new() -> Self {
                    Self
                }

                pub(super) $($async)? fn large(&self, data: Vec<u8>) -> usize {
                    data.len()
                }

                pub(super) $($async)? fn wait_for(&mut self, port: u16) {
                    drop(std::net::TcpStream::connect(("127.0.0.1", port)).map(|mut stream| {
                        std::io::Read::read(&mut stream, &mut [0])
                    }));
                }
            }

            pub(super) fn calls() -> Calls {
                let desk = DeskWorker::new();
                let again = desk.clone();
                Calls {
                    large: Box::new(move || desk.large(vec![1; size_of::<Large>()])),
                    wait_for: Box::new(move |port| again.wait_for(port)),
                    whole: || DeskWorker::new().large(vec![1; size_of::<Large>()]),
                    yields,
                }
            }
        }
    };
}

/// The calls of one worker with state, of one that is made for its call, and a stream.
struct Calls {
    large: Box<dyn Fn() -> Task<usize>>,
    wait_for: Box<dyn Fn(u16) -> Task<()>>,
    whole: Call,
    yields: fn(usize) -> Stream<Vec<u8>>,
}

mode!(threads, threads,);
mode!(process, process,);
mode!(asynchronous, async, async);

#[concurrent(threads, limit = 1)]
fn device(until: Option<mpsc::Receiver<()>>, data: Large) -> usize {
    if let Some(until) = until {
        let _ = until.recv();
    }
    data.len()
}

/// Checks that this many rounds add less than `at_most` bytes; waits for what settles late.
fn grows(name: &str, at_most: usize, rounds: usize, mut round: impl FnMut()) {
    (0..rounds).for_each(|_| round());
    let before = LIVE.load(Relaxed);
    (0..rounds).for_each(|_| round());
    wait_until(|| LIVE.load(Relaxed) < before + at_most);
    println!("{name}: {before} bytes before, {} after", LIVE.load(Relaxed));
}

#[test]
fn what_has_ended_or_was_given_up_keeps_no_memory() {
    alone(what_has_ended_or_was_given_up_keeps_no_memory, &[], || {
        let hour = Duration::from_secs(3600);
        let ended = |task: Task<usize>| {
            let task = task.timeout(hour);
            wait_until(|| task.is_finished());
            task
        };
        const CALLS: &[(&str, Call)] = &[
            ("threads", threads::large),
            ("threads, high", threads::large_high),
            ("threads, low", threads::large_low),
            ("async", asynchronous::large),
            ("async, high", asynchronous::large_high),
            ("async, low", asynchronous::large_low),
        ];
        for (name, call) in CALLS {
            grows(name, 64 << 10, 1000, || ended(call()).detach());
            grows(name, 64 << 10, 1000, || drop(ended(call()).join()));
            grows(name, 64 << 10, 1000, || drop(call().timeout(hour)));
        }

        let (release, until) = mpsc::channel();
        let holder = device(Some(until), [0; _]);
        grows("given up under a limit", 128 << 10, 10_000, || drop(device(None, [0; _])));
        let live: Vec<_> = (0..100).map(|_| device(None, [0; _])).collect();
        grows("beside others that wait", 512 << 10, 10_000, || drop(device(None, [0; _])));
        release.send(()).unwrap();
        holder.join().unwrap();
        live.into_iter().for_each(|task| assert_eq!(task.join().unwrap(), 1000));
    });
}

/// What waits in the line of a worker with state, what has ended there, the worker and its line;
/// streams that end, and those that are given up.
#[test]
fn what_had_a_line_or_a_stream_keeps_no_memory() {
    alone(what_had_a_line_or_a_stream_keeps_no_memory, &[], || {
        type Make = fn() -> Calls;
        let modes: [(_, Make); 3] = [
            ("threads", threads::calls),
            ("async", asynchronous::calls),
            ("process", process::calls),
        ];
        for (mode, calls) in modes {
            let Calls { large, whole, yields, .. } = calls();
            let hour = Duration::from_secs(3600);
            let row = |name: &str| format!("{name}, {mode}");
            grows(&row("ended"), 64 << 10, 1000, || {
                let task = large().timeout(hour);
                wait_until(|| task.is_finished());
                task.detach();
            });
            grows(&row("joined"), 64 << 10, 1000, || drop(large().timeout(hour).join()));
            grows(&row("given up at once"), 128 << 10, 1000, || drop(large().timeout(hour)));
            // A process is made and ended for each.
            let rounds = if mode == "process" { 20 } else { 500 };
            grows(&row("whole"), 64 << 10, rounds, || assert_eq!(whole().join().unwrap(), 1000));
            grows(&row("whole, given up"), 64 << 10, rounds, || drop(whole()));

            // Another worker: in `process`, a call that is given up as it runs ends the value.
            let Calls { large, wait_for, .. } = calls();
            let gate = Gate::new();
            let holder = wait_for(gate.port());
            let entered = gate.entered();
            grows(&row("given up in line"), 128 << 10, 10_000, || drop(large()));
            let live: Vec<_> = (0..100).map(|_| large()).collect();
            grows(&row("beside others in line"), 512 << 10, 10_000, || drop(large()));
            drop(entered);
            holder.join().unwrap();
            live.into_iter().for_each(|task| assert_eq!(task.join().unwrap(), 1000));

            // The reader's thread keeps a few buffers for items, as many as it needed at a time.
            grows(&row("a stream"), 384 << 10, 500, || {
                assert_eq!(yields(10).into_iter().count(), 10)
            });
            grows(&row("a stream that is dropped"), 128 << 10, 500, || {
                assert!(yields(1000).into_iter().next().unwrap().is_ok());
            });
            grows(&row("a stream that nobody reads"), 128 << 10, 500, || drop(yields(1000)));
        }
    });
}

/// Yields eight at a time, and lets its reader's process take them before it goes on.
#[concurrent(process, ahead = 1_000_000)]
fn eights(count: u64, port: u16) -> impl Iterator<Item = u64> {
    (0..=count).inspect(move |&number| {
        if number % 8 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        if number == count {
            // All before it are on their way by then.
            let mut gate = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            _ = std::io::Read::read(&mut gate, &mut [0]);
        }
    })
}

/// Runs of few items wait in buffers of their length, not of the longest that a run may have.
#[test]
fn items_that_nobody_has_read_yet_keep_little_memory() {
    alone(items_that_nobody_has_read_yet_keep_little_memory, &[], || {
        const COUNT: u64 = 2000;
        let others_are_taken_in = || {
            assert_eq!(trine::block_on(process::yields(10).gather()).unwrap().len(), 10);
        };
        // What is made once is there before.
        (0..100).for_each(|_| others_are_taken_in());
        let gate = Gate::new();
        let before = LIVE.load(Relaxed);
        let stream = eights(COUNT, gate.port());
        let at_its_last = gate.entered();
        // Whoever takes these in has come by at the others before.
        (0..10).for_each(|_| others_are_taken_in());
        let live = LIVE.load(Relaxed).saturating_sub(before);
        println!("{live} bytes for {COUNT} items");
        assert!(live < 300 * COUNT as usize, "{live} bytes for {COUNT} items");
        drop(at_its_last);
        assert_eq!(stream.into_iter().count() as u64, COUNT + 1);
    });
}

/// A result is about as large as it was sent, for as long as nobody takes it.
#[test]
fn what_nobody_has_taken_yet_keeps_little_memory() {
    alone(what_nobody_has_taken_yet_keeps_little_memory, &[], || {
        type Text = fn() -> Task<Vec<u8>>;
        let modes: [(_, Text); 3] =
            [("threads", threads::text), ("async", asynchronous::text), ("process", process::text)];
        for (mode, text) in modes {
            text().join().unwrap();
            let before = LIVE.load(Relaxed);
            let tasks: Vec<_> = (0..10_000).map(|_| text()).collect();
            wait_until(|| tasks.iter().all(Task::is_finished));
            // What settles late is beside them.
            let each = LIVE.load(Relaxed).saturating_sub(before) / tasks.len();
            assert!(each < 1000, "{mode}: {each} bytes for a result of 100");
            tasks.into_iter().for_each(|task| assert_eq!(task.join().unwrap(), [1; 100]));
        }
    });
}

static BUSY: AtomicUsize = AtomicUsize::new(0);
static LET_GO: AtomicBool = AtomicBool::new(false);

fn keep_busy() {
    BUSY.fetch_add(1, Relaxed);
    while !LET_GO.load(Relaxed) {
        std::hint::spin_loop();
    }
}

#[concurrent(threads)]
fn keeps_a_thread_busy() {
    keep_busy();
}

#[concurrent(process)]
fn keeps_a_worker_busy() {
    loop {
        std::thread::park();
    }
}

const ONE_WORKER: &[(&str, &str)] = &[("TRINE_THREADS", "1"), ("TRINE_PROCESSES", "1")];

/// Nobody comes to the shells of what its caller has run, or given up.
#[test]
fn what_no_worker_comes_to_keeps_no_memory() {
    alone(what_no_worker_comes_to_keeps_no_memory, ONE_WORKER, || {
        let (thread, worker) = (keeps_a_thread_busy(), keeps_a_worker_busy());
        wait_until(|| BUSY.load(Relaxed) == 1);
        const JOINED: &[(&str, Call)] = &[
            ("usual", threads::large),
            ("high", threads::large_high),
            ("low", threads::large_low),
        ];
        for (name, call) in JOINED {
            grows(&format!("{name}, joined"), 1 << 20, 20_000, || drop(call().join()));
            grows(&format!("{name}, given up"), 1 << 20, 20_000, || drop(call()));
        }
        const GIVEN_UP: &[(&str, Call)] = &[
            ("usual", process::large),
            ("high", process::large_high),
            ("low", process::large_low),
        ];
        for (name, call) in GIVEN_UP {
            grows(&format!("{name} in process, given up"), 1 << 20, 20_000, || drop(call()));
        }
        LET_GO.store(true, Relaxed);
        thread.join().unwrap();
        drop(worker);
    });
}
