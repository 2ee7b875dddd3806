//! Whoever joins a call of `process` takes the replies to others too, but nothing that follows
//! those keeps it.

use std::env::temp_dir;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use trine::{Task, TaskIterator, concurrent, gather, race};
use trine_tests::checks::ends_in_time;
use trine_tests::programs::alone;

/// Which of the calls waits for [`file`].
const FIRST: u64 = 1;

/// It does not end before this file is there, nor before whoever makes it, and then joins another
/// call that is behind it at the same worker, serves that worker.
fn await_file(number: u64, file: &Path) {
    if number == FIRST {
        while !file.exists() {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn file() -> PathBuf {
    temp_dir().join(format!("trine-bystander-{}", std::process::id()))
}

#[concurrent(process)]
fn call_with(number: u64, file: &Path) -> Decoded {
    await_file(number, file);
    Decoded(number)
}

fn call(number: u64) -> Task<Decoded> {
    call_with(number, &file())
}

#[concurrent(process)]
fn items(number: u64, file: &Path) -> impl Iterator<Item = Decoded> {
    await_file(number, file);
    std::iter::once(Decoded(number))
}

/// One that says whether it is to be tried again.
#[concurrent(process, retries = 1, retry_if = is_to_be_repeated)]
fn tried(number: u64, file: &Path) -> u64 {
    await_file(number, file);
    number
}

fn is_to_be_repeated(_: Result<&u64, &trine::Error>) -> bool {
    wait_if_closed();
    false
}

struct Kept;

#[concurrent(process)]
impl Kept {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn call(&self, number: u64, file: &Path) {
        await_file(number, file);
    }
}

static WORKER: LazyLock<KeptWorker> = LazyLock::new(KeptWorker::new);

/// Opened once the other call has been joined.
type Gate = Arc<Mutex<Receiver<()>>>;

fn pass(gate: &Gate) {
    let _ = gate.lock().unwrap().recv();
}

/// What decoding the first value waits for, in this process alone.
static CLOSED: Mutex<Option<Gate>> = Mutex::new(None);

#[derive(Debug, PartialEq, Serialize)]
struct Decoded(u64);

impl<'de> Deserialize<'de> for Decoded {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(from)?;
        if number == FIRST {
            wait_if_closed();
        }
        Ok(Self(number))
    }
}

fn wait_if_closed() {
    let gate = CLOSED.lock().unwrap().clone();
    gate.iter().for_each(pass);
}

/// A waker of somebody else's executor.
struct Blocking(Gate);

impl Wake for Blocking {
    fn wake(self: Arc<Self>) {
        pass(&self.0);
    }
}

/// Waits when it is dropped.
struct Dropped(Gate);

impl Drop for Dropped {
    fn drop(&mut self) {
        pass(&self.0);
    }
}

/// Makes the first call, and what follows it and waits for the gate.
type Begin = fn(Gate) -> Task<()>;

const FOLLOWING: &[(&str, Begin)] = &[
    ("map", |gate| call(FIRST).map(move |_| pass(&gate))),
    ("then", |gate| {
        call(FIRST).then(move |_| {
            pass(&gate);
            call(2).map(drop)
        })
    }),
    ("a closure that is dropped", |gate| {
        let dropped = Dropped(gate);
        call(FIRST).map(move |_| drop(dropped))
    }),
    ("a gather that decodes", |gate| {
        *CLOSED.lock().unwrap() = Some(gate);
        gather([call(FIRST)]).map(drop)
    }),
    ("a race that decodes", |gate| {
        *CLOSED.lock().unwrap() = Some(gate);
        race([call(FIRST)]).map(drop)
    }),
    ("a stream that is gathered", |gate| {
        *CLOSED.lock().unwrap() = Some(gate);
        items(FIRST, &file()).gather().map(drop)
    }),
    ("a retry that asks", |gate| {
        *CLOSED.lock().unwrap() = Some(gate);
        tried(FIRST, &file()).map(drop)
    }),
    ("a waker", |gate| {
        let mut task = call(FIRST).map(drop);
        let waker = Waker::from(Arc::new(Blocking(gate)));
        assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
        task
    }),
];

/// How the other call is joined.
const JOINING: &[(&str, fn())] = &[
    ("join", || assert_eq!(call(3).join().unwrap(), Decoded(3))),
    ("a gather", || assert_eq!(gather([3, 4].map(call)).join().unwrap(), [3, 4].map(Decoded))),
    ("a map", || assert_eq!(call(3).map(|number| number.0 + 1).join().unwrap(), 4)),
    ("a then", || assert_eq!(call(3).then(|_| call(4)).join().unwrap(), Decoded(4))),
    ("buffered calls", || {
        let all = [3, 4].into_iter().map(call).buffered(2).collect::<Result<Vec<_>, _>>();
        assert_eq!(all.unwrap(), [3, 4].map(Decoded));
    }),
    ("a race", || assert_eq!(race([call(3)]).join().unwrap(), Decoded(3))),
    ("a deadline", || {
        assert_eq!(call(3).timeout(Duration::from_secs(60)).join().unwrap(), Decoded(3));
    }),
    ("a stream", || assert_eq!(items(3, &file()).gather().join().unwrap(), [Decoded(3)])),
    ("block_on", || assert_eq!(trine::block_on(call(3)).unwrap(), Decoded(3))),
];

/// Joins while the gate is closed.
fn join_beside(following: &str, begin: Begin, joining: &str, join: fn()) {
    let (open, gate): (Sender<()>, _) = channel();
    let first = begin(Arc::new(Mutex::new(gate)));
    fs::write(file(), []).unwrap();
    ends_in_time(&format!("{joining} beside {following}"), join);
    drop(open);
    first.join().unwrap();
    *CLOSED.lock().unwrap() = None;
    fs::remove_file(file()).unwrap();
}

#[test]
fn a_joiner_is_not_kept_by_what_follows_other_calls() {
    const ONE: &[(&str, &str)] = &[("TRINE_PROCESSES", "1")];
    alone(a_joiner_is_not_kept_by_what_follows_other_calls, ONE, || {
        // There is a worker.
        call(0).join().unwrap();
        for (following, begin) in FOLLOWING {
            for (joining, join) in JOINING {
                join_beside(following, *begin, joining, *join);
            }
        }
        let follows: Begin = |gate| WORKER.call(FIRST, &file()).map(move |()| pass(&gate));
        let join = || WORKER.call(2, &file()).join().unwrap();
        join_beside("a map", follows, "a worker's call", join);
    });
}
