//! The event loop of the thread that speaks with the broker: what arrives, what is sent, and which
//! calls are still open.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Message, StatusCode, Subscriber};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Command;
use super::lane::Lane;
use super::outgoing::Limits;
use super::remote::Remote;
use crate::cluster::broker::envelope::{Body, Stored};
use crate::cluster::broker::limits::Place;
use crate::cluster::broker::settings::Settings;
use crate::cluster::broker::subject::label_in;
use crate::cluster::broker::{Broker, LastError, Unsent};
use crate::cluster::clock;
use crate::cluster::operations::News;
use crate::cluster::protocol::{self, CallerDeed, ToCaller, Weight};
use crate::process::job::Job;
use crate::random;

const TICK: Duration = Duration::from_millis(50);
/// How many messages or calls are received before anything is sent.
const TOGETHER: usize = 1024;

type Protocol = protocol::Caller<Body, Body>;

/// A call that has not ended yet.
pub(super) struct Open {
    pub(super) call: Arc<dyn Remote>,
    /// Where its arguments are stored, if they are.
    pub(super) arguments: Option<Stored>,
    pub(super) place: Option<Place>,
    /// The call that keeps the value which it is about.
    pub(super) home: Option<u64>,
    /// What it has said, once some of that was stored.
    pub(super) lane: Option<Lane>,
}

pub(super) async fn run(
    settings: Arc<Settings>,
    sender: mpsc::UnboundedSender<Command>,
    commands: mpsc::UnboundedReceiver<Command>,
) {
    let last_error = LastError::default();
    let connecting = Broker::connect(Arc::clone(&settings), "trine caller", last_error.clone());
    tokio::pin!(connecting);
    let id = random::number();
    let mut event_loop = EventLoop {
        id,
        core: Protocol::new(id, settings.terms, clock::now()),
        settings,
        open: HashMap::new(),
        waiting: Vec::new(),
        limits: Limits::default(),
        sender,
        broker: None,
        last_error,
        refusal: None,
    };
    let mut commands = commands;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Calls made before there is a connection wait as long as they would for a machine.
    let broker = loop {
        tokio::select! {
            broker = &mut connecting => break broker,
            Some(command) = commands.recv() => event_loop.obey(command),
            _ = ticks.tick() => event_loop.core.tick(clock::now()),
        }
        event_loop.act().await;
    };
    let inbox = match broker {
        Ok(broker) => event_loop.connect(broker).await,
        Err(why) => Err(why),
    };
    match inbox {
        Ok((inbox, news)) => event_loop.serve(commands, inbox, news, ticks).await,
        Err(why) => {
            event_loop.refuse(why);
            while let Some(command) = commands.recv().await {
                event_loop.obey(command);
            }
        }
    }
}

/// The state of the event loop.
pub(super) struct EventLoop {
    pub(super) id: u64,
    pub(super) settings: Arc<Settings>,
    pub(super) core: Protocol,
    pub(super) open: HashMap<u64, Open>,
    /// Calls from before the connection.
    pub(super) waiting: Vec<(u64, Job)>,
    pub(super) limits: Limits,
    pub(super) sender: mpsc::UnboundedSender<Command>,
    pub(super) broker: Option<Broker>,
    pub(super) last_error: LastError,
    /// Why there will never be a connection.
    pub(super) refusal: Option<String>,
}

impl EventLoop {
    async fn connect(&mut self, broker: Broker) -> Result<(Subscriber, Subscriber), String> {
        // Before the first call goes out.
        let inbox = broker.subscribe(broker.build.all_of(self.id)).await?;
        let news = broker.subscribe(broker.build.news()).await?;
        self.broker = Some(broker);
        self.core.connected(clock::now());
        for (number, job) in std::mem::take(&mut self.waiting) {
            self.prepare(number, job);
        }
        Ok((inbox, news))
    }

    async fn serve(
        mut self,
        mut commands: mpsc::UnboundedReceiver<Command>,
        mut inbox: Subscriber,
        mut news: Subscriber,
        mut ticks: Interval,
    ) {
        let Some(mut connections) = self.broker.as_ref().map(|b| b.connections.clone()) else {
            return;
        };
        loop {
            tokio::select! {
                biased;
                changed = connections.changed() => self.note_connection(&connections, changed),
                Some(message) = inbox.next() => {
                    self.hear(&message);
                    for _ in 0..TOGETHER {
                        let Some(Some(message)) = inbox.next().now_or_never() else { break };
                        self.hear(&message);
                    }
                }
                Some(command) = commands.recv() => {
                    self.obey(command);
                    for _ in 0..TOGETHER {
                        let Ok(command) = commands.try_recv() else { break };
                        self.obey(command);
                    }
                }
                _ = ticks.tick() => self.core.tick(clock::now()),
                Some(message) = news.next() => self.hear_news(&message),
            }
            self.act().await;
        }
    }

    fn note_connection(
        &mut self,
        connections: &watch::Receiver<Option<u64>>,
        changed: Result<(), watch::error::RecvError>,
    ) {
        match *connections.borrow() {
            Some(_) if changed.is_ok() => self.core.connected(clock::now()),
            _ => self.core.disconnected(clock::now()),
        }
    }

    fn hear(&mut self, message: &Message) {
        let Some(broker) = &self.broker else { return };
        if let Some(label) = label_in(&message.subject) {
            if message.status == Some(StatusCode::NO_RESPONDERS) {
                self.core.nobody(clock::now(), label);
            }
        } else if let Some(word) = broker.open::<ToCaller<Body>>(&message.subject, &message.payload)
        {
            self.core.receive(clock::now(), word);
        }
    }

    fn hear_news(&mut self, message: &Message) {
        let Some(broker) = &self.broker else { return };
        if let Some(News { machine, labels }) = broker.open(&message.subject, &message.payload) {
            self.core.news(clock::now(), machine, &labels);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Call(number, call, job, home) => {
                if call.is_finished() {
                    return;
                }
                let (arguments, place, lane) = (None, None, None);
                self.open.insert(number, Open { call, arguments, place, home, lane });
                match (&self.refusal, &self.broker) {
                    (Some(why), _) => {
                        let why = why.clone();
                        self.fail(number, why);
                    }
                    (None, Some(_)) => self.prepare(number, job),
                    (None, None) => self.wait(number, job),
                }
            }
            Command::Grant(number, done) => self.core.grant(number, done),
            Command::Stop(number) => self.core.stop(number),
            Command::Cancel(number) => {
                self.core.cancel(number);
                if let Some(open) = self.open.remove(&number) {
                    self.forget(open.arguments);
                }
            }
            Command::Ready(number, Ok(ready)) => self.submit(number, ready),
            Command::Ready(number, Err(why)) => self.fail(number, why),
        }
    }

    /// Does what the protocol asks for.
    async fn act(&mut self) {
        let most = self.broker.as_ref().map_or(0, Broker::together);
        let mut is_stuck = false;
        for deed in self.core.deeds(clock::now(), most) {
            match deed {
                CallerDeed::Item { number, item, .. } => self.hear_of(number, &item),
                CallerDeed::Finish { number, end } => self.finish(number, end),
                CallerDeed::Send { .. } | CallerDeed::Seek { .. } if is_stuck => {}
                CallerDeed::Send { machine, message } => {
                    let Some(broker) = &self.broker else { continue };
                    let lease = message.lease();
                    let about = message.weight();
                    let subject = broker.build.machine(machine);
                    match (broker.send(subject, None, &message, about).await, lease) {
                        (Err(Unsent::TooLong), Some(lease)) => {
                            // The broker accepts smaller messages than when these calls were made.
                            self.core.break_off(lease);
                        }
                        (sent, _) => is_stuck = sent == Err(Unsent::Stuck),
                    }
                }
                CallerDeed::Seek { label, open } => {
                    let Some(broker) = &self.broker else { continue };
                    let reply = broker.build.absent(self.id, label);
                    let message = protocol::ToMachine::<Body>::Open(open);
                    let _ = broker.send(broker.build.seek(label), Some(reply), &message, 64).await;
                }
            }
        }
    }
}
