//! How calls come to a machine: it asks each queue of its build for as many as it has slots free.
//!
//! One subscription for life, and requests by hand, since what the client library buffers ahead
//! would be calls that wait here while another machine is idle.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::{self, BatchConfig};
use async_nats::{Message, StatusCode, Subscriber, jetstream};
use futures_util::StreamExt;
use tokio::time::sleep;

use super::machine::Machine;
use super::subject::ANY;

/// How long a request waits for calls.
const EXPIRES: Duration = Duration::from_secs(20);
const GRACE: Duration = Duration::from_secs(2);

/// What was asked of a queue.
struct Queue {
    consumer: PullConsumer,
    requests: VecDeque<Request>,
}

struct Request {
    number: u64,
    left: usize,
    since: Instant,
}

impl Queue {
    fn asked(&self) -> usize {
        self.requests.iter().map(|request| request.left).sum()
    }
}

pub(super) struct Queues {
    machine: Arc<Machine>,
    queues: Vec<Queue>,
    inbox: String,
    requests: u64,
}

impl Queues {
    pub(super) fn new(machine: Arc<Machine>) -> Self {
        let inbox = machine.broker.client.new_inbox();
        Self { machine, queues: Vec::new(), inbox, requests: 0 }
    }

    /// Takes calls until the machine drains.
    pub(super) async fn serve(mut self, mut news_of_queues: Subscriber) {
        let mut gaps = self.machine.broker.gaps.clone();
        let mut inbox = loop {
            match self.machine.broker.client.subscribe(format!("{}.*", self.inbox)).await {
                Ok(inbox) => break inbox,
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        };
        self.find_queues().await;
        let machine = Arc::clone(&self.machine);
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
                    // What was asked before may be forgotten there.
                    if changed.is_err() {
                        return;
                    }
                    self.queues.iter_mut().for_each(|queue| queue.requests.clear());
                    self.find_queues().await;
                }
                () = sleep(EXPIRES + GRACE) => self.forget_old(),
            }
        }
    }

    /// All queues of this build that there are, and the one that there always is.
    async fn find_queues(&mut self) {
        let broker = &self.machine.broker;
        let mut found = Vec::new();
        loop {
            if let Some(consumer) = broker.make_queue(ANY, None).await {
                found.push(consumer);
                break;
            }
            sleep(Duration::from_millis(200)).await;
        }
        let prefix = broker.build.consumer("");
        if let Some(stream) = broker.tasks().await {
            let mut names = stream.consumer_names();
            while let Some(Ok(name)) = names.next().await {
                let is_known =
                    found.iter().any(|known: &PullConsumer| known.cached_info().name == name);
                if name.starts_with(&prefix)
                    && !is_known
                    && let Ok(consumer) = stream.get_consumer::<pull::Config>(&name).await
                {
                    found.push(consumer);
                }
            }
        }
        for consumer in found {
            let name = &consumer.cached_info().name;
            if self.queues.iter().all(|queue| queue.consumer.cached_info().name != *name) {
                self.queues.push(Queue { consumer, requests: VecDeque::new() });
            }
        }
    }

    /// Asks every queue for as many calls as could run now.
    async fn ask(&mut self) {
        let anew = self.queues.iter().all(|queue| queue.requests.is_empty());
        let (free, worth) = self.machine.slots.free(anew);
        for queue in &mut self.queues {
            let left = free.saturating_sub(queue.asked());
            if left == 0 || left < worth && !queue.requests.is_empty() {
                continue;
            }
            self.requests += 1;
            let batch = BatchConfig { batch: left, expires: Some(EXPIRES), ..Default::default() };
            let inbox = format!("{}.{}", self.inbox, self.requests);
            if queue.consumer.request_batch(batch, inbox.into()).await.is_ok() {
                let request = Request { number: self.requests, left, since: Instant::now() };
                queue.requests.push_back(request);
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
                if let Some(queue) = self.queues.iter_mut().find(name)
                    && let Some(request) = queue.requests.front_mut()
                {
                    // The broker serves requests in the order in which they came.
                    request.left -= 1;
                    if request.left == 0 {
                        queue.requests.pop_front();
                    }
                }
                let slot = self.machine.slots.take();
                tokio::spawn(Arc::clone(&self.machine).take(message, slot));
            }
            Some(StatusCode::IDLE_HEARTBEAT) => {}
            // Over, for whatever reason: the next one is sent when there is room.
            Some(_) => {
                let number = message.subject.rsplit('.').next().and_then(|n| n.parse().ok());
                for queue in &mut self.queues {
                    queue.requests.retain(|request| Some(request.number) != number);
                }
            }
        }
    }

    fn forget_old(&mut self) {
        for queue in &mut self.queues {
            queue.requests.retain(|request| request.since.elapsed() < EXPIRES + GRACE);
        }
    }
}
