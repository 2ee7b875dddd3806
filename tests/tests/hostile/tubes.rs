//! The sockets through which the items of channels pass: what a worker may put into one that it was
//! lent. Several workers may have the same.

use serde::{Deserialize, Serialize};
use trine::{Sender, channel, concurrent};

use super::{Others, ended, files, raw};

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Trick {
    /// An item with so many memories.
    Handles(usize),
    /// The same beside short items, the end of a sender, and nothing at all.
    HandlesBeside(u8),
    /// An item with a file that is no memory, or one that takes long to close.
    NoMemory,
    Lingering,
    /// A long item that is so long, in memory of that size that anybody may change, or nobody.
    Sparse(u64, u64),
    Frozen(u64),
    LongWithout,
    /// Packets of as many empty items as there can be.
    Nothings(usize),
    /// Ends the tube for everybody.
    ShutDown(i32),
}

use Trick::*;

const TRICKS: &[Trick] = &[
    Handles(17),
    Handles(250),
    HandlesBeside(0),
    HandlesBeside(3),
    HandlesBeside(4),
    HandlesBeside(5),
    NoMemory,
    Lingering,
    Sparse(1 << 40, 1 << 40),
    Sparse(64, 4096),
    Frozen(u64::MAX),
    Frozen(65),
    Frozen(0),
    LongWithout,
    Nothings(200),
    ShutDown(libc::SHUT_RD),
    ShutDown(libc::SHUT_WR),
    ShutDown(libc::SHUT_RDWR),
];

#[concurrent(process)]
fn tricks(trick: Trick, sender: Sender<Vec<u8>>) {
    let tube = raw::tube();
    let long = |length: u64, file| {
        let frame = [&[2][..], &length.to_ne_bytes()].concat();
        raw::send_through(tube, &frame, &[file]);
    };
    match trick {
        Handles(count) => {
            let memory = files::sparse(4096, true);
            (0..20).for_each(|_| _ = raw::send_through(tube, &[1, 0], &vec![memory; count]));
        }
        HandlesBeside(kind) => {
            let memory = files::sparse(4096, true);
            (0..20).for_each(|_| _ = raw::send_through(tube, &[kind], &[memory; 16]));
        }
        NoMemory => _ = raw::send_through(tube, &[1, 0], &[files::dev_null()]),
        Lingering => _ = raw::send_through(tube, &[1, 0], &[files::lingering()]),
        Sparse(length, size) => long(length, files::sparse(size, true)),
        Frozen(length) => long(length, files::frozen(&[0; 64])),
        LongWithout => _ = raw::send_through(tube, &[2, 1, 0, 0, 0, 0, 0, 0, 0], &[]),
        Nothings(count) => {
            let frame = [vec![0], vec![0; 32 << 10]].concat();
            (0..count).for_each(|_| _ = raw::send_through(tube, &frame, &[]));
        }
        ShutDown(how) => raw::shut_down_other(tube, how),
    }
    drop(sender);
}

#[concurrent(process)]
fn sends(numbers: u64, sender: Sender<u64>) {
    (0..numbers).for_each(|number| sender.send(number).unwrap());
}

/// Its own stream has an error or nothing, in the end; those of others have their items.
#[test]
fn a_tube_harms_only_its_own_stream() {
    for trick in TRICKS {
        let what = format!("{trick:?}");
        println!("{what}");
        let (sender, stream) = channel(4);
        let (other, numbers) = channel(4);
        let task = tricks(trick.clone(), sender);
        let beside = sends(300, other);
        let others = Others::call();
        let read = ended(&what, stream.gather());
        assert!(read.as_ref().map_or(true, Vec::is_empty), "{what}: {read:?}");
        if let Handles(_) = trick {
            // As many as nobody sends are not kept until somebody reads.
            let error = read.unwrap_err().to_string();
            assert!(error.contains("it sent too much at once"), "{what}: {error}");
        }
        assert!(ended(&what, numbers.gather()).unwrap().into_iter().eq(0..300), "{what}");
        ended(&what, task).unwrap();
        ended(&what, beside).unwrap();
        others.check(&what);
    }
}

/// Nobody reads, and there is room for more items than the program may have files.
#[test]
fn files_in_unread_items_are_few() {
    let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = count();
    let (sender, stream) = channel(1 << 20);
    ended("a hoard", hoards(sender)).unwrap();
    // Other tests have some as well.
    assert!(count() < before + 700, "{} files, and {before} before", count());
    let error = stream.into_iter().last().unwrap().unwrap_err().to_string();
    assert!(error.contains("more than 256 shared slices"), "{error}");
}

#[concurrent(process, fresh)]
fn hoards(sender: Sender<()>) {
    let (tube, memory) = (raw::tube(), files::sparse(4096, true));
    // A unit each.
    (0..2_000).for_each(|_| _ = raw::send_through(tube, &[1, 1], &[memory; 16]));
    drop(sender);
}
