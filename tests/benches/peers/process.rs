//! Rows 7 to 10: calls to other processes.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::harness::{Goal, Row};
use crate::python;
use crate::role::{self, Role};

#[trine::concurrent(process)]
fn increment(number: u64) -> u64 {
    number + 1
}

#[trine::concurrent(process, fresh)]
fn increment_fresh(number: u64) -> u64 {
    number + 1
}

fn procspawn_pool() -> Rc<procspawn::Pool> {
    let processes = std::thread::available_parallelism().map_or(1, usize::from);
    Rc::new(procspawn::Pool::new(processes).expect("procspawn starts"))
}

/// A child at the far ends of two pipes: what the system alone needs for a round trip.
struct Pipe {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Pipe {
    fn open() -> Self {
        let mut command = Role::Echo.command();
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a child starts");
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, output }
    }

    fn call(&mut self, number: u64) -> u64 {
        let mut bytes = number.to_ne_bytes();
        self.input.write_all(&bytes).unwrap();
        self.output.read_exact(&mut bytes).unwrap();
        u64::from_ne_bytes(bytes)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const IN_TURN: u64 = 2_000;

pub(crate) fn in_turn() -> Row {
    let pool = procspawn_pool();
    let pipe = RefCell::new(Pipe::open());
    let row = Row::new("7", "one `process` task, call then join, in turn")
        .operations(IN_TURN)
        .rounds(7)
        .contestant("trine process", || {
            for number in 0..IN_TURN {
                assert_eq!(increment(number).join().expect("no task fails"), number + 1);
            }
        })
        .contestant("raw pipe", move || {
            for number in 0..IN_TURN {
                assert_eq!(pipe.borrow_mut().call(number), number);
            }
        })
        .contestant("procspawn pool", move || {
            for number in 0..IN_TURN {
                let task = procspawn::spawn!(in pool, (number) || number + 1);
                assert_eq!(task.join().unwrap(), number + 1);
            }
        })
        .goal(Goal::Absolute(1e-6))
        .goal(Goal::Time("procspawn pool", 0.02));
    python::add(row, "in_turn", IN_TURN)
}

const MANY: u64 = 100_000;
/// About as many as procspawn handles in a second.
const FEW: u64 = 5_000;

fn gather(calls: u64) {
    let all = trine::gather((0..calls).map(increment)).join().expect("no task fails");
    assert_eq!(all.len() as u64, calls);
}

fn gather_peers(pool: &procspawn::Pool, calls: u64) {
    let tasks: Vec<_> =
        (0..calls).map(|number| procspawn::spawn!(in pool, (number) || number + 1)).collect();
    for task in tasks {
        task.join().unwrap();
    }
}

pub(crate) fn many() -> Row {
    let pool = procspawn_pool();
    let row = Row::new("8", "100,000 `process` tasks, all in flight, per task")
        .operations(MANY)
        .rounds(5)
        .contestant("trine process", || gather(MANY))
        .contestant("procspawn pool", move || gather_peers(&pool, FEW))
        .of_only(FEW)
        .goal(Goal::Absolute(0.35e-6))
        .goal(Goal::Time("procspawn pool", 0.01));
    python::add(row, "many", MANY)
}

const BURST: u64 = 2_000;

/// A burst of calls to workers that have been idle and sleep.
pub(crate) fn burst() -> Row {
    let pool = procspawn_pool();
    Row::new("8", "2,000 `process` tasks, all in flight, from a standing start, per task")
        .operations(BURST)
        .rounds(21)
        .contestant("trine process", || gather(BURST))
        .contestant("procspawn pool", move || gather_peers(&pool, BURST))
        .goal(Goal::Time("procspawn pool", 0.008))
}

/// 8 MB of them.
const NUMBERS: usize = 1_000_000;

fn numbers() -> Rc<Vec<f64>> {
    Rc::new((0..NUMBERS).map(|number| number as f64).collect())
}

/// Only a few of them: adding all up would take longer than the transfer that these rows measure.
fn sample(numbers: &[f64]) -> f64 {
    numbers.iter().step_by(4096).sum()
}

#[trine::concurrent(process)]
fn sample_owned(numbers: Vec<f64>) -> f64 {
    sample(&numbers)
}

#[trine::concurrent(process)]
fn sample_borrowed(numbers: &[f64]) -> f64 {
    sample(numbers)
}

/// Contestants that give their numbers away make them before their time starts.
pub(crate) fn large() -> Row {
    let (pool, numbers) = (procspawn_pool(), numbers());
    let expected = sample(&numbers);
    let (ours, copied, theirs) = (Rc::clone(&numbers), Rc::clone(&numbers), numbers);
    let row = Row::new("9", "`process` task with a `Vec<f64>` of 8 MB, sampled")
        .rounds(15)
        .self_timed("trine process", move || {
            let numbers = Vec::clone(&ours);
            timed(|| assert_eq!(sample_owned(numbers).join().expect("no task fails"), expected))
        })
        .contestant("memcpy", move || drop(std::hint::black_box(Vec::clone(&copied))))
        .self_timed("procspawn pool", move || {
            let numbers = Vec::clone(&theirs);
            timed(|| {
                let task = procspawn::spawn!(in pool, (numbers) || sample(&numbers));
                assert_eq!(task.join().unwrap(), expected);
            })
        })
        .goal(Goal::Time("memcpy", 2.2))
        .goal(Goal::Time("procspawn pool", 0.15));
    python::add(row, "large", 1)
}

pub(crate) fn borrowed() -> Row {
    let numbers = numbers();
    let expected = sample(&numbers);
    let (ours, copied) = (Rc::clone(&numbers), numbers);
    Row::new("9", "`process` task with a `&[f64]` of 8 MB, sampled")
        .rounds(15)
        .contestant("trine process", move || {
            assert_eq!(sample_borrowed(&ours).join().expect("no task fails"), expected);
        })
        .contestant("memcpy", move || drop(std::hint::black_box(Vec::clone(&copied))))
        .goal(Goal::Time("memcpy", 1.3))
}

#[trine::concurrent(process)]
fn sample_shared(numbers: trine::process::Shared<[f64]>) -> f64 {
    sample(&numbers)
}

/// A shared slice is meant to be used more than once. It is filled before the time starts, and
/// workers map it.
const SHARED: u64 = 10;

pub(crate) fn shared() -> Row {
    let (pool, numbers) = (procspawn_pool(), numbers());
    let expected = sample(&numbers);
    let ours: trine::process::Shared<[f64]> = numbers.iter().copied().collect();
    let (copied, theirs) = (Rc::clone(&numbers), numbers);
    let row = Row::new("9", "10 `process` tasks with a `Shared<[f64]>` of 8 MB, in turn, sampled")
        .operations(SHARED)
        .rounds(9)
        .contestant("trine process", move || {
            for _ in 0..SHARED {
                assert_eq!(sample_shared(ours.clone()).join().expect("no task fails"), expected);
            }
        })
        .contestant("memcpy", move || {
            (0..SHARED).for_each(|_| drop(std::hint::black_box(Vec::clone(&copied))));
        })
        .contestant("procspawn pool", move || {
            for _ in 0..SHARED {
                let numbers = Vec::clone(&theirs);
                let task = procspawn::spawn!(in pool, (numbers) || sample(&numbers));
                assert_eq!(task.join().unwrap(), expected);
            }
        })
        .goal(Goal::Time("procspawn pool", 0.01));
    python::add(row, "large", SHARED)
}

/// A child's first call, timed from before the engine has done anything.
pub(crate) fn tell_first_call() {
    let start = Instant::now();
    assert_eq!(increment(1).join().expect("no task fails"), 2);
    role::tell(start.elapsed());
}

pub(crate) fn cold() -> Row {
    let row = Row::new("10", "first `process` call from cold")
        .rounds(15)
        .self_timed("trine process", || Role::FirstCall.perform())
        .self_timed("trine process, fresh", || {
            timed(|| {
                assert_eq!(increment_fresh(1).join().expect("no task fails"), 2);
            })
        })
        .self_timed("exec of self", || {
            timed(|| {
                assert!(Role::Nothing.command().status().expect("the child starts").success());
            })
        })
        .self_timed("procspawn::spawn", || {
            timed(|| {
                let task = procspawn::spawn(1u64, |number| number + 1);
                assert_eq!(task.join().unwrap(), 2);
            })
        })
        .goal(Goal::Time("exec of self", 1.3));
    python::add(row, "cold", 1)
}

fn timed(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}
