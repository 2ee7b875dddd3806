//! The same where tokio drives whoever calls: in a task of its workers, in a `LocalSet`, and on a
//! blocking thread of a runtime that has no workers.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, spawn_blocking, spawn_local};
use tokio::time::timeout;
use trine::{Task, gather};

use super::{Deed, Hostile, Mode, PLACES, Place, contained, everywhere, in_turn};

/// Whose code does what.
#[derive(Clone, Copy)]
struct Row(Mode, Place, Deed);

impl Row {
    fn hostile(self) -> Hostile {
        Hostile::new(self.1, self.2, Place::DropOfArguments)
    }
}

async fn contained_in(run: impl Future) {
    if let Err(payload) = AssertUnwindSafe(run.map(drop)).catch_unwind().await {
        std::mem::forget(payload);
    }
}

async fn awaits(row: Row) {
    let Row(mode, ..) = row;
    for call in [mode.call, mode.chosen, mode.in_line[0], mode.in_line[1]] {
        contained_in(async { call(row.hostile()).await }).await;
        contained_in(async { timeout(Duration::from_millis(1), call(row.hostile())).await }).await;
        contained_in(async { drop(call(row.hostile())) }).await;
        contained_in(async { call(row.hostile()).detach() }).await;
        contained_in(async { gather([call(row.hostile()), call(row.hostile())]).await }).await;
    }
    contained_in(async { (mode.retried)(row.hostile()).await }).await;
}

/// What becomes of a handle where this thread has to drive the runtime of its call: another
/// executor would only wait, and nothing can tell it.
const ENDS: &[fn(Task<Hostile>)] = &[
    |task| drop(task.join()),
    |task| drop(task),
    |task| task.detach(),
    |task| drop(task.timeout(Duration::from_millis(1)).join()),
];

fn joins(row: Row) {
    for end in ENDS {
        contained(|| end((row.0.call)(row.hostile())));
        contained(|| end((row.0.in_line[1])(row.hostile())));
    }
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

type Driver = (&'static str, fn(Row));

const DRIVERS: &[Driver] = &[
    ("a task of tokio's workers", |row| {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async { tokio::spawn(awaits(row)).await.unwrap() });
    }),
    ("a task that tokio's workers run, which blocks", |row| {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async { tokio::spawn(async move { joins(row) }).await.unwrap() });
    }),
    ("a LocalSet", |row| {
        let tasks = LocalSet::new();
        tasks.block_on(&current_thread(), async { spawn_local(awaits(row)).await.unwrap() });
    }),
    ("a LocalSet, which blocks", |row| {
        let tasks = LocalSet::new();
        tasks.block_on(&current_thread(), async { joins(row) });
    }),
    ("a blocking thread of a current-thread runtime", |row| {
        current_thread().block_on(async { spawn_blocking(move || joins(row)).await.unwrap() });
    }),
];

#[test]
fn every_place_in_what_tokio_drives_times_what_it_may_do() {
    in_turn(every_place_in_what_tokio_drives_times_what_it_may_do, || {
        let rows: Vec<_> = (0..DRIVERS.len() * PLACES.len())
            .map(|index| (&DRIVERS[index % DRIVERS.len()], PLACES[index / DRIVERS.len()]))
            .collect();
        let name = |((name, _), place): &(&Driver, Place)| format!("{name}, {place:?}");
        let names: Vec<_> = rows.iter().map(name).collect();
        everywhere(&names, names.len(), |mode, index, deed| {
            let ((_, drive), place) = rows[index];
            contained(|| drive(Row(*mode, place, deed)));
        });
    });
}
