//! Row 11: what an empty async task costs.

use crate::harness::{Goal, Row};

#[trine::concurrent(async)]
async fn empty(number: usize) -> usize {
    number
}

const MANY: usize = 100_000;

pub(crate) fn many() -> Row {
    let runtime = || tokio::runtime::Builder::new_multi_thread().build().expect("tokio starts");
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
        .goal(Goal::Time("tokio::spawn", 1.1))
}
