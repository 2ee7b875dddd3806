//! A machine that serves: it takes calls of its own build from the broker, as many as it has
//! workers for, and answers each once.
//!
//! A call is **claimed** before it runs ([`claims`](super::claims)), so it runs at most once, and
//! leaves the queue only when its answer is stored. If the machine dies in between, the broker
//! delivers the call to another one, which finds the claim, hears nothing of who has it, and
//! answers that it is lost.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::Subscriber;
use async_nats::jetstream::{AckKind, Message as Delivered};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::answers::Answers;
use super::broker::{Broker, Heard, LOST_AFTER};
use super::claims::{Claims, Holder};
use super::envelope::{Ending, Fault, Question, Reply, Task};
use super::hosted::{Ended, Hosted};
use super::objects::Placed;
use super::slots::{Slot, Slots};
use super::subject::CallId;

use crate::random;
use crate::sync::{Guard, Lock};

/// How often the broker hears that a call is still running.
const PROGRESS: Duration = LOST_AFTER.checked_div(5).expect("it is not zero");
/// How often a claim is written again, before it is too old to be kept.
const CLAIM_AGAIN: Duration = Duration::from_secs(5 * 60);
/// How far the clocks of a caller and the broker may be apart, and how long a call may take to the
/// broker. Less than claims are kept: of a call that somebody sends again who kept a copy, either
/// the claim is still there, or it is older than this.
const CLOCKS_APART: Duration = Duration::from_secs(10 * 60);
/// How many cancelled calls are remembered, for those that come later than their end.
const CANCELLED_MAX: usize = 10_000;

pub(crate) struct Machine {
    pub(crate) broker: Arc<Broker>,
    id: u64,
    pub(crate) slots: Arc<Slots>,
    claims: Arc<Claims>,
    answers: Arc<Answers>,
    calls: Lock<Calls>,
}

#[derive(Default)]
struct Calls {
    held: HashMap<CallId, Held>,
    cancelled: VecDeque<CallId>,
    /// Machines that should have answered: since when they have not, and when they were last asked.
    silent: HashMap<u64, (Instant, Instant)>,
}

/// A call that this machine has taken in hand.
struct Held {
    /// Where the broker hears of it; the latest, as it may have been delivered again.
    reply: async_nats::Subject,
    hosted: Option<Arc<Hosted>>,
}

impl Machine {
    pub(crate) fn new(broker: Arc<Broker>, workers: usize) -> Self {
        let id = random::number();
        Self {
            id,
            slots: Arc::new(Slots::new(workers)),
            claims: Arc::new(Claims::new(Arc::clone(&broker), id)),
            answers: Arc::new(Answers::new(Arc::clone(&broker))),
            broker,
            calls: Lock::default(),
        }
    }

    fn calls(&self) -> Guard<'_, Calls> {
        self.calls.lock()
    }

    /// Takes a call that the broker has delivered.
    pub(crate) async fn take(self: Arc<Self>, message: Delivered, slot: Option<Slot>) {
        let Some(reply) = message.reply.clone() else { return };
        let Some((task, behind)) = self.broker.open::<Task>(&message.subject, &message.payload)
        else {
            // Not from anybody with the key: it gets no answer, and does not come again.
            let _ = message.ack_with(AckKind::Term).await;
            return;
        };
        if let Some(held) = self.calls().held.get_mut(&task.id) {
            held.reply = reply;
            return;
        }
        let Some(slot) = slot else {
            // More than there was room for: it goes to whoever has some.
            let _ = message.ack_with(AckKind::Nak(None)).await;
            return;
        };
        let held = Held { reply, hosted: None };
        self.calls().held.insert(task.id, held);
        let is_over = self.conclude(&message, &task, behind, slot).await;
        let held = self.calls().held.remove(&task.id);
        // If it is not over it comes again, should the machine that has it not end it.
        if let Some(held) = held.filter(|_| is_over) {
            let _ = self.broker.client.publish(held.reply, Bytes::new()).await;
        }
    }

    /// Runs a call, if that is for this machine to do; says whether it has been answered.
    async fn conclude(&self, message: &Delivered, task: &Task, behind: &[u8], slot: Slot) -> bool {
        let id = task.id;
        let other = match self.claims.claim(id).await {
            Holder::Us => {
                match self.is_fresh(message, task) {
                    Ok(()) => self.run(task, behind).await,
                    Err(message) => self.fail(id, Fault::Worker { message }).await,
                }
                self.broker.forget(&task.value).await;
                return true;
            }
            // And it is not at it any more.
            Holder::Earlier(machine) if machine == self.id => return true,
            Holder::Earlier(machine) => machine,
        };
        // Nothing runs here for it: others may.
        drop(slot);
        loop {
            match Box::pin(self.broker.ask(self.broker.build.machine(other), Some(id))).await {
                // It is at work there, and was delivered again all the same.
                Heard::Yes => {
                    self.heard_of(other);
                    return false;
                }
                // It has been answered there.
                Heard::No => {
                    self.heard_of(other);
                    return true;
                }
                Heard::Nobody | Heard::None if self.silence_of(other) > LOST_AFTER => {
                    self.fail(id, Fault::WorkerLost).await;
                    self.broker.forget(&task.value).await;
                    return true;
                }
                Heard::Nobody | Heard::None => sleep(PROGRESS / 2).await,
            }
        }
    }

    fn heard_of(&self, machine: u64) {
        self.calls().silent.remove(&machine);
    }

    /// How long a machine has not answered, though it was asked again and again.
    fn silence_of(&self, machine: u64) -> Duration {
        let now = Instant::now();
        let mut calls = self.calls();
        let (since, asked) = calls.silent.entry(machine).or_insert((now, now));
        // Nor is it silence where this machine could not hear it.
        if now - *asked > LOST_AFTER || !self.broker.is_connected() {
            *since = now;
        }
        *asked = now;
        now - *since
    }

    /// Whether the call may be one that was not seen before.
    fn is_fresh(&self, message: &Delivered, task: &Task) -> Result<(), String> {
        let Ok(info) = message.info() else { return Err("it came from no queue".into()) };
        let stored = u64::try_from(info.published.unix_timestamp_nanos() / 1_000_000);
        let apart = Duration::from_millis(stored.unwrap_or(0).abs_diff(task.issued));
        if apart <= CLOCKS_APART {
            return Ok(());
        }
        Err(format!("the clocks of its caller and of the broker are {apart:?} apart"))
    }

    async fn fail(&self, id: CallId, fault: Fault) {
        self.answers.give(id, Ending::Failed(fault), Vec::new()).await;
    }

    /// Runs a call that is claimed, and answers it.
    async fn run(&self, task: &Task, behind: &[u8]) {
        let id = task.id;
        let started = match self.broker.collect(&task.value, behind).await {
            Ok(parts) => Hosted::start(task, parts),
            Err(why) => Err(why),
        };
        let (hosted, mut ended) = match started {
            Ok(started) => started,
            Err(message) => return self.fail(id, Fault::Codec { message }).await,
        };
        if self.note_start(id, &hosted) {
            hosted.cancel();
        }
        let began = Instant::now();
        let mut again = interval(CLAIM_AGAIN);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        again.reset();
        let ended = loop {
            tokio::select! {
                ended = &mut ended => break ended.unwrap_or(Ended::Failed(Fault::Cancelled)),
                // Beside it, since the end may come meanwhile.
                _ = again.tick() => drop(tokio::spawn(Arc::clone(&self.claims).renew(id))),
            }
        };
        self.slots.took(began.elapsed());
        let (status, parts) = match ended {
            Ended::Failed(fault) => return self.fail(id, fault).await,
            Ended::Replied(status, parts) => (status, parts),
        };
        let name = || format!("{:016x}-{:x}-result", id.caller, id.number);
        match self.broker.place(name, parts).await {
            Ok(Placed { value, behind }) => {
                self.answers.give(id, Ending::Replied { status, value }, behind).await;
            }
            Err(message) => self.fail(id, Fault::Codec { message }).await,
        }
    }

    /// Notes how a call can be ended; says whether it is to be.
    fn note_start(&self, id: CallId, hosted: &Arc<Hosted>) -> bool {
        let mut calls = self.calls();
        if let Some(held) = calls.held.get_mut(&id) {
            held.hosted = Some(Arc::clone(hosted));
        }
        calls.cancelled.contains(&id)
    }

    /// The broker has lost what it had of all calls, which their callers have given up.
    pub(crate) fn lose_all(&self) {
        let hosted: Vec<_> =
            self.calls().held.values().filter_map(|held| held.hosted.clone()).collect();
        hosted.iter().for_each(Hosted::lose);
    }

    /// Tells the broker of all calls that are in hand, as long as this process lives.
    pub(crate) async fn report(self: Arc<Self>) {
        let mut ticks = interval(PROGRESS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let replies: Vec<_> =
                self.calls().held.values().map(|held| held.reply.clone()).collect();
            for reply in replies {
                let _ = self.broker.client.publish(reply, Bytes::from_static(b"+WPI")).await;
            }
        }
    }

    pub(crate) async fn hear_of_cancels(self: Arc<Self>, mut cancels: Subscriber) {
        while let Some(message) = cancels.next().await {
            let opened = self.broker.open(&message.subject, &message.payload);
            let Some((id, _)) = opened else { continue };
            let hosted = {
                let mut calls = self.calls();
                if calls.cancelled.len() == CANCELLED_MAX {
                    calls.cancelled.pop_front();
                }
                calls.cancelled.push_back(id);
                calls.held.get(&id).and_then(|held| held.hosted.clone())
            };
            if let Some(hosted) = hosted {
                hosted.cancel();
            }
        }
    }

    /// Answers whether it is there, and whether it has a call.
    pub(crate) async fn answer(self: Arc<Self>, mut questions: Subscriber) {
        while let Some(message) = questions.next().await {
            let Some(to) = message.reply else { continue };
            let opened = self.broker.open(&message.subject, &message.payload);
            let Some((Question { number, holds }, _)) = opened else { continue };
            let yes = holds.is_none_or(|id| self.calls().held.contains_key(&id));
            if let Ok(sealed) = self.broker.seal(&message.subject, &Reply { number, yes }, &[]) {
                let _ = self.broker.client.publish(to, sealed).await;
            }
        }
    }

    pub(crate) fn questions(&self) -> [String; 2] {
        [self.broker.build.machines(), self.broker.build.machine(self.id)]
    }
}
