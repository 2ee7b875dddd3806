//! A row of calls each of which waits for the next has no bound, and each stack has one: whoever
//! joins runs the next one itself only while its own stack has room.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use trine::{Task, TaskIterator, concurrent, gather, race, scope};

/// On this stack a tenth of them would be too many. More than tokio has threads for by itself.
const STACK: usize = 256 << 10;
const LEVELS: u64 = 600;
/// More than a thread of the pool has room for.
const MANY: u64 = 10_000;
/// Only to end a hang.
const LONG: Duration = Duration::from_secs(60);

/// One level more than what it waits for.
type Way = fn(u64) -> u64;

#[concurrent(threads)]
fn plain(way: Way, below: u64) -> u64 {
    level(way, below)
}

#[concurrent(threads, retries = 1)]
fn with_retries(way: Way, below: u64) -> u64 {
    level(way, below)
}

#[concurrent(threads, limit = 100_000)]
fn with_limit(way: Way, below: u64) -> u64 {
    level(way, below)
}

#[concurrent(threads, timeout = 60s)]
fn with_timeout(way: Way, below: u64) -> u64 {
    level(way, below)
}

#[concurrent(threads, priority = high)]
fn with_priority(way: Way, below: u64) -> u64 {
    level(way, below)
}

#[concurrent(threads, scoped)]
fn scoped(way: &Way, below: u64) -> u64 {
    level(*way, below)
}

#[concurrent(threads)]
fn items(way: Way, below: u64) -> impl Iterator<Item = u64> {
    std::iter::once(level(way, below))
}

#[concurrent(process)]
fn elsewhere() {}

#[concurrent(async)]
async fn asynchronous(way: Way, below: u64) -> u64 {
    level(way, below)
}

struct Link(Way);

#[concurrent(threads)]
impl Link {
    pub(crate) fn new(way: Way) -> Self {
        Self(way)
    }
    pub(crate) fn level(&self, below: u64) -> u64 {
        level(self.0, below)
    }
}

fn level(way: Way, below: u64) -> u64 {
    if below == 0 { 0 } else { way(below - 1) + 1 }
}

fn join(below: u64) -> u64 {
    plain(join, below).join().unwrap()
}

fn retried(below: u64) -> u64 {
    with_retries(retried, below).join().unwrap()
}

fn limited(below: u64) -> u64 {
    with_limit(limited, below).join().unwrap()
}

fn timed(below: u64) -> u64 {
    with_timeout(timed, below).join().unwrap()
}

fn urgent(below: u64) -> u64 {
    with_priority(urgent, below).join().unwrap()
}

fn borrowing(below: u64) -> u64 {
    scope(|s| scoped(s, &(borrowing as Way), below).join().unwrap())
}

fn gathered(below: u64) -> u64 {
    gather([plain(gathered, below)]).join().unwrap()[0]
}

fn raced(below: u64) -> u64 {
    race([plain(raced, below)]).join().unwrap()
}

fn mapped(below: u64) -> u64 {
    plain(mapped, below).map(|levels| levels).join().unwrap()
}

fn mapped_from_elsewhere(below: u64) -> u64 {
    elsewhere().map(move |_| level(mapped_from_elsewhere, below)).join().unwrap()
}

fn mapped_and_driven(below: u64) -> u64 {
    futures::executor::block_on(elsewhere().map(move |_| level(mapped_and_driven, below))).unwrap()
}

fn on_tokio(below: u64) -> u64 {
    asynchronous(on_tokio, below).join().unwrap()
}

fn after_another(below: u64) -> u64 {
    plain(after_another, 0).then(move |_| plain(after_another, below)).join().unwrap()
}

fn buffered(below: u64) -> u64 {
    let mut levels = [below].into_iter().map(|below| plain(buffered, below)).buffered(1);
    levels.next().unwrap().unwrap()
}

fn iterated(below: u64) -> u64 {
    items(iterated, below).into_iter().next().unwrap().unwrap()
}

fn collected(below: u64) -> u64 {
    items(collected, below).gather().join().unwrap()[0]
}

fn with_state(below: u64) -> u64 {
    LinkWorker::new(with_state).level(below).join().unwrap()
}

const WAYS: &[(&str, Way)] = &[
    ("join", join),
    ("retries", retried),
    ("limit", limited),
    ("timeout", timed),
    ("priority", urgent),
    ("scope", borrowing),
    ("gather", gathered),
    ("race", raced),
    ("map", mapped),
    ("map of a process call", mapped_from_elsewhere),
    ("map of a process call, driven", mapped_and_driven),
    ("async", on_tokio),
    ("then", after_another),
    ("buffered", buffered),
    ("a stream", iterated),
    ("a stream gathered", collected),
    ("a worker with state", with_state),
];

#[test]
fn a_row_of_calls_that_wait_for_the_next_overflows_no_stack() {
    let rows = WAYS.iter().map(|&(name, way)| (name, way, LEVELS));
    for (name, way, most) in rows.chain([("joins", join as Way, MANY)]) {
        let (done, is_done) = mpsc::channel();
        let small = thread::Builder::new().stack_size(STACK).name(name.to_owned());
        small.spawn(move || done.send(level(way, most))).unwrap();
        let levels = is_done.recv_timeout(LONG).unwrap_or_else(|_| {
            eprintln!("{}", trine::stats());
            std::thread::sleep(Duration::from_secs(100));
            panic!("{name}: hangs")
        });
        assert_eq!(levels, most, "{name}");
    }
}

/// Waits for what follows from a task that has ended, in a way that no engine sees.
fn waits_in_its_own_way() {
    let (sender, receiver) = mpsc::channel();
    let ended = trine::sequential(|| plain(join, 0));
    ended.map(move |_| sender.send(()).unwrap()).detach();
    receiver.recv_timeout(LONG).expect("what follows is not left behind");
}

/// Where code of users runs below this many steps.
type Place = fn(Task<()>) -> Task<()>;

const STEPS: usize = 40;

const PLACES: &[(&str, Place)] = &[
    ("map", |task| {
        let last = (0..STEPS).fold(task, |task, _| task.map(|()| ()));
        last.map(|()| waits_in_its_own_way())
    }),
    ("then", |task| {
        let last = (0..STEPS).fold(task, |task, _| task.map(|()| ()));
        last.then(|()| {
            waits_in_its_own_way();
            trine::sequential(|| plain(join, 0)).map(|_| ())
        })
    }),
];

#[test]
fn code_below_many_steps_may_wait_in_its_own_way() {
    for &(name, place) in PLACES {
        for start in
            [|| plain(join, 0).map(|_| ()), elsewhere, || asynchronous(join, 0).map(|_| ())]
        {
            let (done, is_done) = mpsc::channel();
            thread::spawn(move || done.send(place(start()).join()));
            is_done.recv_timeout(LONG).unwrap_or_else(|_| panic!("{name}: hangs")).unwrap();
        }
    }
}
