//! Row 20: calls to workers with state, beside the actors of kameo and ractor, and beside plain
//! tasks. Each call adds a number to a sum and returns it.
//!
//! The actors are asked from a task of their runtime, as a service would, with the mailboxes that
//! `spawn` gives; where all are in flight, kameo's has no bound, as ractor's never has.

#[cfg(feature = "actors")]
use std::rc::Rc;

use tokio::runtime::Runtime;

use crate::blocking::tokio_runtime;
use crate::harness::{Goal, Row};

struct Sum(u64);

#[trine::concurrent(threads)]
impl Sum {
    pub(crate) fn new() -> Self {
        Self(0)
    }
    pub(crate) fn add(&mut self, number: u64) -> u64 {
        self.0 = self.0.wrapping_add(number);
        self.0
    }
}

struct AsyncSum(u64);

#[trine::concurrent(async)]
impl AsyncSum {
    pub(crate) async fn new() -> Self {
        Self(0)
    }
    pub(crate) async fn add(&mut self, number: u64) -> u64 {
        self.0 = self.0.wrapping_add(number);
        self.0
    }
}

struct ProcessSum(u64);

#[trine::concurrent(process)]
impl ProcessSum {
    pub(crate) fn new() -> Self {
        Self(0)
    }
    pub(crate) fn add(&mut self, number: u64) -> u64 {
        self.0 = self.0.wrapping_add(number);
        self.0
    }
}

#[trine::concurrent(threads)]
fn increment(number: u64) -> u64 {
    number + 1
}

#[trine::concurrent(process)]
fn increment_in_process(number: u64) -> u64 {
    number + 1
}

const IN_TURN: u64 = 20_000;
const MANY: u64 = 100_000;

pub(crate) fn in_turn() -> Row {
    let sum = SumWorker::new();
    let row = Row::new("20", "one call to a `threads` worker with state, then join, in turn")
        .operations(IN_TURN)
        .rounds(11)
        .contestant("trine worker", move || {
            for _ in 0..IN_TURN {
                assert_ne!(sum.add(1).join().expect("no call fails"), 0);
            }
        })
        .contestant("trine threads", || {
            for number in 0..IN_TURN {
                assert_eq!(increment(number).join().expect("no task fails"), number + 1);
            }
        })
        .goal(Goal::Time("trine threads", 1.3));
    beside_actors(row, 0.5, Flight::InTurn)
}

pub(crate) fn many() -> Row {
    let sum = SumWorker::new();
    let row = Row::new("20", "100,000 calls to a `threads` worker, all in flight, per call")
        .operations(MANY)
        .rounds(11)
        .contestant("trine worker", move || {
            let all = trine::gather((0..MANY).map(|_| sum.add(1))).join().expect("no call fails");
            assert_eq!(all.len() as u64, MANY);
        })
        .contestant("trine threads", || {
            let all = trine::gather((0..MANY).map(increment)).join().expect("no task fails");
            assert_eq!(all.len() as u64, MANY);
        })
        .goal(Goal::Time("trine threads", 1.3));
    beside_actors(row, 0.5, Flight::Many)
}

/// The same from a task of the runtime, where all three are.
pub(crate) fn awaited() -> Row {
    let runtime = tokio_runtime();
    let sum = runtime.block_on(async { AsyncSumWorker::new() });
    let row = Row::new("20", "one call to an `async` worker with state, then await, in turn")
        .operations(IN_TURN)
        .rounds(11)
        .contestant("trine async worker", move || {
            let sum = sum.clone();
            run(&runtime, async move {
                for _ in 0..IN_TURN {
                    assert_ne!(sum.add(1).await.expect("no call fails"), 0);
                }
            });
        });
    beside_actors(row, 1.0, Flight::InTurn)
}

pub(crate) fn process() -> Row {
    let sum = ProcessSumWorker::new();
    Row::new("20", "one call to a `process` worker with state, then join, in turn")
        .operations(IN_TURN)
        .rounds(11)
        .contestant("trine process worker", move || {
            for _ in 0..IN_TURN {
                assert_ne!(sum.add(1).join().expect("no call fails"), 0);
            }
        })
        .contestant("trine process", || {
            for number in 0..IN_TURN {
                let task = increment_in_process(number);
                assert_eq!(task.join().expect("no task fails"), number + 1);
            }
        })
        .goal(Goal::Time("trine process", 1.0))
}

/// The worker has one process, to which calls are sent before the one before them has ended, up to
/// some number. The pool beside it has a process for each core.
pub(crate) fn process_many() -> Row {
    let sum = ProcessSumWorker::new();
    Row::new("20", "100,000 calls to a `process` worker, all in flight, per call")
        .operations(MANY)
        .rounds(7)
        .contestant("trine process worker", move || {
            let all = trine::gather((0..MANY).map(|_| sum.add(1))).join().expect("no call fails");
            assert_eq!(all.len() as u64, MANY);
        })
        .contestant("trine process", || {
            let all = (0..MANY).map(increment_in_process);
            assert_eq!(trine::gather(all).join().expect("no task fails").len() as u64, MANY);
        })
        .goal(Goal::Time("trine process", 1.0))
}

/// How many of an actor's calls there are at a time.
#[derive(Clone, Copy)]
enum Flight {
    InTurn,
    Many,
}

/// Runs it as a task of the runtime.
fn run(runtime: &Runtime, body: impl Future<Output = ()> + Send + 'static) {
    runtime.block_on(async { tokio::spawn(body).await.expect("no call fails") });
}

#[cfg(not(feature = "actors"))]
fn beside_actors(row: Row, _: f64, flight: Flight) -> Row {
    match flight {
        Flight::InTurn | Flight::Many => row.missing("kameo, ractor (--features actors)"),
    }
}

#[cfg(feature = "actors")]
fn beside_actors(row: Row, goal: f64, flight: Flight) -> Row {
    let runtime = Rc::new(tokio_runtime());
    let (kameo, ractor) =
        runtime.block_on(async { (kameo_actor::spawn(), ractor_actor::spawn().await) });
    let own = Rc::clone(&runtime);
    let row = match flight {
        Flight::InTurn => row
            .contestant("kameo", move || run(&own, kameo_actor::in_turn(kameo.clone())))
            .contestant("ractor", move || run(&runtime, ractor_actor::in_turn(ractor.clone()))),
        Flight::Many => row
            .contestant("kameo", move || run(&own, kameo_actor::many(kameo.clone())))
            .contestant("ractor", move || run(&runtime, ractor_actor::many(ractor.clone()))),
    };
    row.goal(Goal::Time("kameo", goal)).goal(Goal::Time("ractor", goal))
}

#[cfg(feature = "actors")]
mod kameo_actor {
    use kameo::Actor;
    use kameo::actor::{ActorRef, Spawn};
    use kameo::mailbox;
    use kameo::message::{Context, Message};

    use super::{IN_TURN, MANY};

    #[derive(Actor)]
    pub(super) struct Sum(u64);

    pub(super) struct Add(u64);

    impl Message<Add> for Sum {
        type Reply = u64;

        async fn handle(&mut self, Add(number): Add, _: &mut Context<Self, u64>) -> u64 {
            self.0 = self.0.wrapping_add(number);
            self.0
        }
    }

    pub(super) fn spawn() -> (ActorRef<Sum>, ActorRef<Sum>) {
        (Sum::spawn(Sum(0)), Sum::spawn_with_mailbox(Sum(0), mailbox::unbounded()))
    }

    pub(super) async fn in_turn((sum, _): (ActorRef<Sum>, ActorRef<Sum>)) {
        for _ in 0..IN_TURN {
            assert_ne!(sum.ask(Add(1)).await.unwrap(), 0);
        }
    }

    pub(super) async fn many((_, sum): (ActorRef<Sum>, ActorRef<Sum>)) {
        let mut asked = Vec::with_capacity(MANY as usize);
        for _ in 0..MANY {
            asked.push(sum.ask(Add(1)).enqueue().await.unwrap());
        }
        for reply in asked {
            assert_ne!(reply.await.unwrap(), 0);
        }
    }
}

#[cfg(feature = "actors")]
mod ractor_actor {
    use ractor::concurrency::oneshot;
    use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, call};

    use super::{IN_TURN, MANY};

    pub(super) struct Sum;

    pub(super) enum Message {
        Add(u64, RpcReplyPort<u64>),
    }

    impl Actor for Sum {
        type Msg = Message;
        type State = u64;
        type Arguments = ();

        async fn pre_start(&self, _: ActorRef<Message>, (): ()) -> Result<u64, ActorProcessingErr> {
            Ok(0)
        }

        async fn handle(
            &self,
            _: ActorRef<Message>,
            Message::Add(number, reply): Message,
            sum: &mut u64,
        ) -> Result<(), ActorProcessingErr> {
            *sum = sum.wrapping_add(number);
            reply.send(*sum)?;
            Ok(())
        }
    }

    pub(super) async fn spawn() -> ActorRef<Message> {
        Actor::spawn(None, Sum, ()).await.unwrap().0
    }

    pub(super) async fn in_turn(sum: ActorRef<Message>) {
        for _ in 0..IN_TURN {
            assert_ne!(call!(sum, Message::Add, 1).unwrap(), 0);
        }
    }

    pub(super) async fn many(sum: ActorRef<Message>) {
        let mut asked = Vec::with_capacity(MANY as usize);
        for _ in 0..MANY {
            // What `call` does before it waits.
            let (reply, answer) = oneshot();
            sum.cast(Message::Add(1, reply.into())).unwrap();
            asked.push(answer);
        }
        for answer in asked {
            assert_ne!(answer.await.unwrap(), 0);
        }
    }
}
