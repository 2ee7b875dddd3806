//! Values whose destructors always panic, of which trine drops several in one breath. Two panics at
//! once would end the program, so it drops them one by one.

use std::io::Read as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use serde::{Deserialize, Deserializer, Serialize};
use trine::{Stream, Task, TaskIterator, TaskSet, concurrent, gather, race};
use trine_tests::checks::{ends_in_time, wait_until};
use trine_tests::gate::Gate;
use trine_tests::programs::alone;

use super::{QUIETLY, RUNS, contained};

/// Set only in the test's own process, so that workers can drop these.
static ARMED: AtomicBool = AtomicBool::new(false);

#[derive(Serialize, Deserialize)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!ARMED.load(SeqCst), "a bomb");
    }
}

/// A bomb that cannot be taken out of what a worker sends.
#[derive(Serialize, Deserialize)]
struct Undecodable(Bomb, #[serde(deserialize_with = "refuse")] bool);

fn refuse<'de, D: Deserializer<'de>>(_: D) -> Result<bool, D::Error> {
    Err(serde::de::Error::custom("refused"))
}

/// Three bombs, and then another or a panic.
fn bombs(fails: bool) -> impl Iterator<Item = Bomb> {
    (0..4).map(move |number| {
        assert!(!fails || number < 3, "on purpose");
        Bomb
    })
}

/// How many bombs were asked for in this process, of those that lie ready.
static ASKED: AtomicUsize = AtomicUsize::new(0);

fn ready() -> impl Iterator<Item = Bomb> {
    vec![Bomb, Bomb, Bomb].into_iter().inspect(|_| _ = ASKED.fetch_add(1, SeqCst))
}

fn wait_at(port: u16) {
    let _ = TcpStream::connect(("127.0.0.1", port)).unwrap().read(&mut [0]);
}

struct Mode {
    name: &'static str,
    bomb: fn() -> Task<Bomb>,
    fails: fn() -> Task<Bomb>,
    undecodable: fn() -> Task<Undecodable>,
    stream: fn(bool) -> Stream<Bomb>,
    /// Waits for its reader after each item.
    ready: fn() -> Stream<Bomb>,
    /// Waits at the gate, if there is one; one at a time.
    in_line: fn(Option<u16>, Bomb) -> Task<Bomb>,
}

macro_rules! mode {
    ($module:ident, $mode:ident, $stream:ty, $make:expr, $($async:ident)?) => {
        mod $module {
            use super::{Bomb, Mode, Undecodable};
            use trine::concurrent;

            pub(super) const MODE: Mode = Mode {
                name: stringify!($mode),
                bomb,
                fails,
                undecodable,
                stream,
                ready,
                in_line,
            };

            #[concurrent($mode)]
            $($async)? fn bomb() -> Bomb {
                Bomb
            }
            #[concurrent($mode)]
            $($async)? fn fails() -> Bomb {
                panic!("on purpose")
            }
            #[concurrent($mode)]
            $($async)? fn undecodable() -> Undecodable {
                Undecodable(Bomb, false)
            }
            #[concurrent($mode)]
            fn stream(fails: bool) -> $stream {
                $make(super::bombs(fails))
            }
            #[concurrent($mode, ahead = 1)]
            fn ready() -> $stream {
                $make(super::ready())
            }
            #[concurrent($mode, limit = 1)]
            $($async)? fn in_line(port: Option<u16>, bomb: Bomb) -> Bomb {
                port.into_iter().for_each(super::wait_at);
                bomb
            }
        }
    };
}

mode!(threads, threads, impl Iterator<Item = Bomb>, std::convert::identity,);
mode!(process, process, impl Iterator<Item = Bomb>, std::convert::identity,);
mode!(asynchronous, async, impl futures::Stream<Item = Bomb>, futures::stream::iter, async);

const MODES: &[Mode] = &[threads::MODE, process::MODE, asynchronous::MODE];

/// Until nothing runs that a row has called: what was yielded is there, and values are.
fn wait_for_all() {
    let is_ours = |name| ["bomb", "fails", "stream"].contains(&name);
    wait_until(|| {
        let mut ours = trine::stats().functions.into_iter().filter(|one| is_ours(one.name));
        ours.all(|one| one.queued + one.running == 0)
    });
}

struct Kept(#[allow(dead_code)] Bomb);

#[concurrent(async, copies = 2)]
impl Kept {
    pub(crate) async fn new() -> Self {
        Self(Bomb)
    }
    pub(crate) async fn value(&self) -> u32 {
        7
    }
}

#[concurrent(async)]
async fn keeps(bomb: Bomb) {
    std::future::pending::<()>().await;
    drop(bomb);
}

type Row = fn(&Mode);

const ROWS: &[(&str, Row)] = &[
    ("a stream", |mode| {
        let stream = (mode.stream)(false);
        wait_for_all();
        drop(stream);
    }),
    ("a stream of which one item was read", |mode| {
        let mut stream = (mode.stream)(false);
        wait_for_all();
        std::mem::forget((&mut stream).into_iter().next());
        drop(stream);
    }),
    ("a stream that fails", |mode| {
        let mut stream = (mode.stream)(true);
        wait_for_all();
        std::mem::forget((&mut stream).into_iter().next());
        drop(stream);
    }),
    ("the items of a stream that fails", |mode| {
        assert!((mode.stream)(true).gather().join().is_err_and(|error| error.is_panic()));
    }),
    ("the items of a stream", |mode| {
        let items = (mode.stream)(false).gather();
        wait_until(|| items.is_finished());
        drop(items);
        (mode.stream)(false).gather().detach();
        drop((mode.stream)(false).gather());
    }),
    ("what was sent", |_| {
        for is_gathered in [true, false] {
            let (sender, stream) = trine::channel(8);
            (0..4).for_each(|_| std::mem::forget(sender.send(Bomb)));
            if is_gathered { drop(stream.gather()) } else { drop(stream) }
        }
    }),
    ("values together", |mode| {
        gather([(mode.bomb)(), (mode.bomb)()]).detach();
        gather((0..4).map(|_| (mode.bomb)())).detach();
        gather(((mode.bomb)(), (mode.bomb)())).detach();
        let list = gather((0..4).map(|_| (mode.bomb)()));
        let array = gather([(mode.bomb)(), (mode.bomb)()]);
        let tuple = gather(((mode.bomb)(), (mode.bomb)()));
        wait_until(|| list.is_finished() && array.is_finished() && tuple.is_finished());
        contained(|| drop(list));
        contained(|| drop(array));
        contained(|| drop(tuple));
    }),
    ("values beside a failure", |mode| {
        let together = gather([(mode.bomb)(), (mode.bomb)(), (mode.fails)()]);
        assert!(together.join().is_err_and(|error| error.is_panic()));
        let together = gather(((mode.bomb)(), (mode.bomb)(), (mode.undecodable)()));
        std::mem::forget(together.join());
    }),
    ("values of a race, a set and a window", |mode| {
        let bombs: Vec<_> = (0..4).map(|_| (mode.bomb)()).collect();
        wait_for_all();
        std::mem::forget(race(bombs).join());
        let set: TaskSet<_> = (0..4).map(|_| (mode.bomb)()).collect();
        wait_for_all();
        drop(set);
        let mut window = (0..9).map(|_| (mode.bomb)()).buffered(4);
        std::mem::forget(window.next());
        wait_for_all();
        drop(window);
        let mut window = (0..9).map(|_| (mode.bomb)()).buffer_unordered(4);
        std::mem::forget(window.next());
        wait_for_all();
        drop(window);
    }),
];

/// What makes no sense in sequence.
const OUT_OF_SEQUENCE: &[(&str, Row)] = &[
    ("an item that was not wanted, and its iterator", |mode| {
        let before = ASKED.load(SeqCst);
        let stream = (mode.ready)();
        if mode.name != "process" {
            wait_until(|| ASKED.load(SeqCst) == before + 2);
        }
        drop(stream);
    }),
    ("arguments in line", |mode| {
        if mode.name == "process" {
            // They are bytes in line, and whoever calls has dropped them.
            return;
        }
        let gate = Gate::new();
        let first = (mode.in_line)(Some(gate.port()), Bomb);
        let let_go = gate.entered();
        drop((0..300).map(|_| (mode.in_line)(None, Bomb)).collect::<Vec<_>>());
        drop(let_go);
        std::mem::forget(first.join());
    }),
    ("what was on a runtime that is gone", |_| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let context = runtime.enter();
        let kept = KeptWorker::new();
        assert_eq!(kept.value().join().unwrap(), 7);
        let tasks: Vec<_> = (0..20).map(|_| keeps(Bomb)).collect();
        drop(context);
        drop(runtime);
        drop(kept);
        assert!(tasks.into_iter().all(|task| task.join().is_err()));
    }),
];

#[test]
fn values_that_panic_are_dropped_one_by_one() {
    alone(values_that_panic_are_dropped_one_by_one, QUIETLY, || {
        ARMED.store(true, SeqCst);
        for (rows, runs) in [(ROWS, &RUNS[..]), (OUT_OF_SEQUENCE, &RUNS[..1])] {
            for (name, row) in rows {
                for (mode, (run_name, run)) in each(MODES, runs) {
                    let name = format!("{}{run_name}, {name}", mode.name);
                    println!("{name}");
                    ends_in_time(&name, || run(&|| row(mode)));
                    ends_in_time(&name, bystanders_are_well);
                }
            }
        }
    });
}

fn each<'a, A, B>(some: &'a [A], others: &'a [B]) -> impl Iterator<Item = (&'a A, &'a B)> {
    some.iter().flat_map(move |one| others.iter().map(move |other| (one, other)))
}

fn bystanders_are_well() {
    for mode in MODES {
        std::mem::forget((mode.bomb)().join().unwrap());
    }
}
