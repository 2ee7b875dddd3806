//! Row 11: what an empty async task costs.

use tokio::runtime::{Builder, Runtime};

use crate::harness::{Goal, Row};

#[trine::concurrent(async)]
async fn empty(number: usize) -> usize {
    number
}

const MANY: usize = 100_000;
const IN_TURN: usize = 20_000;

fn runtime() -> Runtime {
    Builder::new_multi_thread().build().expect("tokio starts")
}

pub(crate) fn many() -> Row {
    let (ours, theirs) = (runtime(), runtime());
    Row::new("11", "100,000 empty `async` tasks, spawn then gather, per task")
        .operations(MANY as u64)
        .rounds(11)
        .contestant("trine async", move || {
            let all = ours.block_on(async { trine::gather((0..MANY).map(empty)).await });
            assert_eq!(all.expect("no task fails").len(), MANY);
        })
        .contestant("tokio::spawn", move || {
            let all = theirs.block_on(async {
                let tasks: Vec<_> =
                    (0..MANY).map(|number| tokio::spawn(async move { number })).collect();
                let mut all = Vec::with_capacity(MANY);
                for task in tasks {
                    all.push(task.await.unwrap());
                }
                all
            });
            assert_eq!(all.len(), MANY);
        })
        .goal(Goal::Time("tokio::spawn", 1.0))
}

/// From a task of the runtime, as a service would.
pub(crate) fn in_turn() -> Row {
    let (ours, theirs) = (runtime(), runtime());
    let run = |runtime: &Runtime, turns: fn(usize) -> tokio::task::JoinHandle<()>| {
        runtime.block_on(async { turns(IN_TURN).await.expect("no turn fails") });
    };
    Row::new("11", "one empty `async` task, spawn then await, in turn")
        .operations(IN_TURN as u64)
        .rounds(21)
        .contestant("trine async", move || {
            run(&ours, |turns| {
                tokio::spawn(async move {
                    for number in 0..turns {
                        assert_eq!(empty(number).await.expect("no task fails"), number);
                    }
                })
            });
        })
        .contestant("tokio::spawn", move || {
            run(&theirs, |turns| {
                tokio::spawn(async move {
                    for number in 0..turns {
                        assert_eq!(tokio::spawn(async move { number }).await.unwrap(), number);
                    }
                })
            });
        })
        .goal(Goal::Time("tokio::spawn", 1.1))
}
