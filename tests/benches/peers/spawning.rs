//! Rows 2 and 3: what an empty task costs.

use std::thread;

use crate::blocking::tokio_runtime;
use crate::harness::{Goal, Row};

#[trine::concurrent(threads)]
fn empty(number: usize) -> usize {
    number
}

const MANY: usize = 100_000;
/// As many as the slower peers can handle.
const FEW: usize = 2_000;

pub(crate) fn many() -> Row {
    let tokio = tokio_runtime();
    Row::new("2", "100,000 empty tasks, spawn then gather, per task")
        .operations(MANY as u64)
        .rounds(11)
        .contestant("trine threads", || {
            let all = trine::gather((0..MANY).map(empty)).join().expect("no task fails");
            assert_eq!(all.len(), MANY);
        })
        .contestant("rayon::spawn + oneshot", || {
            let tasks: Vec<_> = (0..MANY).map(spawn_rayon).collect();
            let all: Vec<usize> = tasks.into_iter().map(|task| task.recv().unwrap()).collect();
            assert_eq!(all.len(), MANY);
        })
        .contestant("tokio spawn_blocking", move || {
            let tasks: Vec<_> =
                (0..MANY).map(|number| tokio.spawn_blocking(move || number)).collect();
            tokio.block_on(async {
                for task in tasks {
                    task.await.unwrap();
                }
            });
        })
        .goal(Goal::Time("rayon::spawn + oneshot", 0.5))
}

fn spawn_rayon(number: usize) -> oneshot::Receiver<usize> {
    let (sender, receiver) = oneshot::channel();
    rayon::spawn(move || {
        let _ = sender.send(number);
    });
    receiver
}

pub(crate) fn in_turn() -> Row {
    let tokio = tokio_runtime();
    Row::new("3", "one empty task, spawn then join, in turn")
        .operations(FEW as u64)
        .rounds(11)
        .contestant("trine threads", || {
            for number in 0..FEW {
                assert_eq!(empty(number).join().expect("no task fails"), number);
            }
        })
        .contestant("rayon::spawn + oneshot", || {
            for number in 0..FEW {
                assert_eq!(spawn_rayon(number).recv().unwrap(), number);
            }
        })
        .contestant("tokio spawn_blocking", move || {
            for number in 0..FEW {
                let task = tokio.spawn_blocking(move || number);
                assert_eq!(tokio.block_on(task).unwrap(), number);
            }
        })
        .contestant("std::thread", || {
            for number in 0..FEW {
                assert_eq!(thread::spawn(move || number).join().unwrap(), number);
            }
        })
        .goal(Goal::Time("rayon::spawn + oneshot", 0.05))
}
