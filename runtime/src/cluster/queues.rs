//! How calls come to a machine: it asks each queue of its build for as many as it has slots free.
//!
//! One subscription for life, and requests by hand, since what the client library buffers ahead
//! would be calls that wait here while another machine is idle.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::{self, BatchConfig};
use async_nats::{Message, StatusCode, Subscriber, jetstream};
use futures_util::StreamExt;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::machine::Machine;
use super::subject::ANY;

/// How long a request waits for calls.
const EXPIRES: Duration = Duration::from_secs(20);
/// How often is looked for queues of which no word came, and for requests of which none did.
const LOOK: Duration = Duration::from_secs(10);
/// How long a queue is left alone that refuses requests.
const REST: Duration = Duration::from_millis(200);

/// A queue, and what was asked of it.
struct Queue {
    consumer: PullConsumer,
    /// How many calls may still come of all requests together.
    asked: usize,
    /// When the last of them was sent.
    since: Instant,
    rests_until: Instant,
}

pub(crate) struct Queues {
    machine: Arc<Machine>,
    queues: Vec<Queue>,
    inbox: String,
}

impl Queues {
    pub(crate) fn new(machine: Arc<Machine>) -> Self {
        let inbox = machine.broker.client.new_inbox();
        Self { machine, queues: Vec::new(), inbox }
    }

    /// Takes calls until the machine drains.
    pub(crate) async fn serve(mut self, mut news_of_queues: Subscriber) {
        let machine = Arc::clone(&self.machine);
        let mut gaps = machine.broker.gaps.clone();
        let mut began = machine.broker.began().await;
        let mut inbox = machine.broker.subscribe(format!("{}.*", self.inbox)).await;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.ask().await;
            tokio::select! {
                message = inbox.next() => match message {
                    Some(message) => self.arrived(message),
                    None => return,
                },
                () = machine.slots.news.notified() => {}
                _ = news_of_queues.next() => self.find_queues().await,
                changed = gaps.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    // What was asked before may be forgotten there, and all else too.
                    machine.broker.make_streams().await;
                    if let Some(now) = machine.broker.began().await
                        && began.replace(now).is_some_and(|before| before != now)
                    {
                        machine.lose_all();
                    }
                    self.queues.clear();
                    self.find_queues().await;
                }
                // The first time at once.
                _ = look.tick() => {
                    self.forget_old();
                    self.find_queues().await;
                }
                () = sleep(REST), if self.queues.is_empty() => self.find_queues().await,
                () = sleep(REST), if self.is_resting() => {}
            }
        }
    }

    fn is_resting(&self) -> bool {
        self.queues.iter().any(|queue| queue.rests_until > Instant::now())
    }

    fn knows(&self, name: &str) -> bool {
        self.queues.iter().any(|queue| queue.consumer.cached_info().name == name)
    }

    fn add(&mut self, consumer: PullConsumer) {
        let now = Instant::now();
        self.queues.push(Queue { consumer, asked: 0, since: now, rests_until: now });
    }

    /// All queues of this build that there are, and the one that there always is. What cannot be
    /// had now is looked for again.
    async fn find_queues(&mut self) {
        let machine = Arc::clone(&self.machine);
        let broker = &machine.broker;
        if !self.knows(&broker.build.consumer(ANY))
            && let Some(consumer) = broker.make_queue(ANY, None).await
        {
            self.add(consumer);
        }
        let Some(stream) = broker.tasks().await else { return };
        let prefix = broker.build.consumer("");
        let mut names = stream.consumer_names();
        while let Some(Ok(name)) = names.next().await {
            if name.starts_with(&prefix)
                && !self.knows(&name)
                && let Ok(consumer) = stream.get_consumer::<pull::Config>(&name).await
            {
                self.add(consumer);
            }
        }
    }

    /// Asks every queue for as many calls as could run now.
    async fn ask(&mut self) {
        let anew = self.queues.iter().all(|queue| queue.asked == 0);
        let (free, worth) = self.machine.slots.free(anew);
        for (index, queue) in self.queues.iter_mut().enumerate() {
            let more = free.saturating_sub(queue.asked);
            let is_worth_it = more >= worth || more > 0 && queue.asked == 0;
            if !is_worth_it || queue.rests_until > Instant::now() {
                continue;
            }
            let batch = BatchConfig { batch: more, expires: Some(EXPIRES), ..Default::default() };
            // What is not a call comes back to this name, and says by it whose it is.
            let inbox = format!("{}.{index}", self.inbox);
            if queue.consumer.request_batch(batch, inbox.into()).await.is_ok() {
                (queue.asked, queue.since) = (queue.asked + more, Instant::now());
            }
        }
    }

    fn arrived(&mut self, message: Message) {
        match message.status {
            None | Some(StatusCode::OK) => {
                let context = self.machine.broker.jetstream();
                let message = jetstream::Message { message, context };
                let Ok(info) = message.info() else { return };
                let name = |queue: &&mut Queue| queue.consumer.cached_info().name == info.consumer;
                if let Some(queue) = self.queues.iter_mut().find(name) {
                    queue.asked = queue.asked.saturating_sub(1);
                }
                let slot = self.machine.slots.take();
                tokio::spawn(Arc::clone(&self.machine).take(message, slot));
            }
            Some(StatusCode::IDLE_HEARTBEAT) => {}
            Some(status) => self.over(&message, status),
        }
    }

    /// A request is over, with fewer calls than it asked for.
    fn over(&mut self, message: &Message, status: StatusCode) {
        let index = message.subject.rsplit('.').next().and_then(|index| index.parse().ok());
        let Some(queue) = index.and_then(|index: usize| self.queues.get_mut(index)) else { return };
        let headers = message.headers.as_ref();
        let left = headers.and_then(|headers| headers.get("Nats-Pending-Messages"));
        // Where it does not say how many did not come, none of any request does.
        let left = left.and_then(|left| left.as_str().parse().ok()).unwrap_or(queue.asked);
        queue.asked = queue.asked.saturating_sub(left);
        if status != StatusCode::TIMEOUT {
            queue.rests_until = Instant::now() + REST;
        }
        if status == StatusCode::NO_RESPONDERS {
            // It is gone, or the broker has forgotten it: it is made again when it is looked for.
            self.queues.clear();
        }
    }

    /// Requests of which nothing was heard when they must be over.
    fn forget_old(&mut self) {
        for queue in &mut self.queues {
            if queue.since.elapsed() > EXPIRES + LOOK {
                queue.asked = 0;
            }
        }
    }
}
