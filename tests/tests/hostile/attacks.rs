//! One false word, file or byte at a time.

use serde::{Deserialize, Serialize};
use trine::{Error, ErrorKind, concurrent};

use super::{Others, double, ended, files, raw};
use crate::raw::Reply;

/// What a worker does in the middle of a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Attack {
    /// Writes one word of its own half, and goes on.
    Word(usize, u32),
    /// The same, and aborts.
    WordAndAbort(usize, u32),
    /// Overwrites its whole half, and dies.
    Everything(u64),
    /// Answers its call by hand, and then does nothing.
    AnswerAndSleep,
    /// Answers its call by hand with this status, this many times, and ends.
    Status(u32, u32),
    /// Answers a call other than its own.
    Number(i64),
    Length(u32),
    Handles(u16),
    /// Sends a memory of this size as its result, for this segment.
    Sparse(u64, u32),
    /// Sends something that is not memory, or memory that could shrink or of pages that may be
    /// missing.
    NoMemory,
    CouldShrink,
    Huge,
    /// A bell that brings files, and more files in a packet than are taken at once.
    BellWithFiles,
    ManyFiles(usize),
    /// Answers with these flags; so many bytes of the place of a large result; that its memory came
    /// along so often; that its length is this.
    Flags(u16),
    Place(u32),
    Sent(u32),
    Claims(u64),
    /// Leaves nonsense about a panic, and aborts.
    Report(u64),
    /// Names a segment that it never sent.
    Unsent(u32),
    /// Moves the end of its replies by this much.
    Tail(u32),
    Packets(usize),
    /// Packets without a byte, which look like the end.
    Nothings(usize),
    Flood(usize),
    CloseSocket,
    /// Closes a direction of its socket.
    ShutDown(i32),
    /// Adds seals to all memory that it has.
    Seal(i32),
    Stop,
}

use Attack::*;

pub(crate) const ATTACKS: &[Attack] = &[
    Word(raw::TAIL.0, 8),
    Word(raw::TAIL.0, u32::MAX),
    Word(raw::CORE.0, 7),
    Word(raw::RUNNING.0, 0),
    Word(raw::RUNNING.0, u32::MAX),
    Word(raw::RUNNING_HIGH.0, u32::MAX),
    Word(raw::SLEEPING.0, 1),
    Word(raw::SLEEPING.0, 3),
    Word(raw::READY.0, 0),
    Word(raw::WAITING.0, 1),
    WordAndAbort(raw::REPORT_LENGTH.0, u32::MAX),
    WordAndAbort(raw::REPORT_LENGTH.0, 60 << 10),
    WordAndAbort(raw::CAUSE.0, 1),
    WordAndAbort(raw::CAUSE.0, 2),
    WordAndAbort(raw::CAUSE.0, u32::MAX),
    WordAndAbort(raw::RUNNING.0, 0),
    WordAndAbort(raw::READY.0, 0),
    Everything(0),
    Everything(u64::MAX),
    Everything(0x0000_0010_0000_0018),
    AnswerAndSleep,
    Status(0, 1),
    Status(1, 1),
    Status(2, 1),
    Status(3, 1),
    Status(4, 1),
    Status(5, 1),
    Status(77, 1),
    Status(u32::MAX, 1),
    Status(0, 40),
    Status(3, 40),
    Number(1),
    Number(-1),
    Number(i64::MAX),
    Length(1),
    Length(32 << 10),
    Length(u32::MAX),
    Length(u32::MAX - 7),
    Handles(1),
    Handles(u16::MAX),
    Sparse(1 << 40, 16),
    Sparse(1 << 40, 0),
    Sparse(1 << 40, u32::MAX),
    Sparse(0, 3),
    NoMemory,
    CouldShrink,
    Huge,
    BellWithFiles,
    ManyFiles(17),
    ManyFiles(250),
    Flags(1),
    Flags(2),
    Flags(u16::MAX),
    Place(0),
    Place(8),
    Sent(0),
    Sent(2),
    Sent(u32::MAX),
    Claims(0),
    Claims(4097),
    Claims(u64::MAX),
    Report(1),
    Report(0x0101_0101_0101_0101),
    Unsent(0),
    Unsent(15),
    Tail(4),
    Tail(256 << 10),
    Tail((256 << 10) + 8),
    Tail(1 << 31),
    Packets(1000),
    Nothings(1000),
    Flood(400),
    CloseSocket,
    ShutDown(libc::SHUT_RD),
    ShutDown(libc::SHUT_WR),
    ShutDown(libc::SHUT_RDWR),
    Seal(libc::F_SEAL_GROW),
    Seal(libc::F_SEAL_WRITE),
    Seal(libc::F_SEAL_FUTURE_WRITE),
    Seal(libc::F_SEAL_SEAL),
    Stop,
];

#[concurrent(process, timeout = 1s)]
fn attack(attack: Attack) -> u32 {
    carry_out(attack)
}

pub(crate) fn carry_out(attack: Attack) -> u32 {
    let null = files::dev_null();
    match attack {
        Word(at, value) => raw::write(raw::Word(at), value),
        BellWithFiles => (0..40).for_each(|_| _ = raw::send(b"!", &[null; 16])),
        Packets(count) => (0..count).for_each(|_| _ = raw::send(b"nonsense", &[])),
        Nothings(count) => (0..count).for_each(|_| _ = raw::send(b"", &[])),
        Flood(count) => (0..count).for_each(|_| _ = raw::send(b"F", &[null; 16])),
        attack => fight(attack),
    }
    0
}

/// What nobody comes back from.
fn fight(attack: Attack) -> ! {
    match attack {
        WordAndAbort(at, value) => {
            raw::write(raw::Word(at), value);
            std::process::abort();
        }
        Report(seed) => {
            raw::write_report(seed);
            raw::write(raw::REPORT_LENGTH, 60 << 10);
            std::process::abort();
        }
        Everything(value) => raw::write_everything(value),
        AnswerAndSleep => {
            Reply::new().publish();
            raw::sleep();
        }
        Tail(further) => {
            raw::tell(raw::read(raw::TAIL).wrapping_add(further));
            raw::sleep();
        }
        CloseSocket => {
            raw::close_socket();
            raw::sleep();
        }
        ShutDown(how) => {
            raw::shut_down(how);
            raw::sleep();
        }
        Seal(seals) => raw::seal(seals),
        Stop => raw::stop(),
        attack => answer(attack),
    }
    std::process::exit(3)
}

/// Answers its own call, or another.
fn answer(attack: Attack) {
    let bring = |file, reply: Reply| {
        raw::send(b"F", &[file]);
        reply.publish();
    };
    let memory = || files::sparse(4096, true);
    match attack {
        Status(status, count) => {
            (0..count).for_each(|_| Reply { status, ..Reply::new() }.publish());
        }
        Number(away) => {
            let number = raw::number().wrapping_add_signed(away);
            Reply { number, ..Reply::new() }.publish();
        }
        Length(length) => Reply { length, ..Reply::new() }.publish(),
        Handles(handles) => Reply { handles, ..Reply::new() }.publish(),
        Flags(flags) => Reply { flags, ..Reply::new() }.publish(),
        Sparse(size, segment) => {
            bring(files::sparse(size, true), Reply::large(size.max(64), segment));
        }
        NoMemory => bring(files::dev_null(), Reply::large(64, 16)),
        CouldShrink => bring(files::sparse(4096, false), Reply::large(64, 16)),
        Huge => bring(files::huge(), Reply::large(2 << 20, 16)),
        ManyFiles(count) => {
            raw::send(b"F", &vec![memory(); count]);
            Reply { handles: count as u16, ..Reply::new() }.publish();
        }
        Place(length) => Reply { length, ..Reply::large(64, 16) }.publish(),
        Sent(times) => bring(memory(), Reply { large: (64, 16, times), ..Reply::large(64, 16) }),
        Claims(length) => bring(memory(), Reply::large(length, 16)),
        Unsent(segment) => {
            Reply { handles: 0, large: (64, segment, 0), ..Reply::large(64, segment) }.publish();
        }
        attack => unreachable!("{attack:?} is no answer"),
    }
}

/// Whether an error is one that an attack may have.
pub(crate) fn is_told(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Codec { .. } | ErrorKind::MemoryLimit)
        || matches!(error.kind(), ErrorKind::Worker { .. })
        || error.is_crash()
        || error.is_timeout()
}

#[test]
fn each_call_ends_and_others_are_right() {
    assert_eq!(double(1).join().unwrap(), 2);
    for hostile in ATTACKS {
        let what = format!("{hostile:?}");
        println!("{what}");
        let task = attack(hostile.clone());
        let others = Others::call();
        if let Err(error) = ended(&what, task) {
            assert!(is_told(&error), "{what}: {error}");
        }
        others.check(&what);
        Others::call().check(&what);
    }
}
