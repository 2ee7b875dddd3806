//! Memory that a program shares with its workers, in a child that it forks without exec: the child
//! has some of it too, and finds other things at the addresses of the rest.

use std::hint::black_box;
use std::io::Read;
use std::net::TcpStream;

use futures::StreamExt;
use futures::executor::block_on;
use trine::{Error, Task, concurrent};
use trine_tests::checks::wait_until;
use trine_tests::gate::Gate;

use super::forked::{ended_well, in_child, is_told};
use super::watch;

/// Memory of the child that lies where its parent has the rings of workers: the kernel puts new
/// mappings into the highest gap that is large enough.
struct Filled(Vec<Vec<u8>>);

impl Filled {
    fn new() -> Self {
        Self((0..8).map(|_| black_box(vec![0; 300 << 10])).collect())
    }

    fn check(&self) {
        assert!(black_box(&self.0).iter().flatten().all(|byte| *byte == 0), "the child's memory");
    }
}

/// The first fits the ring, the second has memory of its own, which is kept, and the last memory
/// whose pages go back to the system.
const LENGTHS: [usize; 3] = [1000, 100_000, 20_000_000];

#[concurrent(process)]
fn long(length: usize) -> Vec<u8> {
    vec![7; length]
}

#[concurrent(process)]
fn long_items(length: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..3).map(move |_| vec![7; length])
}

fn check(bytes: &[u8], length: usize) {
    assert!(bytes.len() == length && bytes.iter().all(|byte| *byte == 7));
}

/// A child that takes or drops a reply leaves it to its parent as it is.
pub(crate) fn replies_of_its_parent() {
    watch();
    type Act = fn(Task<Vec<u8>>) -> Option<Result<Vec<u8>, Error>>;
    let acts: [Act; 3] = [
        |task| {
            drop(task);
            None
        },
        |task| Some(task.join()),
        |task| Some(block_on(task)),
    ];
    for length in LENGTHS {
        for act in acts {
            let mut task = Some(long(length));
            wait_until(|| task.as_ref().unwrap().is_finished());
            assert!(in_child(|| {
                let filled = Filled::new();
                match act(task.take().unwrap()) {
                    Some(Ok(bytes)) => check(&bytes, length),
                    Some(Err(error)) => assert!(is_told(error.kind()), "{error}"),
                    None => {}
                }
                filled.check();
            }));
            check(&task.unwrap().join().unwrap(), length);
        }
        let mut stream = Some(long_items(length));
        check(&block_on(stream.as_mut().unwrap().next()).unwrap().unwrap(), length);
        assert!(in_child(|| {
            let filled = Filled::new();
            drop(stream.take());
            filled.check();
        }));
        let rest: Vec<_> = stream.unwrap().into_iter().map(Result::unwrap).collect();
        assert_eq!(rest.len(), 2);
        rest.iter().for_each(|bytes| check(bytes, length));
    }
    println!("all ended");
}

/// What its argument is at first, and after the gate.
#[concurrent(process)]
fn look_twice(bytes: &[u8], port: u16) -> [bool; 2] {
    let look = || bytes.iter().all(|byte| *byte == 7);
    let first = look();
    let mut gate = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let _ = gate.read(&mut [0]);
    [first, look()]
}

#[concurrent(process)]
fn length_of(bytes: &[u8]) -> usize {
    bytes.len()
}

/// A child that encodes arguments does so in memory of its own.
pub(crate) fn arguments_of_a_child() {
    watch();
    type Ways = [fn() -> Result<usize, Error>; 2];
    let ways: Ways = [
        || length_of(&vec![8; 2_000_000]).join(),
        || trine::sequential(|| length_of(&vec![8; 2_000_000]).join()),
    ];
    for way in ways {
        // The child inherits memory that nobody uses, and forks before somebody does.
        assert_eq!(length_of(&vec![6; 2_000_000]).join().unwrap(), 2_000_000);
        let (calls, until) = (Gate::new(), Gate::new());
        // SAFETY: the child makes a call, and exits.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let mut stream = TcpStream::connect(("127.0.0.1", until.port())).unwrap();
            let _ = stream.read(&mut [0]);
            match way() {
                Ok(length) => assert_eq!(length, 2_000_000),
                Err(error) => assert!(is_told(error.kind()), "{error}"),
            }
            std::process::exit(0);
        }
        let waits = until.entered();
        let task = look_twice(&vec![7; 2_000_000], calls.port());
        let looks = calls.entered();
        drop(waits);
        assert!(ended_well(child));
        drop(looks);
        assert_eq!(task.join().unwrap(), [true; 2]);
    }
    println!("all ended");
}
