//! Rows 15, 16 and 18: awaited calls, in turn on a quiet machine, in turn beside other programs
//! that keep the cores busy, and many in flight at once.

use std::future::Future;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::runtime::Runtime;
use trine::TaskIterator;

use crate::blocking::{Hog, tokio_runtime_with_io};
use crate::harness::{Goal, Row};

#[trine::concurrent(process)]
fn increment(number: u64) -> u64 {
    number + 1
}

#[trine::concurrent(threads)]
fn increment_here(number: u64) -> u64 {
    number + 1
}

/// `cat`, at the far ends of two pipes that tokio's reactor watches.
struct Cat {
    child: Child,
    ends: Option<(Sender, Receiver)>,
}

impl Cat {
    fn start(runtime: &Runtime) -> Self {
        let _inside = runtime.enter();
        let mut command = Command::new("cat");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("`cat` starts");
        let input = Sender::from_owned_fd(child.stdin.take().unwrap().into()).unwrap();
        let output = Receiver::from_owned_fd(child.stdout.take().unwrap().into()).unwrap();
        Self { child, ends: Some((input, output)) }
    }
}

impl Drop for Cat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const IN_TURN: u64 = 1_000;
const PIPE: &str = "tokio pipe to `cat`";
const BLOCKING: &str = "tokio spawn_blocking";

/// Has one worker of the runtime await calls one after another.
fn await_in_turn<T, E>(runtime: &Runtime, call: impl Fn(u64) -> T + Send + 'static)
where
    T: Future<Output = Result<u64, E>> + Send,
    E: std::fmt::Debug,
{
    let all = runtime.spawn(async move {
        for number in 0..IN_TURN {
            assert_eq!(call(number).await.expect("no task fails"), number + 1);
        }
    });
    runtime.block_on(all).unwrap();
}

/// `beside` is kept alive while the row runs, here and in all rows below.
fn process(number: &'static str, workload: &'static str, beside: Option<Hog>) -> Row {
    let ours = Rc::new(tokio_runtime_with_io());
    let theirs = Rc::clone(&ours);
    let mut cat = Cat::start(&ours);
    Row::new(number, workload)
        .operations(IN_TURN)
        .contestant("trine process", move || {
            let _keep = &beside;
            await_in_turn(&ours, increment);
        })
        .contestant(PIPE, move || {
            let (mut input, mut output) = cat.ends.take().expect("they were given back");
            let all = theirs.spawn(async move {
                let mut bytes = [0; 8];
                for number in 0..IN_TURN {
                    input.write_all(&number.to_ne_bytes()).await.unwrap();
                    output.read_exact(&mut bytes).await.unwrap();
                    assert_eq!(u64::from_ne_bytes(bytes), number);
                }
                (input, output)
            });
            cat.ends = Some(theirs.block_on(all).unwrap());
        })
}

fn threads(number: &'static str, workload: &'static str, beside: Option<Hog>) -> Row {
    let ours = Rc::new(tokio_runtime_with_io());
    let theirs = Rc::clone(&ours);
    Row::new(number, workload)
        .operations(IN_TURN)
        .contestant("trine threads", move || {
            let _keep = &beside;
            await_in_turn(&ours, increment_here);
        })
        .contestant(BLOCKING, move || {
            await_in_turn(&theirs, |number| tokio::task::spawn_blocking(move || number + 1));
        })
}

pub(crate) fn process_alone() -> Row {
    process("15", "one `process` call awaited on a tokio worker, in turn", None)
        .goal(Goal::Time(PIPE, 0.7))
}

pub(crate) fn threads_alone() -> Row {
    threads("15", "one `threads` call awaited on a tokio worker, in turn", None)
        .goal(Goal::Time(BLOCKING, 0.7))
}

// Beside other programs the goals are those above, times 1.3.

pub(crate) fn process_beside_nice() -> Row {
    process("16", "`process`, beside two `nice -n 10` loops", Some(Hog::nice()))
        .goal(Goal::Time(PIPE, 0.91))
}

pub(crate) fn process_beside_equal() -> Row {
    process("16", "`process`, beside two loops of equal niceness", Some(Hog::start()))
        .goal(Goal::Time(PIPE, 0.91))
}

pub(crate) fn threads_beside_nice() -> Row {
    threads("16", "`threads`, beside two `nice -n 10` loops", Some(Hog::nice()))
        .goal(Goal::Time(BLOCKING, 0.91))
}

pub(crate) fn threads_beside_equal() -> Row {
    threads("16", "`threads`, beside two loops of equal niceness", Some(Hog::start()))
        .goal(Goal::Time(BLOCKING, 0.91))
}

const MANY: u64 = 1_000_000;
const WINDOW: usize = 64;

pub(crate) fn window() -> Row {
    Row::new("18", "1,000,000 `threads` tasks, 64 at a time, per task")
        .operations(MANY)
        .rounds(3)
        .contestant("trine buffer_unordered", || {
            let sum: u64 = (0..MANY)
                .map(increment_here)
                .buffer_unordered(WINDOW)
                .map(|result| result.expect("no task fails"))
                .sum();
            assert_eq!(sum, MANY * (MANY + 1) / 2);
        })
        .contestant("trine buffered", || {
            let sum: u64 = (0..MANY)
                .map(increment_here)
                .buffered(WINDOW)
                .map(|result| result.expect("no task fails"))
                .sum();
            assert_eq!(sum, MANY * (MANY + 1) / 2);
        })
        .contestant("futures buffer_unordered", || {
            let sum = trine::block_on(
                futures::stream::iter((0..MANY).map(increment_here))
                    .buffer_unordered(WINDOW)
                    .fold(0, |sum, result| async move { sum + result.expect("no task fails") }),
            );
            assert_eq!(sum, MANY * (MANY + 1) / 2);
        })
        .goal(Goal::Time("trine buffered", 1.5))
}
