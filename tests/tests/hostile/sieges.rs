//! What a worker goes on doing, so that its parent has no end of work with it.

use std::io::{ErrorKind, Read as _};
use std::net::TcpStream;

use serde::{Deserialize, Serialize};
use trine::{Task, concurrent};
use trine_tests::checks::wait_until;
use trine_tests::gate::Gate;

use super::{Others, TOO_LONG, ended, files, raw};
use crate::raw::Reply;

/// What a worker does without an end.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Siege {
    /// Sends a file whose close takes as long as it lives, as its result, or beside it.
    Lingering(bool),
    /// Many of them.
    LingeringOften,
    /// Rings and rings, with files and without.
    Bells,
    BellsWithFiles,
    /// Sends handles and handles.
    Packets,
    /// Is always about to sleep, or always awake.
    Sleeps,
    /// Changes all that it may write.
    Everything,
    /// Takes the pages out of all memory that it has. In a pool of its own, since long results lie
    /// in their worker's memory until somebody takes them.
    Punches,
}

/// The limit gives it a worker of its own.
#[concurrent(process, memory = 1GiB)]
fn besiege(siege: Siege, port: u16) {
    let _gate = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let lingering = || {
        let file = files::lingering();
        raw::send(b"F", &[file]);
        files::close(file);
    };
    match siege {
        Siege::Lingering(is_result) => {
            lingering();
            if is_result {
                Reply::large(64, 16).publish();
            }
        }
        Siege::LingeringOften => (0..50).for_each(|_| lingering()),
        Siege::Bells => loop {
            raw::send(b"!", &[]);
        },
        Siege::BellsWithFiles => {
            let null = files::dev_null();
            loop {
                raw::send(b"!", &[null]);
            }
        }
        Siege::Packets => {
            let memory = files::sparse(4096, true);
            loop {
                raw::send(b"F", &[memory]);
            }
        }
        Siege::Sleeps => loop {
            raw::write(raw::SLEEPING, 1);
            raw::write(raw::SLEEPING, 3);
            raw::write(raw::SLEEPING, 4);
        },
        Siege::Punches => loop {
            raw::punch();
        },
        Siege::Everything => loop {
            [0, 1, u64::MAX].into_iter().for_each(raw::write_everything);
        },
    }
    raw::sleep();
}

/// The thread that serves all workers is never one worker's.
#[test]
fn others_go_on_beside_a_worker_that_never_stops() {
    let sieges = [Siege::Bells, Siege::BellsWithFiles, Siege::Packets, Siege::Sleeps]
        .into_iter()
        .chain([Siege::Lingering(true), Siege::Lingering(false), Siege::LingeringOften])
        .chain([Siege::Everything, Siege::Punches]);
    for siege in sieges {
        let what = format!("{siege:?}");
        println!("{what}");
        let (task, mut entered) = begun(siege);
        for _ in 0..5 {
            Others::call().check(&what);
        }
        task.cancel();
        assert!(ended(&what, task).is_err(), "{what}");
        // Its end is the end of the connection, by a reset perhaps.
        entered.set_read_timeout(Some(TOO_LONG)).unwrap();
        let held = entered.read(&mut [0]).map_err(|error| error.kind());
        assert!(!matches!(held, Err(ErrorKind::WouldBlock)), "{what}: it lives");
    }
}

/// A siege that has begun: the worker of the one before gets no call.
fn begun(siege: Siege) -> (Task<()>, TcpStream) {
    let gate = Gate::new();
    let task = besiege(siege, gate.port());
    let mut entered = None;
    wait_until(|| {
        let is_over = task.is_finished();
        entered = gate.entered_already();
        is_over || entered.is_some()
    });
    match entered {
        Some(entered) => (task, entered),
        None => panic!("{siege:?} has not begun: {}", ended("a siege", task).unwrap_err()),
    }
}
