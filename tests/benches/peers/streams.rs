//! Row 19: items of a call that yields, and of a sender, beside channels, queues and pipes.

use std::cell::RefCell;
use std::hint::black_box;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
#[cfg(feature = "ipc")]
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use trine::{Sender, concurrent};

use crate::harness::{Goal, Row};
use crate::python;
use crate::role::{BLOCK, Role};

#[concurrent(threads)]
fn count_in_thread(to: u64) -> impl Iterator<Item = u64> {
    0..to
}

#[concurrent(process)]
fn count(to: u64) -> impl Iterator<Item = u64> {
    0..to
}

/// As many on the way as a pipe holds.
#[concurrent(process, ahead = 8192)]
fn count_far_ahead(to: u64) -> impl Iterator<Item = u64> {
    0..to
}

#[concurrent(process)]
fn send(to: u64, sender: Sender<u64>) {
    (0..to).for_each(|number| sender.send(number).expect("the parent reads"));
}

#[concurrent(process)]
fn blocks_of(size: usize, count: usize) -> impl Iterator<Item = Vec<u8>> {
    let block = vec![7; size];
    (0..count).map(move |_| block.clone())
}

#[concurrent(process)]
fn increment(number: u64) -> u64 {
    number + 1
}

const ITEMS: u64 = 100_000;
const SUM: u64 = ITEMS * (ITEMS - 1) / 2;

pub(crate) fn threads() -> Row {
    Row::new("19", "100,000 numbers from another thread, per item")
        .operations(ITEMS)
        .contestant("trine threads", || {
            let sum: u64 = count_in_thread(ITEMS).into_iter().map(Result::unwrap).sum();
            assert_eq!(sum, SUM);
        })
        .contestant("crossbeam bounded(64)", || {
            let (sender, receiver) = crossbeam_channel::bounded(64);
            let sends = thread::spawn(move || (0..ITEMS).for_each(|n| sender.send(n).unwrap()));
            assert_eq!(receiver.into_iter().sum::<u64>(), SUM);
            sends.join().unwrap();
        })
        .contestant("std sync_channel(64)", || {
            let (sender, receiver) = mpsc::sync_channel(64);
            let sends = thread::spawn(move || (0..ITEMS).for_each(|n| sender.send(n).unwrap()));
            assert_eq!(receiver.into_iter().sum::<u64>(), SUM);
            sends.join().unwrap();
        })
        .goal(Goal::Time("crossbeam bounded(64)", 1.0))
}

/// A child that writes numbers into a pipe.
struct Pipe {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    block: Vec<u8>,
}

impl Pipe {
    fn open() -> Self {
        let mut command = Role::Numbers.command();
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a child starts");
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, output, block: vec![0; BLOCK] }
    }

    /// Has it write so many numbers, in blocks of the one size, and reads them in blocks of the
    /// other.
    fn read(&mut self, count: u64, written: usize, size: usize, mut take: impl FnMut(&[u8])) {
        self.input.write_all(&count.to_ne_bytes()).unwrap();
        self.input.write_all(&written.to_ne_bytes()).unwrap();
        let mut left = count as usize * 8;
        while left > 0 {
            let block = &mut self.block[..size.min(left)];
            self.output.read_exact(block).unwrap();
            take(block);
            left -= block.len();
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sum_of(block: &[u8]) -> u64 {
    block.chunks_exact(8).map(|bytes| u64::from_ne_bytes(bytes.try_into().unwrap())).sum()
}

pub(crate) fn process() -> Row {
    let pipe = RefCell::new(Pipe::open());
    let row = Row::new("19", "100,000 numbers from another process, per item")
        .operations(ITEMS)
        .contestant("trine process", || {
            let sum: u64 = count(ITEMS).into_iter().map(Result::unwrap).sum();
            assert_eq!(sum, SUM);
        })
        .contestant("trine process, ahead = 8192", || {
            let sum: u64 = count_far_ahead(ITEMS).into_iter().map(Result::unwrap).sum();
            assert_eq!(sum, SUM);
        })
        .contestant("raw pipe, 64 KiB blocks", move || {
            let mut sum = 0;
            pipe.borrow_mut().read(ITEMS, BLOCK, BLOCK, |block| sum += sum_of(block));
            assert_eq!(sum, SUM);
        });
    let row = add_ipc(row).goal(Goal::Absolute(30e-9));
    python::add_queue(row, ITEMS)
}

pub(crate) fn sender() -> Row {
    let pipe = RefCell::new(Pipe::open());
    let row = Row::new("19", "100,000 numbers through a sender in another process, per item")
        .operations(ITEMS)
        .contestant("trine process", || {
            let (sender, stream) = trine::channel(64);
            let task = send(ITEMS, sender);
            let sum: u64 = stream.into_iter().map(Result::unwrap).sum();
            assert_eq!(sum, SUM);
            task.join().unwrap();
        })
        .contestant("raw pipe, a write each", move || {
            let mut sum = 0;
            pipe.borrow_mut().read(ITEMS, 8, BLOCK, |block| sum += sum_of(block));
            assert_eq!(sum, SUM);
        });
    python::add_queue(add_ipc(row), ITEMS)
}

const BLOCKS: usize = 10_000;
const SIZE: usize = 4096;
/// More than any cache has: an item that comes from another process is in none of this core.
const COLD: usize = 256 << 20;
const COPIES: &str = "memcpy of cold memory, into a vector each";

pub(crate) fn blocks() -> Row {
    let pipe = RefCell::new(Pipe::open());
    let source = vec![7_u8; COLD];
    let mut parts = (0..COLD / SIZE).cycle();
    Row::new("19", "10,000 items of 4 KiB from another process, per item")
        .operations(BLOCKS as u64)
        .contestant("trine process", || {
            let items = blocks_of(SIZE, BLOCKS).into_iter().map(Result::unwrap);
            assert_eq!(items.map(|item| item.len()).sum::<usize>(), SIZE * BLOCKS);
        })
        .contestant("raw pipe, a read each", move || {
            let (mut length, count) = (0, (SIZE * BLOCKS / 8) as u64);
            pipe.borrow_mut().read(count, BLOCK, SIZE, |block| length += block.to_vec().len());
            assert_eq!(length, SIZE * BLOCKS);
        })
        .contestant(COPIES, move || {
            let parts = parts.by_ref().take(BLOCKS).map(|part| &source[part * SIZE..][..SIZE]);
            let copies = parts.map(|part| black_box(black_box(part).to_vec()));
            assert_eq!(copies.map(|copy| copy.len()).sum::<usize>(), SIZE * BLOCKS);
        })
        .goal(Goal::Time(COPIES, 3.0))
}

const FIRST: u64 = 1_000;

pub(crate) fn first() -> Row {
    Row::new("19", "the first item after a call, warm, in turn")
        .operations(FIRST)
        .self_timed("trine process, the first item", || {
            let first = |_| {
                let began = Instant::now();
                let mut items = count(1).into_iter();
                assert_eq!(items.next().unwrap().unwrap(), 0);
                let took = began.elapsed();
                assert!(items.next().is_none());
                took
            };
            (0..FIRST).map(first).sum()
        })
        .contestant("trine process, one and the end", || {
            for _ in 0..FIRST {
                let mut items = count(1).into_iter();
                assert_eq!(items.next().unwrap().unwrap(), 0);
                assert!(items.next().is_none());
            }
        })
        .contestant("trine process, returns", || {
            for number in 0..FIRST {
                assert_eq!(increment(number).join().unwrap(), number + 1);
            }
        })
        .goal(Goal::Time("trine process, returns", 1.2))
}

#[cfg(not(feature = "ipc"))]
fn add_ipc(row: Row) -> Row {
    row.missing("ipc-channel (--features ipc)")
}

#[cfg(feature = "ipc")]
fn add_ipc(row: Row) -> Row {
    let child = Rc::new(ipc::Child::start());
    row.contestant("ipc-channel", move || assert_eq!(child.sum(ITEMS), SUM))
        .goal(Goal::Time("ipc-channel", 0.02))
}

/// A child that sends numbers through ipc-channel.
#[cfg(feature = "ipc")]
pub(crate) mod ipc {
    use ipc_channel::ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender};

    use crate::role::Role;

    const NAME: &str = "TRINE_BENCH_IPC";
    type Asked = (u64, IpcSender<Option<u64>>);

    pub(super) struct Child {
        process: std::process::Child,
        asks: IpcSender<Asked>,
    }

    impl Child {
        pub(super) fn start() -> Self {
            let (server, name) = IpcOneShotServer::new().unwrap();
            let process = Role::IpcNumbers.command().env(NAME, name).spawn().unwrap();
            let (_, asks) = server.accept().unwrap();
            Self { process, asks }
        }

        pub(super) fn sum(&self, count: u64) -> u64 {
            let (sender, receiver) = ipc::channel().unwrap();
            self.asks.send((count, sender)).unwrap();
            std::iter::from_fn(|| receiver.recv().unwrap()).sum()
        }
    }

    impl Drop for Child {
        fn drop(&mut self) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }

    pub(crate) fn play() {
        let first: IpcSender<IpcSender<Asked>> =
            IpcSender::connect(std::env::var(NAME).unwrap()).unwrap();
        let (asks, asked): (_, IpcReceiver<Asked>) = ipc::channel().unwrap();
        first.send(asks).unwrap();
        while let Ok((count, sender)) = asked.recv() {
            (0..count).for_each(|number| sender.send(Some(number)).unwrap());
            sender.send(None).unwrap();
        }
    }
}
