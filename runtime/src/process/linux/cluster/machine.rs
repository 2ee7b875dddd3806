//! A machine that serves: it takes calls of its own build from the broker, as many as it has
//! workers free, and answers each once.
//!
//! A call is **claimed** before it runs: a record under the call's own subject, which the broker
//! takes from one machine only. That, and not the queue, is why a call runs at most once: a queue
//! delivers again after a crash of the broker, and whoever can send to it can send again. The
//! answer takes the claim's place, again by a swap, so there is one answer, whoever else believes
//! to have the call.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::Subscriber;
use async_nats::jetstream::{AckKind, Message as Delivered};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::broker::{Answer, Broker, LOST_AFTER};
use super::envelope::{Fault, Parts, Question, Record, Reply, Task};
use super::hosted::{Ended, Hosted};
use super::objects::Placed;
use super::subject::{self, CallId};

/// How often the broker hears that a call is still running.
const PROGRESS: Duration = LOST_AFTER.checked_div(5).expect("it is not zero");
/// How often a claim is written again, before it is too old to be kept.
const CLAIM_AGAIN: Duration = Duration::from_secs(5 * 60);
/// How far the clocks of a caller and the broker may be apart, and how long a call may take to the
/// broker. Less than records are kept: of a call that somebody sends again who kept a copy, either
/// the record is still there, or it is older than this.
const CLOCKS_APART: Duration = Duration::from_secs(10 * 60);
/// How many cancelled calls are remembered, for those that come later than their end.
const CANCELLED_MAX: usize = 10_000;

pub(super) struct Machine {
    pub(super) broker: Broker,
    id: u64,
    /// How many calls run at once.
    slots: usize,
    running: AtomicUsize,
    calls: Mutex<Calls>,
    drains: AtomicBool,
    /// A slot has come free, or it drains.
    pub(super) news: Notify,
}

#[derive(Default)]
struct Calls {
    held: HashMap<CallId, Held>,
    cancelled: VecDeque<CallId>,
}

/// A call that this machine has taken in hand.
struct Held {
    /// Where the broker hears of it; the latest, as it may have been delivered again.
    reply: async_nats::Subject,
    hosted: Option<Arc<Hosted>>,
}

impl Machine {
    pub(super) fn new(broker: Broker, slots: usize) -> Self {
        Self {
            broker,
            id: subject::unique(),
            slots,
            running: AtomicUsize::new(0),
            calls: Mutex::default(),
            drains: AtomicBool::new(false),
            news: Notify::new(),
        }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many more calls may come.
    pub(super) fn free(&self) -> usize {
        if self.drains.load(Ordering::Acquire) {
            return 0;
        }
        self.slots.saturating_sub(self.running.load(Ordering::Acquire))
    }

    /// Takes no more calls.
    pub(super) fn drain(&self) {
        self.drains.store(true, Ordering::Release);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running.load(Ordering::Acquire) == 0
    }

    /// A slot, if one is free; it is taken until what is returned is dropped.
    pub(super) fn slot(self: &Arc<Self>) -> Option<Slot> {
        let limit = if self.drains.load(Ordering::Acquire) { 0 } else { self.slots };
        let take = |running| (running < limit).then_some(running + 1);
        self.running.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).ok()?;
        Some(Slot(Arc::clone(self)))
    }

    /// Takes a call that the broker has delivered.
    pub(super) async fn take(self: Arc<Self>, message: Delivered, slot: Option<Slot>) {
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
        let subject = self.broker.build.call(task.id);
        if let Err(why) = self.is_fresh(&message, &task) {
            self.end(&subject, 0, Record::Failed(Fault::Worker { message: why })).await;
        } else if let Some(claim) = self.claim(&subject, task.id).await {
            self.run(&subject, claim, &task, behind).await;
        }
        self.broker.forget(&task.value).await;
        let held = self.calls().held.remove(&task.id);
        drop(slot);
        if let Some(held) = held {
            let _ = self.broker.client.publish(held.reply, Bytes::new()).await;
        }
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

    fn sealed(&self, subject: &str, record: &Record) -> Bytes {
        // A record without a value always encodes: it is numbers and strings.
        self.broker.seal(subject, record, &[]).unwrap_or_default()
    }

    /// The right to run a call, as the number of the record that gives it.
    async fn claim(&self, subject: &str, id: CallId) -> Option<u64> {
        let claim = self.sealed(subject, &Record::Claimed { machine: self.id });
        let mut silent_since: Option<Instant> = None;
        loop {
            let there = match self.broker.swap(subject, &claim, 0).await {
                Ok(sequence) => return Some(sequence),
                Err(there) => there,
            };
            let other = match self.broker.open(subject, &there.sealed) {
                Some((Record::Claimed { machine }, _)) => machine,
                // Answered; or nonsense, which nobody with the key has written.
                _ => return None,
            };
            match self.broker.ask(self.broker.build.machine(other), Some(id)).await {
                // It is at work there, and was delivered again all the same.
                Answer::Yes => return None,
                // It has just been answered, then.
                Answer::No => {}
                Answer::Nobody | Answer::None => {
                    let since = *silent_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > LOST_AFTER {
                        self.end(subject, there.sequence, Record::Failed(Fault::WorkerLost)).await;
                        return None;
                    }
                }
            }
            sleep(PROGRESS / 2).await;
        }
    }

    /// Runs a call that is claimed, and puts its answer in the claim's place.
    async fn run(&self, subject: &str, mut claim: u64, task: &Task, behind: &[u8]) {
        let started = match self.broker.collect(&task.value, behind).await {
            Ok(parts) => Hosted::start(task, parts),
            Err(why) => Err(why),
        };
        let (hosted, mut ended) = match started {
            Ok(started) => started,
            Err(message) => {
                return self.end(subject, claim, Record::Failed(Fault::Codec { message })).await;
            }
        };
        let is_cancelled = {
            let mut calls = self.calls();
            if let Some(held) = calls.held.get_mut(&task.id) {
                held.hosted = Some(Arc::clone(&hosted));
            }
            calls.cancelled.contains(&task.id)
        };
        if is_cancelled {
            hosted.cancel();
        }
        let mut again = interval(CLAIM_AGAIN);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        again.reset();
        let ended = loop {
            tokio::select! {
                ended = &mut ended => break ended.unwrap_or(Ended::Failed(Fault::Cancelled)),
                _ = again.tick() => {
                    let sealed = self.sealed(subject, &Record::Claimed { machine: self.id });
                    if let Ok(sequence) = self.broker.swap(subject, &sealed, claim).await {
                        claim = sequence;
                    }
                }
            }
        };
        match ended {
            Ended::Failed(fault) => self.end(subject, claim, Record::Failed(fault)).await,
            Ended::Replied(status, parts) => self.reply(subject, claim, task, status, parts).await,
        }
    }

    async fn reply(&self, subject: &str, claim: u64, task: &Task, status: u32, parts: Parts) {
        let name = format!("{:016x}-{:x}-result", task.id.caller, task.id.number);
        let sealed = self.broker.place(name, parts).await.and_then(|Placed { value, behind }| {
            self.broker.seal(subject, &Record::Replied { status, value }, &behind)
        });
        match sealed {
            // Where it fails somebody else has answered, since this machine was given up.
            Ok(sealed) => drop(self.broker.swap(subject, &sealed, claim).await),
            Err(message) => {
                self.end(subject, claim, Record::Failed(Fault::Codec { message })).await;
            }
        }
    }

    /// Answers a call without a value.
    async fn end(&self, subject: &str, in_place_of: u64, record: Record) {
        let sealed = self.sealed(subject, &record);
        drop(self.broker.swap(subject, &sealed, in_place_of).await);
    }

    /// Tells the broker of all calls that are in hand, as long as this process lives.
    pub(super) async fn report(self: Arc<Self>) {
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

    pub(super) async fn hear_of_cancels(self: Arc<Self>, mut cancels: Subscriber) {
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
    pub(super) async fn answer(self: Arc<Self>, mut questions: Subscriber) {
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

    pub(super) fn questions(&self) -> [String; 2] {
        [self.broker.build.machines(), self.broker.build.machine(self.id)]
    }
}

/// A call's place among those that run here.
pub(super) struct Slot(Arc<Machine>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
        self.0.news.notify_one();
    }
}
