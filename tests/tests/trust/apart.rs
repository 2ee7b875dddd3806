//! Code of users that blocks, where the call was ended by a thread that serves all: the timer, or
//! the dispatcher of the workers. It holds up nobody else, in any mode.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, LazyLock, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use trine::{Task, concurrent, gather};
use trine_tests::checks::{ends_in_time, wait_until};
use trine_tests::gate::Gate;
use trine_tests::modes::{MODES, Mode};

/// Where users' code blocks until the end of the test.
#[derive(Clone, Default)]
struct Blocked(Arc<Shared>);

#[derive(Default)]
struct Shared {
    released: Mutex<bool>,
    signal: Condvar,
    came: AtomicUsize,
}

impl Blocked {
    fn block(&self) {
        self.0.came.fetch_add(1, SeqCst);
        let mut released = self.0.released.lock().unwrap();
        while !*released {
            released = self.0.signal.wait(released).unwrap();
        }
    }

    fn release(&self) {
        *self.0.released.lock().unwrap() = true;
        self.0.signal.notify_all();
    }

    fn came(&self) -> usize {
        self.0.came.load(SeqCst)
    }
}

struct WhenDropped(Blocked);

impl Drop for WhenDropped {
    fn drop(&mut self) {
        self.0.block();
    }
}

struct WhenWoken(Blocked);

impl Wake for WhenWoken {
    fn wake(self: Arc<Self>) {
        self.0.block();
    }
}

struct WokenAndDropped(#[expect(dead_code)] WhenDropped);

impl Wake for WokenAndDropped {
    fn wake(self: Arc<Self>) {}
}

/// Blocks in its second copy, which the second of three attempts makes.
struct WhenCloned(Blocked, Arc<AtomicU32>);

impl Clone for WhenCloned {
    fn clone(&self) -> Self {
        if self.1.fetch_add(1, SeqCst) == 1 {
            self.0.block();
        }
        Self(self.0.clone(), Arc::clone(&self.1))
    }
}

#[concurrent(threads, limit = 1)]
fn one_at_a_time(port: u16, _arguments: Option<WhenDropped>) {
    let _ = std::io::Read::read(&mut gate(port), &mut [0]);
}

fn gate(port: u16) -> std::net::TcpStream {
    std::net::TcpStream::connect(("127.0.0.1", port)).unwrap()
}

#[concurrent(threads, retries = 2, backoff = 1ms)]
fn copied(_arguments: WhenCloned) -> Result<(), ()> {
    Err(())
}

/// Polls a task once, with a waker that is not heard of again.
fn leave<T>(task: &mut Task<T>, waker: impl Wake + Send + Sync + 'static) {
    let waker = Waker::from(Arc::new(waker));
    let polled = Pin::new(task).poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
}

/// Makes a call of a mode, which ends at the gate, and has the user's code block that follows.
type Row = fn(&Mode, &Gate, &Blocked) -> Option<Task<u32>>;

/// Lets the last call go on that came to the gate.
fn let_go(gate: &Gate) {
    drop(gate.entered());
}

/// A gate for a body that its deadline ends, perhaps before it has come there.
fn nobody_waits_at() -> u16 {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::new);
    GATE.port()
}

const ROWS: &[(&str, Row)] = &[
    ("a waker as it wakes", |mode, gate, blocked| {
        let mut task = (mode.gated)(gate.port());
        leave(&mut task, WhenWoken(blocked.clone()));
        let_go(gate);
        Some(task)
    }),
    ("the destructor of a waker", |mode, gate, blocked| {
        let mut task = (mode.gated)(gate.port());
        leave(&mut task, WokenAndDropped(WhenDropped(blocked.clone())));
        let_go(gate);
        Some(task)
    }),
    ("a waker at a deadline", |mode, _, blocked| {
        let mut task = (mode.hangs)(nobody_waits_at());
        leave(&mut task, WhenWoken(blocked.clone()));
        Some(task)
    }),
    ("a waker of tasks together", |mode, gate, blocked| {
        let mut both = gather([(mode.gated)(gate.port()), (mode.value)(1)]).map(|both| both[0]);
        leave(&mut both, WhenWoken(blocked.clone()));
        let_go(gate);
        Some(both)
    }),
    ("a map", |mode, gate, blocked| {
        let blocked = blocked.clone();
        (mode.gated)(gate.port()).map(move |_| blocked.block()).detach();
        let_go(gate);
        None
    }),
    ("a value that nobody wants", |mode, gate, blocked| {
        let value = WhenDropped(blocked.clone());
        (mode.gated)(gate.port()).map(move |_| value).detach();
        let_go(gate);
        None
    }),
    ("what a map owned, at a deadline", |mode, _, blocked| {
        let value = WhenDropped(blocked.clone());
        (mode.hangs)(nobody_waits_at()).map(move |_| drop(value)).detach();
        None
    }),
];

fn bystanders_are_well(name: &str) {
    ends_in_time(name, || {
        for mode in MODES {
            // By whoever waits, and by nobody.
            assert_eq!((mode.value)(1).join().unwrap(), 2);
            assert_eq!(futures::executor::block_on((mode.value)(1)).unwrap(), 2);
            let later: Vec<_> = (0..4).map(mode.value).collect();
            wait_until(|| later.iter().all(Task::is_finished));
            let gate = Gate::new();
            assert!((mode.hangs)(gate.port()).join().unwrap_err().is_timeout(), "{name}");
            if let Some(crashes) = mode.crashes {
                assert!(futures::executor::block_on(crashes(1)).is_err(), "{name}");
            }
        }
    });
}

#[test]
fn what_blocks_after_a_call_holds_up_nobody_else() {
    let blocked = Blocked::default();
    let (gate, mut tasks, mut expected) = (Gate::new(), Vec::new(), 0);
    // The workers of a runtime are the user's to block, by a body or by a waker.
    for mode in MODES.iter().filter(|mode| mode.name != "async") {
        for (what, row) in ROWS {
            let name = format!("{}, {what}", mode.name);
            tasks.push(row(mode, &gate, &blocked));
            expected += 1;
            wait_until(|| blocked.came() == expected);
            bystanders_are_well(&name);
        }
    }
    // What only a deadline ends, and a pause.
    let held = one_at_a_time(gate.port(), None);
    let let_go = gate.entered();
    let argument = WhenDropped(blocked.clone());
    let queued = one_at_a_time(0, Some(argument)).timeout(Duration::from_millis(1));
    wait_until(|| queued.is_finished() && blocked.came() == expected + 1);
    bystanders_are_well("arguments");
    let copied = copied(WhenCloned(blocked.clone(), Arc::default()));
    wait_until(|| blocked.came() == expected + 2);
    bystanders_are_well("a copy for another attempt");
    assert!(!copied.is_finished());

    blocked.release();
    drop(let_go);
    held.join().unwrap();
    ends_in_time("the others", || {
        assert_eq!(copied.join().unwrap(), Err(()));
        for task in tasks.into_iter().flatten() {
            assert!(task.join().map_or_else(|error| error.is_timeout(), |value| value == 7));
        }
    });
}
