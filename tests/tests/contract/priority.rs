//! `priority`: of calls that wait for the same worker, those with a high one start first and those
//! with a low one last; and in whatever order, every call ends.

use std::io::Read;
use std::net::TcpStream;

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use trine::{Task, gather};
use trine_tests::gate::Gate;
use trine_tests::programs::alone;

/// The functions of one mode. Each call of `HIGH`, `USUAL` or `LOW` returns how many of them have
/// run before.
struct Mode {
    name: &'static str,
    /// Keeps its worker busy, without a wait, until it is let go.
    occupies: fn(&Gate) -> (Task<()>, TcpStream),
    high: &'static [fn() -> Task<u32>],
    usual: fn() -> Task<u32>,
    low: &'static [fn() -> Task<u32>],
    high_scoped: fn(&mut dyn FnMut()) -> u32,
}

/// How a body comes to the gate.
trait Way {
    fn to(gate: &Gate) -> Self;
    fn connected(self) -> TcpStream;
}

/// In this program it is connected already: to connect is a wait, in which the pool would let
/// others run.
impl Way for TcpStream {
    fn to(gate: &Gate) -> Self {
        Port::to(gate).connected()
    }

    fn connected(self) -> TcpStream {
        self
    }
}

#[derive(Serialize, Deserialize)]
struct Port(u16);

impl Way for Port {
    fn to(gate: &Gate) -> Self {
        Self(gate.port())
    }

    fn connected(self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.0)).unwrap()
    }
}

/// The call, and what lets it go, once it has begun.
fn occupied<W: Way>(gate: &Gate, occupies: fn(W) -> Task<()>) -> (Task<()>, TcpStream) {
    let long = occupies(W::to(gate));
    let mut inside = gate.entered();
    inside.read_exact(&mut [0]).unwrap();
    (long, inside)
}

macro_rules! mode {
    ($module:ident, $mode:ident, $way:ident, $($async:ident)?) => {
        mod $module {
            use std::io::{Read, Write};
            use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

            use super::Way;
            use trine::concurrent;

            pub(super) const MODE: super::Mode = super::Mode {
                name: stringify!($mode),
                occupies: |gate| super::occupied(gate, occupies),
                high: &[high, high_limited, high_retried],
                usual,
                low: &[low, low_limited],
                high_scoped,
            };

            static RAN: AtomicU32 = AtomicU32::new(0);

            #[concurrent($mode)]
            $($async)? fn occupies(way: super::$way) {
                let mut gate = way.connected();
                gate.set_nonblocking(true).unwrap();
                gate.write_all(&[0]).unwrap();
                while gate.read(&mut [0]).is_err() {
                    std::hint::spin_loop();
                }
            }

            #[concurrent($mode, priority = high)]
            $($async)? fn high() -> u32 {
                RAN.fetch_add(1, SeqCst)
            }

            #[concurrent($mode, priority = high, limit = 100, queue = 100)]
            $($async)? fn high_limited() -> u32 {
                RAN.fetch_add(1, SeqCst)
            }

            #[concurrent($mode, priority = high, retries = 1)]
            $($async)? fn high_retried() -> u32 {
                RAN.fetch_add(1, SeqCst)
            }

            #[concurrent($mode)]
            $($async)? fn usual() -> u32 {
                RAN.fetch_add(1, SeqCst)
            }

            #[concurrent($mode, priority = low)]
            $($async)? fn low() -> u32 {
                RAN.fetch_add(1, SeqCst)
            }

            #[concurrent($mode, priority = low, limit = 100)]
            $($async)? fn low_limited() -> u32 {
                RAN.fetch_add(1, SeqCst)
            }

            #[concurrent($mode, priority = high, scoped)]
            $($async)? fn borrows(_: &u32) -> u32 {
                RAN.fetch_add(1, SeqCst)
            }

            fn high_scoped(let_go: &mut dyn FnMut()) -> u32 {
                trine::scope(|s| {
                    let task = borrows(s, &7);
                    let_go();
                    // Awaited, since a join would lend a hand.
                    trine::block_on(task)
                })
                .unwrap()
            }
        }
    };
}

mode!(threads, threads, TcpStream,);
mode!(process, process, Port,);
mode!(asynchronous, async, TcpStream, async);

const MODES: &[Mode] = &[threads::MODE, process::MODE, asynchronous::MODE];
const ONE_WORKER: &[(&str, &str)] = &[("TRINE_THREADS", "1"), ("TRINE_PROCESSES", "1")];

#[test]
fn high_starts_first_and_low_last() {
    alone(high_starts_first_and_low_last, ONE_WORKER, || MODES.iter().for_each(starts_in_order));
}

fn starts_in_order(mode: &Mode) {
    let Mode { name, occupies, high, usual, low, .. } = mode;
    // In the mode `async`, the order begins with the first call of a function with a priority.
    let mut ran = trine::block_on(high[0]()).unwrap() + 1;
    for round in 0..20 {
        let gate = Gate::new();
        let (long, inside) = occupies(&gate);
        let mut tasks: [Vec<Task<u32>>; 3] = [vec![], vec![], vec![]];
        for turn in 0..6 {
            tasks[2].push(low[turn % low.len()]());
            tasks[1].push(usual());
            tasks[0].push(high[turn % high.len()]());
        }
        // One that leaves the line.
        drop((high[0](), low[0]()));
        drop(inside);
        for rank in tasks {
            // Awaited, since a join would lend a hand.
            let places = trine::block_on(join_all(rank));
            let mut places: Vec<_> = places.into_iter().map(Result::unwrap).collect();
            places.sort_unstable();
            assert_eq!(places, Vec::from_iter(ran..ran + 6), "{name}, round {round}");
            ran += 6;
        }
        long.join().unwrap();
    }
}

#[test]
fn a_call_that_borrows_starts_first_too() {
    alone(a_call_that_borrows_starts_first_too, ONE_WORKER, || {
        MODES.iter().for_each(borrows_first)
    });
}

fn borrows_first(mode: &Mode) {
    let ran = trine::block_on(mode.high[0]()).unwrap() + 1;
    let gate = Gate::new();
    let (long, inside) = (mode.occupies)(&gate);
    let mut inside = Some(inside);
    let rest: Vec<_> = (0..9).map(|_| (mode.usual)()).collect();
    assert_eq!((mode.high_scoped)(&mut || drop(inside.take())), ran, "{}", mode.name);
    gather(rest).join().unwrap();
    long.join().unwrap();
}

/// The functions of `async` on a runtime with one thread, which is this one.
#[test]
fn a_current_thread_runtime_keeps_the_order() {
    alone(a_current_thread_runtime_keeps_the_order, &[], in_a_current_thread_runtime);
}

fn in_a_current_thread_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let Mode { high, usual, low, .. } = &asynchronous::MODE;
    runtime.block_on(async {
        let first = high[0]().await.unwrap() + 1;
        let tasks = [low[0](), usual(), high[1](), usual(), low[1](), high[2](), high[0]()];
        let places = join_all(tasks).await.into_iter().map(|place| place.unwrap() - first);
        assert_eq!(places.collect::<Vec<_>>(), [5, 3, 0, 4, 6, 1, 2]);
    });
}

/// What is made, joined by some, awaited by others, cancelled or dropped: every call ends once.
#[test]
fn no_call_is_lost_among_priorities() {
    for mode in MODES {
        std::thread::scope(|s| {
            for caller in 0..4 {
                s.spawn(move || calls_of(mode, caller));
            }
        });
    }
}

fn calls_of(mode: &Mode, caller: usize) {
    for number in caller..caller + 200 {
        let functions = [mode.low[number % 2], mode.usual, mode.high[number % 3]];
        let [first, second, third] = functions.map(|function| function());
        match number % 4 {
            0 => drop((first, third)),
            1 => _ = trine::race([first, third]).join().unwrap(),
            2 => _ = trine::block_on(futures::future::join(third, first)),
            _ => _ = gather([third, first]).join().unwrap(),
        }
        second.join().unwrap();
    }
}
