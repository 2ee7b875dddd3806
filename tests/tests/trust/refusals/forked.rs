//! A child that a program with a pool forks without exec. It has none of the threads, so a call
//! that needs one is an error there, and what is queued does not run a second time.

use std::path::Path;
use std::process::exit;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use trine::{Error, ErrorKind, Stream, Task, TaskSet, concurrent, gather};
use trine_tests::checks::wait_until;

use super::calls::{AsyncKeeperWorker, Call, KeeperWorker};
use super::{CALLS, HELD, WAYS, hold, watch};

/// Runs this in a forked child; in the parent, returns whether the child ended well.
pub(crate) fn in_child(run: impl FnOnce()) -> bool {
    // SAFETY: the child does only what a forked program may do.
    match unsafe { libc::fork() } {
        0 => {
            watch();
            run();
            exit(0);
        }
        child => ended_well(child),
    }
}

pub(crate) fn ended_well(child: libc::pid_t) -> bool {
    let mut status = 0;
    // SAFETY: a child of this process.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    status == 0
}

fn warm() {
    watch();
    assert_eq!(gather((0..8).map(|_| super::plain())).join().unwrap(), [7; 8]);
}

pub(crate) fn is_told(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::Worker { message } if message.contains("forked"))
}

pub(crate) fn calls_of_a_child() {
    warm();
    for (way, wait) in WAYS {
        for (name, call) in CALLS {
            let ended = in_child(|| match wait(name, *call) {
                Ok(value) => assert_eq!(value, 7),
                Err(error) => assert!(is_told(error.kind()), "{error}"),
            });
            assert!(ended, "{way} of {name}");
        }
    }
    assert!(in_child(|| assert_eq!(trine::join(|| 1, || 2), (1, 2))));
    // None of this has hurt the parent.
    assert_eq!(gather((0..8).map(|_| super::plain())).join().unwrap(), [7; 8]);
    println!("all ended");
}

pub(crate) fn calls_of_its_parent() {
    warm();
    let (feed, until) = channel();
    let running = hold(until);
    wait_until(|| HELD.load(Ordering::SeqCst) == 1);
    let mut running = Some(running);
    assert!(in_child(|| {
        let running = running.take().unwrap();
        let error = running.join_timeout(Duration::from_secs(50)).unwrap().unwrap_err();
        assert!(is_told(error.kind()), "{error}");
    }));
    drop(feed);
    running.unwrap().join().unwrap();
    // Nor does the child touch the memory that is shared with a worker.
    type Wait = fn(Task<()>) -> Result<(), Error>;
    for wait in [Task::join as Wait, futures::executor::block_on] {
        let folder = std::env::temp_dir().join(format!("trine-forked-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let mut running = Some(stay(&folder));
        wait_until(|| folder.join("runs").exists());
        assert!(in_child(|| {
            let error = wait(running.take().unwrap()).unwrap_err();
            assert!(is_told(error.kind()), "{error}");
        }));
        std::fs::remove_dir_all(&folder).unwrap();
        running.unwrap().join().unwrap();
    }
    println!("all ended");
}

#[concurrent(threads)]
fn count() -> impl Iterator<Item = u32> {
    0..ITEMS
}

#[concurrent(async)]
fn count_polled() -> impl futures::Stream<Item = u32> {
    futures::stream::iter(0..ITEMS)
}

#[concurrent(process)]
fn count_elsewhere() -> impl Iterator<Item = u32> {
    0..ITEMS
}

/// More than may be on the way.
const ITEMS: u32 = 10_000;

/// What a child does with a stream of which its parent has read the first item.
const READ: &[fn(Stream<u32>)] = &[
    drop,
    |stream| all_or_told(stream.into_iter()),
    |mut stream| {
        let next = || futures::executor::block_on(futures::StreamExt::next(&mut stream));
        all_or_told(std::iter::from_fn(next));
    },
    |stream| {
        let error = stream.gather().join().unwrap_err();
        assert!(is_told(error.kind()), "{error}");
    },
];

/// What had come by then, and an error as the last one.
fn all_or_told(items: impl Iterator<Item = Result<u32, Error>>) {
    let mut items: Vec<_> = items.collect();
    let error = items.pop().unwrap().unwrap_err();
    assert!(is_told(error.kind()), "{error}");
    assert!((1..).zip(items).all(|(number, item)| item.unwrap() == number));
}

pub(crate) fn streams_of_its_parent() {
    warm();
    for make in [count as fn() -> _, count_polled, count_elsewhere] {
        for read in READ {
            let mut stream = make();
            let first = futures::executor::block_on(futures::StreamExt::next(&mut stream));
            assert_eq!(first.unwrap().unwrap(), 0);
            let mut stream = Some(stream);
            assert!(in_child(|| read(stream.take().unwrap())));
            assert!(stream.unwrap().into_iter().map(Result::unwrap).eq(1..ITEMS));
        }
    }
    println!("all ended");
}

static KEEPER: LazyLock<KeeperWorker> = LazyLock::new(KeeperWorker::new);
static ASYNC_KEEPER: LazyLock<AsyncKeeperWorker> = LazyLock::new(AsyncKeeperWorker::new);
static KEEPER_ELSEWHERE: LazyLock<KeeperElsewhereWorker> =
    LazyLock::new(KeeperElsewhereWorker::new);

struct KeeperElsewhere;

#[concurrent(process)]
impl KeeperElsewhere {
    pub(crate) fn new() -> Self {
        Self
    }
    pub(crate) fn value(&self) -> u32 {
        7
    }
}

/// To workers with state that were there before the fork.
const KEPT: &[Call] = &[
    || KEEPER.value(),
    || KEEPER.change(),
    || ASYNC_KEEPER.value(),
    || KEEPER_ELSEWHERE.value(),
    || {
        KEEPER_ELSEWHERE.restart();
        KEEPER_ELSEWHERE.value()
    },
    || {
        KEEPER.clone().stop();
        KEEPER.value().outcome().map(|_| 7)
    },
];

pub(crate) fn workers_of_its_parent() {
    warm();
    let check = || KEPT[..4].iter().for_each(|call| assert_eq!(call().join().unwrap(), 7));
    check();
    for (way, wait) in WAYS {
        for (index, call) in KEPT.iter().enumerate() {
            let ended = in_child(|| match wait(way, *call) {
                Ok(value) => assert_eq!(value, 7),
                Err(error) => assert!(is_told(error.kind()), "{error}"),
            });
            assert!(ended, "{way} of {index}");
        }
    }
    check();
    println!("all ended");
}

static ARE_BUSY: AtomicBool = AtomicBool::new(true);

/// Handles of each kind, of calls that may be queued, pending, running or over.
struct Handles {
    tasks: Vec<Task<u32>>,
    set: TaskSet<u32>,
    streams: Vec<Stream<u32>>,
    worker: KeeperWorker,
}

fn handles() -> Handles {
    let (plain, timed) = (
        CALLS.iter().map(|(_, call)| call()),
        CALLS.iter().map(|(_, call)| call().timeout(Duration::from_secs(50)).map(|value| value)),
    );
    let kept = KEPT[..4].iter().map(|call| call());
    let together = gather(CALLS[2..].iter().map(|(_, call)| call())).map(|values| values[0]);
    Handles {
        tasks: plain.chain(timed).chain(kept).chain([together]).collect(),
        set: CALLS.iter().map(|(_, call)| call()).collect(),
        streams: vec![count(), count_polled(), count_elsewhere()],
        worker: KeeperWorker::new(),
    }
}

/// What another thread has locked at the fork stays so in the child, which must not wait for it.
pub(crate) fn while_others_work() {
    warm();
    KEPT[..4].iter().for_each(|call| assert_eq!(call().join().unwrap(), 7));
    let are_busy = || ARE_BUSY.load(Ordering::Relaxed);
    let busy = [(); 2].map(|()| {
        std::thread::spawn(move || {
            while are_busy() {
                drop(handles())
            }
        })
    });
    for ends in 0..60 {
        let mut handles = Some(handles());
        let ended = in_child(|| {
            let Handles { tasks, mut set, streams, worker } = handles.take().unwrap();
            for (index, task) in tasks.into_iter().enumerate() {
                match (index + ends) % 4 {
                    0 => _ = task.join(),
                    1 => _ = futures::executor::block_on(task),
                    2 => task.cancel(),
                    _ => drop(task),
                }
            }
            for stream in streams {
                if ends % 2 == 0 { all_or_told(stream.into_iter()) } else { drop(stream) }
            }
            while ends % 3 > 0 && set.join_next().is_some() {}
            CALLS.iter().for_each(|(_, call)| drop(call().timeout(Duration::from_secs(50))));
            worker.restart();
            assert!(!worker.is_alive());
            _ = worker.value().join();
        });
        assert!(ended, "the {ends}th");
    }
    ARE_BUSY.store(false, Ordering::Relaxed);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
    println!("all ended");
}

/// What runs inline needs nobody, also of the kinds whose calls are refused.
pub(crate) fn in_sequence() {
    warm();
    KEPT[..4].iter().for_each(|call| assert_eq!(call().join().unwrap(), 7));
    for (way, wait) in WAYS {
        // A deadline of few milliseconds may come first.
        let is_brief = way.contains("timeout") || *way == "finished";
        for (name, call) in CALLS.iter().filter(|(name, _)| !name.contains("behind")) {
            let ended = in_child(|| match trine::sequential(|| wait(name, *call)) {
                Ok(value) => assert_eq!(value, 7),
                Err(error) => assert!(is_brief && error.is_timeout(), "{error}"),
            });
            assert!(ended, "{way} of {name}");
        }
    }
    println!("all ended");
}

#[concurrent(threads, scoped)]
fn borrow_until(until: &Mutex<Receiver<()>>) -> u32 {
    HELD.fetch_add(1, Ordering::SeqCst);
    until.lock().unwrap().recv().map_or(0, |()| 7)
}

/// A child cannot wait for the calls of a scope, nor go on beside what they borrow.
pub(crate) fn inside_a_scope() {
    warm();
    let ((feed, until), calm) = (channel(), Mutex::new(channel().1));
    let until = Mutex::new(until);
    let parent = std::process::id();
    let mut child = 0;
    trine::scope(|s| {
        let over = borrow_until(s, &calm);
        assert_eq!(over.join().unwrap(), 0);
        let runs = borrow_until(s, &until);
        wait_until(|| HELD.load(Ordering::SeqCst) == 2);
        // SAFETY: the child leaves the scope, which ends it.
        child = unsafe { libc::fork() };
        if child == 0 {
            watch();
            let error = runs.join().unwrap_err();
            assert!(is_told(error.kind()), "{error}");
            return;
        }
        feed.send(()).unwrap();
        assert_eq!(runs.join().unwrap(), 7);
    });
    assert_eq!(std::process::id(), parent, "it left the scope");
    let mut status = 0;
    // SAFETY: a child of this process.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGABRT, "{status}");
    println!("all ended");
}

/// Runs until the folder is gone.
#[concurrent(process)]
fn stay(folder: &Path) {
    std::fs::write(folder.join("runs"), "").unwrap();
    wait_until(|| !folder.exists());
}

#[concurrent(threads)]
fn fork_and_return() -> libc::pid_t {
    // SAFETY: the child returns from the body, and does nothing else.
    unsafe { libc::fork() }
}

#[concurrent(threads)]
fn write(to: libc::c_int) {
    // SAFETY: an open descriptor, and one byte.
    assert_eq!(unsafe { libc::write(to, c"x".as_ptr().cast(), 1) }, 1);
}

pub(crate) fn a_body_that_forks() {
    watch();
    let mut pipe = [0; 2];
    // SAFETY: room for two descriptors.
    assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
    let forks = fork_and_return();
    let writes: Vec<_> = (0..1000).map(|_| write(pipe[1])).collect();
    // Awaited, so that this thread does not run it.
    let child = futures::executor::block_on(forks).unwrap();
    assert!(ended_well(child));
    writes.into_iter().for_each(|write| write.join().unwrap());
    // SAFETY: nobody else has it.
    unsafe { libc::close(pipe[1]) };
    let mut bytes = [0; 4096];
    // SAFETY: no more bytes than there is room for.
    let count = unsafe { libc::read(pipe[0], bytes.as_mut_ptr().cast(), bytes.len()) };
    assert_eq!(count, 1000, "what was queued ran again in the child");
    println!("all ended");
}

pub(crate) fn inside_a_join() {
    watch();
    static TAKEN: AtomicBool = AtomicBool::new(false);
    static GO: AtomicBool = AtomicBool::new(false);
    static ROUNDS: AtomicUsize = AtomicUsize::new(0);
    let mut child = 0;
    let forked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        trine::join(
            || {
                wait_until(|| TAKEN.load(Ordering::SeqCst));
                // SAFETY: the child leaves the join through its panic.
                child = unsafe { libc::fork() };
                GO.store(true, Ordering::SeqCst);
            },
            || {
                TAKEN.store(true, Ordering::SeqCst);
                wait_until(|| GO.load(Ordering::SeqCst));
                ROUNDS.fetch_add(1, Ordering::SeqCst);
            },
        )
    }));
    if child == 0 {
        let panic = forked.unwrap_err();
        assert!(panic.downcast_ref::<&str>().unwrap().contains("in a forked child"));
        exit(0);
    }
    assert!(ended_well(child) && forked.is_ok());
    assert_eq!(ROUNDS.load(Ordering::SeqCst), 1);
    println!("all ended");
}
