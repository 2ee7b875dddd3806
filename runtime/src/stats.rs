//! Statistics of calls, for each function.
//!
//! A call is counted three times: when it is made, when its body starts and when it ends. Each
//! thread has its own block of counters, so counting is a load and a store, without contention;
//! `stats` adds the blocks up. A thread that ends leaves its blocks to the next one. Reading the
//! clock costs as much as the rest of a short call, so only a sample is timed: a function's first
//! calls on each thread, and then every 64th.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{
    AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};
use std::time::Instant;

use crate::error::{Error, ErrorKind};
use crate::sync::Lock;

mod display;
mod latency;
#[cfg(feature = "metrics")]
mod publish;

pub use self::latency::Latency;

/// How many first calls of a function are timed on a thread, and then one in how many.
const TIMED_FIRST: u64 = 1024;
const TIMED_EACH: u64 = 64;

/// What trine has done in this program so far; see [`stats`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// The called functions, in the order of their first calls.
    pub functions: Vec<FunctionStats>,
    /// The worker processes.
    pub workers: WorkerStats,
}

/// The statistics of one function.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FunctionStats {
    /// The function's name.
    pub name: &'static str,
    /// `threads`, `process` or `async`.
    pub mode: &'static str,
    /// Calls that have not started.
    pub queued: u64,
    /// Calls that have started and not ended; in `process`, those that were given to a worker.
    pub running: u64,
    /// Calls that have ended with a value, even if that is the function's own `Err`.
    pub done: u64,
    /// Calls that have ended with an error.
    pub failed: Failures,
    /// How often a call was retried. Each try counts as a call above.
    pub retries: u64,
    /// How long calls took from the call to the end, for a sample of them.
    pub latency: Latency,
}

/// Calls that have ended with an error, by its kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failures {
    /// [`ErrorKind::Panicked`].
    pub panicked: u64,
    /// [`ErrorKind::Crashed`] and [`ErrorKind::StackOverflow`].
    pub crashed: u64,
    /// [`ErrorKind::TimedOut`].
    pub timed_out: u64,
    /// [`ErrorKind::Cancelled`].
    pub cancelled: u64,
    /// [`ErrorKind::Busy`].
    pub busy: u64,
    /// [`ErrorKind::MemoryLimit`].
    pub memory_limit: u64,
    /// All other kinds: values that could not cross, workers that could not start, were lost or
    /// have stopped.
    pub other: u64,
}

impl Failures {
    /// The sum of all kinds.
    #[must_use]
    pub const fn total(&self) -> u64 {
        let Self { panicked, crashed, timed_out, cancelled, busy, memory_limit, other } = *self;
        panicked + crashed + timed_out + cancelled + busy + memory_limit + other
    }
}

/// Worker processes, of all `process` functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerStats {
    /// How many were started.
    pub starts: u64,
    /// How many have ended, for any reason.
    pub deaths: u64,
}

/// Returns statistics of all calls so far.
///
/// Counting is always on and costs a call a few nanoseconds. The numbers are exact once the calls
/// are over; during calls, some counters may be ahead of others. Calls inside of
/// [`sequential`](crate::sequential()) are not counted.
///
/// ```
/// use trine::concurrent;
///
/// #[concurrent(threads)]
/// fn half(number: u32) -> u32 {
///     assert!(number % 2 == 0, "an odd number");
///     number / 2
/// }
///
/// # std::panic::set_hook(Box::new(|_| {}));
/// assert_eq!(half(8).join()?, 4);
/// assert!(half(7).join().is_err());
/// let stats = trine::stats();
/// let half = stats.functions.iter().find(|function| function.name == "half").unwrap();
/// assert_eq!((half.done, half.failed.panicked), (1, 1));
/// println!("{}", stats); // one line for each function
/// # Ok::<(), trine::Error>(())
/// ```
#[must_use]
pub fn stats() -> Stats {
    let functions = RECORDS.lock().iter().map(|record| record.total()).collect();
    let workers =
        WorkerStats { starts: WORKER_STARTS.load(Relaxed), deaths: WORKER_DEATHS.load(Relaxed) };
    Stats { functions, workers }
}

/// All functions that were called.
static RECORDS: Lock<Vec<&'static Record>> = Lock::new(Vec::new());
static WORKER_STARTS: AtomicU64 = AtomicU64::new(0);
static WORKER_DEATHS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn worker_started() {
    WORKER_STARTS.fetch_add(1, Relaxed);
}

pub(crate) fn worker_ended() {
    WORKER_DEATHS.fetch_add(1, Relaxed);
}

/// Whether there was a moment just now at which all calls had ended: none was made while the others
/// were looked at.
pub(crate) fn all_ended() -> bool {
    let records = RECORDS.lock();
    let made = || records.iter().map(|record| record.sums().0).sum::<u64>();
    let before = made();
    let have_ended = records.iter().all(|record| {
        let (made, _, ended) = record.sums();
        made <= ended.iter().sum()
    });
    have_ended && made() == before
}

/// A function's entry in the records, made at its first call.
#[derive(Debug)]
pub(crate) struct Account(OnceLock<&'static Record>);

impl Account {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    #[inline]
    fn record(&self, name: &'static str, mode: &'static str) -> &'static Record {
        self.0.get_or_init(|| Record::register(name, mode))
    }

    pub(crate) fn retried(&self) {
        if let Some(record) = self.0.get() {
            record.retries.fetch_add(1, Relaxed);
        }
    }
}

/// A call that is counted.
#[derive(Clone, Copy)]
pub(crate) struct Counted {
    record: &'static Record,
    /// When it was made, in nanoseconds of [`now`]; 0 if it is not timed.
    made: u64,
}

impl Counted {
    /// A call that is being made.
    #[inline]
    pub(crate) fn made(account: &Account, name: &'static str, mode: &'static str) -> Self {
        let record = account.record(name, mode);
        let calls = record.mine().made.increment();
        let is_timed = calls < TIMED_FIRST || calls.is_multiple_of(TIMED_EACH);
        Self { record, made: if is_timed { now() } else { 0 } }
    }

    /// Its body starts, or it is cancelled before that.
    #[inline]
    pub(crate) fn started(&self) {
        self.record.mine().started.increment();
    }

    #[inline]
    pub(crate) fn ended<T>(&self, result: &Result<T, Error>) {
        let outcome = outcome(result);
        self.record.mine().ended[outcome].increment();
        if self.made > 0 {
            self.record.latency.note(now().saturating_sub(self.made));
        }
    }
}

const OUTCOMES: usize = 8;

/// The counter for an outcome.
#[inline]
fn outcome<T>(result: &Result<T, Error>) -> usize {
    match result.as_ref().map_err(Error::kind) {
        Ok(_) => 0,
        Err(ErrorKind::Panicked { .. }) => 1,
        Err(ErrorKind::Crashed { .. } | ErrorKind::StackOverflow) => 2,
        Err(ErrorKind::TimedOut { .. }) => 3,
        Err(ErrorKind::Cancelled) => 4,
        Err(ErrorKind::MemoryLimit) => 5,
        Err(ErrorKind::Busy) => 6,
        Err(_) => 7,
    }
}

/// Nanoseconds since the first call; never 0.
fn now() -> u64 {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let since = FIRST.get_or_init(Instant::now).elapsed();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX).max(1)
}

/// Everything recorded about a function.
#[derive(Debug)]
struct Record {
    /// Its index in the threads' lists.
    index: usize,
    name: &'static str,
    mode: &'static str,
    blocks: Lock<Vec<&'static Counts>>,
    /// For threads that are ending, whose lists are gone.
    shared: Counts,
    retries: AtomicU64,
    latency: latency::Histogram,
}

/// The counters of one thread for one function.
#[derive(Debug, Default)]
struct Counts {
    /// In use. The block of a thread that has ended goes to another thread.
    is_taken: AtomicBool,
    made: Count,
    started: Count,
    ended: [Count; OUTCOMES],
}

/// A number that one thread writes.
#[derive(Debug, Default)]
struct Count(AtomicU64);

impl Count {
    /// Adds one, and returns the previous number. If two threads write at once, which only ending
    /// threads do, one of two counts can be lost.
    #[inline]
    fn increment(&self) -> u64 {
        let count = self.0.load(Relaxed);
        // Whoever sees that a call has ended sees the calls that it has made.
        self.0.store(count + 1, Release);
        count
    }

    fn get(&self) -> u64 {
        self.0.load(Acquire)
    }
}

/// This thread's blocks, by the functions' indices.
#[derive(Default)]
struct Mine(RefCell<Vec<Option<&'static Counts>>>);

thread_local! {
    static MINE: Mine = const { Mine(RefCell::new(Vec::new())) };
    /// The function that was counted last, and where: mostly the next one is the same.
    static LATEST: Cell<Option<(&'static Record, &'static Counts)>> = const { Cell::new(None) };
}

impl Drop for Mine {
    fn drop(&mut self) {
        // What is counted from here on goes to the shared counts.
        LATEST.set(None);
        for counts in self.0.get_mut().iter().flatten() {
            counts.is_taken.store(false, Release);
        }
    }
}

impl Record {
    /// Leaks one: their number is bounded by the functions in the program.
    fn register(name: &'static str, mode: &'static str) -> &'static Self {
        let mut records = RECORDS.lock();
        let record = Box::leak(Box::new(Self {
            index: records.len(),
            name,
            mode,
            blocks: Lock::new(Vec::new()),
            shared: Counts::default(),
            retries: AtomicU64::new(0),
            latency: latency::Histogram::new(),
        }));
        records.push(record);
        record
    }

    /// This thread's counts.
    #[inline]
    fn mine(&'static self) -> &'static Counts {
        match LATEST.get() {
            Some((record, counts)) if ptr::eq(record, self) => counts,
            _ => self.find_mine(),
        }
    }

    fn find_mine(&'static self) -> &'static Counts {
        let found = MINE.try_with(|mine| {
            let mut blocks = mine.0.borrow_mut();
            if blocks.len() <= self.index {
                blocks.resize(self.index + 1, None);
            }
            let counts = *blocks[self.index].get_or_insert_with(|| self.block());
            LATEST.set(Some((self, counts)));
            counts
        });
        found.unwrap_or(&self.shared)
    }

    /// A block that no other thread uses.
    #[cold]
    fn block(&self) -> &'static Counts {
        let mut blocks = self.blocks.lock();
        let free = blocks.iter().find(|counts| !counts.is_taken.swap(true, Acquire));
        if let Some(free) = free {
            return free;
        }
        let counts: &Counts = Box::leak(Box::default());
        counts.is_taken.store(true, Relaxed);
        blocks.push(counts);
        counts
    }

    /// The sums over all threads: made, started, and ended by outcome.
    fn sums(&self) -> (u64, u64, [u64; OUTCOMES]) {
        let mut ended = [0; OUTCOMES];
        let blocks = self.blocks.lock();
        let all = || blocks.iter().copied().chain([&self.shared]);
        // Ends first, so that calls ending meanwhile count as running and no difference is
        // negative.
        for counts in all() {
            for (sum, count) in ended.iter_mut().zip(&counts.ended) {
                *sum += count.get();
            }
        }
        let started = all().map(|counts| counts.started.get()).sum();
        let made = all().map(|counts| counts.made.get()).sum();
        (made, started, ended)
    }

    fn total(&self) -> FunctionStats {
        let (made, started, ended) = self.sums();
        let [done, panicked, crashed, timed_out, cancelled, memory_limit, busy, other] = ended;
        let failed =
            Failures { panicked, crashed, timed_out, cancelled, busy, memory_limit, other };
        FunctionStats {
            name: self.name,
            mode: self.mode,
            queued: made.saturating_sub(started),
            running: started.saturating_sub(done + failed.total()),
            done,
            failed,
            retries: self.retries.load(Relaxed),
            latency: self.latency.read(),
        }
    }
}
