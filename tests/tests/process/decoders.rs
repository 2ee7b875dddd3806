//! `Deserialize` is other people's code: it rejects, panics, blocks, and calls process tasks. The
//! call whose result it decodes pays for that, and no other.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use trine::{Error, Task, concurrent, gather};
use trine_tests::process::double;
use trine_tests::programs::alone_with_each;

/// A hang is a failure.
const TOO_LONG: Duration = Duration::from_secs(60);

/// The gate at which decoders block: whether it is open, and how many have come. `None` in workers,
/// where decoders do nothing odd.
static GATE: Mutex<Option<(bool, usize)>> = Mutex::new(None);
static CHANGED: Condvar = Condvar::new();

fn pass_the_gate() {
    let mut gate = GATE.lock().unwrap();
    gate.as_mut().unwrap().1 += 1;
    CHANGED.notify_all();
    drop(CHANGED.wait_while(gate, |gate| !gate.unwrap().0).unwrap());
}

fn set_gate(is_open: bool) {
    *GATE.lock().unwrap() = Some((is_open, 0));
    CHANGED.notify_all();
}

fn wait_for(blocked: usize) {
    let too_few = |gate: &mut Option<(bool, usize)>| gate.unwrap().1 < blocked;
    let waited = CHANGED.wait_timeout_while(GATE.lock().unwrap(), TOO_LONG, too_few).unwrap();
    assert!(!waited.1.timed_out(), "they do not all get to their decoder");
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq)]
enum Doing {
    Nothing,
    Rejects,
    Panics,
    /// Waits at the gate.
    Blocks,
    Calls,
    Gathers,
}

#[derive(Debug, Serialize, PartialEq)]
struct Odd(Doing);

impl<'de> Deserialize<'de> for Odd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let doing = Doing::deserialize(deserializer)?;
        if GATE.lock().unwrap().is_none() {
            return Ok(Self(doing));
        }
        match doing {
            Doing::Nothing => {}
            Doing::Rejects => return Err(serde::de::Error::custom("rejected by its type")),
            Doing::Panics => panic!("a decoder that panics"),
            Doing::Blocks => pass_the_gate(),
            Doing::Calls => assert_eq!(double(4).join().unwrap(), 8),
            Doing::Gathers => assert_eq!(gather([double(4), double(5)]).join().unwrap(), [8, 10]),
        }
        Ok(Self(doing))
    }
}

#[concurrent(process)]
fn odd(doing: Doing) -> Odd {
    Odd(doing)
}

/// Waits for a task in one of the possible ways, on a thread of its own.
type Way = (&'static str, fn(Doing) -> Result<Odd, Error>);

const WAYS: &[Way] = &[
    ("joined", |doing| within(odd(doing))),
    ("polled", |doing| {
        let task = odd(doing);
        until_finished(&task);
        within(task)
    }),
    ("awaited", |doing| trine::block_on(odd(doing))),
    ("gathered", |doing| within(gather([odd(doing), odd(Doing::Nothing)])).map(|[odd, _]| odd)),
    ("mapped and polled", |doing| {
        let task = odd(doing).map(|odd| odd);
        until_finished(&task);
        within(task)
    }),
    ("gathered and polled", |doing| {
        let task = gather([odd(Doing::Nothing), odd(doing)]);
        until_finished(&task);
        within(task).map(|[_, odd]| odd)
    }),
];

fn within<T>(task: Task<T>) -> Result<T, Error> {
    task.join_timeout(TOO_LONG).unwrap_or_else(|_| panic!("it hangs"))
}

fn until_finished<T>(task: &Task<T>) {
    let since = std::time::Instant::now();
    while !task.is_finished() {
        assert!(since.elapsed() < TOO_LONG, "it hangs");
        std::thread::yield_now();
    }
}

#[test]
fn what_a_decoder_does_is_its_own_calls_matter() {
    let test = what_a_decoder_does_is_its_own_calls_matter;
    alone_with_each(test, "TRINE_PROCESSES", &["1", "2"], all_ways);
}

fn all_ways() {
    for (name, way) in WAYS {
        set_gate(true);
        println!("{name}");
        for doing in [Doing::Nothing, Doing::Calls, Doing::Gathers] {
            assert_eq!(way(doing).unwrap(), Odd(doing), "{name}");
        }
        let error = way(Doing::Rejects).unwrap_err().to_string();
        assert!(error.contains("rejected by its type"), "{name}: {error}");
        assert!(way(Doing::Panics).unwrap_err().is_panic(), "{name}");
        // Some that block, and other calls beside them, in every way.
        std::thread::scope(|scope| {
            set_gate(false);
            let blocked: Vec<_> = (0..8).map(|_| scope.spawn(|| way(Doing::Blocks))).collect();
            wait_for(8);
            let polled = double(7);
            until_finished(&polled);
            assert_eq!(within(polled).unwrap(), 14, "{name}");
            assert_eq!(within(gather((0..100).map(double))).unwrap().len(), 100, "{name}");
            assert_eq!(trine::block_on(double(8)).unwrap(), 16, "{name}");
            let mapped = double(9).map(|number| number + 1);
            until_finished(&mapped);
            assert_eq!(within(mapped).unwrap(), 19, "{name}");
            set_gate(true);
            for thread in blocked {
                assert_eq!(thread.join().unwrap().unwrap(), Odd(Doing::Blocks), "{name}");
            }
        });
    }
}
