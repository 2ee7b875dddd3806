//! Items that nobody asked for, out of order, without end, with false lengths: by a worker that is
//! to yield, and by one that is not.

use serde::{Deserialize, Serialize};
use trine::{Error, ErrorKind, Stream, Task, concurrent};
use trine_tests::programs::alone;

use crate::raw::{self, Reply};
use crate::{Others, TOO_LONG, ended, files};

const ITEM: u32 = 5;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Lie {
    /// So many items beside its own, whether it may or not.
    Items(u32),
    /// An item of another call.
    Number(i64),
    /// An item of that length, which is not there.
    Length(u32),
    /// An item in a memory of that size, in that segment.
    Sparse(u64, u32),
    Handles(u16),
    /// Its end so often, and goes on.
    End(u32),
    /// Its failure in that way, and goes on.
    Status(u32),
    /// The count of what it was granted is its parent's; it waits for no more of it.
    Tail(u32),
}

use Lie::*;

const LIES: &[Lie] = &[
    Items(1),
    Items(4),
    Items(100),
    Items(9000),
    Number(1),
    Number(-1),
    Number(i64::MAX),
    Length(1),
    Length(32 << 10),
    Length(u32::MAX),
    Sparse(1 << 40, 16),
    Sparse(1 << 40, 0),
    Handles(1),
    Handles(u16::MAX),
    End(1),
    End(2),
    Status(1),
    Status(2),
    Status(3),
    Status(77),
    Tail(24),
    Tail(1 << 31),
];

fn tell(lie: &Lie) {
    let item = || Reply { status: ITEM, ..Reply::new() };
    match *lie {
        Items(count) => (0..count).for_each(|_| item().publish()),
        Number(away) => {
            let number = raw::number().wrapping_add_signed(away);
            Reply { number, ..item() }.publish();
        }
        Length(length) => Reply { length, ..item() }.publish(),
        Sparse(size, segment) => {
            raw::send(b"F", &[files::sparse(size, true)]);
            Reply { status: ITEM, ..Reply::large(size, segment) }.publish();
        }
        Handles(handles) => Reply { handles, ..item() }.publish(),
        End(times) => (0..times).for_each(|_| Reply::new().publish()),
        Status(status) => Reply { status, ..Reply::new() }.publish(),
        Tail(further) => raw::tell(raw::read(raw::TAIL).wrapping_add(further)),
    }
}

#[concurrent(process, ahead = 4)]
fn lies(lie: Lie) -> impl Iterator<Item = u64> {
    (0..1000).inspect(move |number| {
        if *number == 2 {
            tell(&lie);
        }
    })
}

#[concurrent(process, timeout = 5s)]
fn yields_in_a_task(lie: Lie) -> u64 {
    tell(&lie);
    // Where it went on, it could answer for the calls that it gets next.
    std::process::exit(3)
}

#[concurrent(process)]
fn numbers(count: u64) -> impl Iterator<Item = u64> {
    0..count
}

/// The failure of what lies, if it has one, is not that it hangs.
fn check(what: &str, outcome: &Result<usize, Error>) {
    if let Err(error) = outcome {
        let is_told = matches!(error.kind(), ErrorKind::Codec { .. } | ErrorKind::Worker { .. });
        // Status 1 is that of a panic.
        let is_its_own = error.is_crash() || error.is_timeout() || error.is_panic();
        assert!(is_told || is_its_own, "{what}: {error}");
    }
}

fn read(stream: Stream<u64>) -> Task<usize> {
    stream.gather().map(|items| {
        // Those are its own.
        assert!(items.len() < 2 || items[..2] == [0, 1], "{items:?}");
        items.len()
    })
}

#[test]
fn each_stream_ends_and_others_are_right() {
    for lie in LIES {
        let what = format!("{lie:?}");
        println!("{what}");
        let (one, other) = (read(lies(lie.clone())), yields_in_a_task(lie.clone()));
        // It is read by nobody until the lie is told.
        let mut unread = lies(lie.clone());
        let true_ones: Vec<_> = (0..3).map(|_| numbers(300).gather()).collect();
        let others = Others::call();
        check(&what, &ended(&what, one));
        check(&what, &ended(&what, other.map(|_| 0)));
        if let Some(Ok(first)) = (&mut unread).into_iter().next() {
            assert_eq!(first, 0, "{what}");
        }
        check(&what, &ended(&what, read_rest(unread)));
        for true_one in true_ones {
            assert!(ended(&what, true_one).unwrap().into_iter().eq(0..300), "{what}");
        }
        others.check(&what);
    }
}

#[concurrent(process)]
fn denies() -> impl Iterator<Item = u64> {
    (0..3).inspect(|number| {
        if *number == 2 {
            const SKIPPED: u32 = 3;
            Reply { status: SKIPPED, ..Reply::new() }.publish();
            raw::sleep();
        }
    })
}

/// The items of a second run would come after those of the first, and its worker would wait for
/// what the first one's is granted.
#[test]
fn a_call_that_has_yielded_never_runs_again() {
    for _ in 0..10 {
        let mut stream = denies();
        assert_eq!((&mut stream).into_iter().next().unwrap().unwrap(), 0);
        let error = ended("a denied start", stream.gather()).unwrap_err();
        assert!(error.to_string().contains("denied a call that had yielded"), "{error}");
    }
}

fn read_rest(stream: Stream<u64>) -> Task<usize> {
    stream.gather().map(|items| items.len())
}

/// Its first item is its process. After that come items with so many files each, however many of
/// them are unread.
#[concurrent(process, ahead = 1_000_000)]
fn hoards(files: u16) -> impl Iterator<Item = u64> {
    std::iter::repeat_with(|| u64::from(std::process::id())).take(2).enumerate().map(
        move |(index, id)| {
            let memories = vec![files::sparse(4096, true); files.into()];
            for _ in 0..1000 * index {
                raw::send(b"F", &memories);
                Reply { status: ITEM, handles: files, ..Reply::new() }.publish();
                while raw::taken() != raw::read(raw::TAIL) {
                    std::thread::yield_now();
                }
            }
            id
        },
    )
}

/// Before that, its parent has none to spare.
#[test]
fn unread_items_leave_files_for_others() {
    const FILES: libc::rlim_t = 1024;
    alone(unread_items_leave_files_for_others, &[], || {
        files::allow(FILES);
        for files in [1, 100, 250] {
            let what = format!("{files} files each");
            let mut stream = hoards(files);
            let worker = (&mut stream).into_iter().next().unwrap().unwrap();
            let since = std::time::Instant::now();
            while raw::is_alive(i32::try_from(worker).unwrap()) {
                assert!(since.elapsed() < TOO_LONG, "{what}: it goes on");
                let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
                assert!(open < FILES as usize * 7 / 8, "{what}: {open} files are open");
                Others::call().check(&what);
            }
            let error = ended(&what, stream.gather()).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Codec { .. }), "{what}: {error}");
        }
    });
}
