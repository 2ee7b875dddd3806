//! A serving machine: it grants leases to callers of its own build, runs their calls, and reports
//! how each ended.

mod calls;
mod depth;
mod hosted;
mod values;
mod yielding;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_nats::{Message, Subscriber};
use futures_util::stream::{SelectAll, select_all};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};

use self::calls::{Call, Event, Key};
use self::depth::Depth;
use self::hosted::Permission;
use super::broker::envelope::Body;
use super::broker::settings::Settings;
use super::broker::{Broker, LastError, Unsent};
use super::clock;
use super::operations::{MachineStatus, News, Question};
use super::protocol::{self, MachineDeed, ToMachine, Weight};
use super::signals::Signals;
use crate::random;

const TICK: Duration = Duration::from_millis(100);
/// How long a machine waits for the broker before it reports that.
const TELL_AFTER: Duration = Duration::from_secs(3);
/// How long callers may take to receive its last answers.
const FAREWELL: Duration = Duration::from_secs(5);
/// How many messages are received before anything is sent.
const TOGETHER: usize = 1024;

type Protocol = protocol::Machine<Body, Body>;

pub(crate) async fn run(settings: Settings, workers: usize) -> io::Result<()> {
    let mut signals = Signals::new()?;
    let address = settings.addresses.to_string();
    let last_error = LastError::default();
    let connecting = Broker::connect(Arc::new(settings), "trine machine", last_error.clone());
    tokio::pin!(connecting);
    let broker = loop {
        tokio::select! {
            broker = &mut connecting => break broker.map_err(io::Error::other)?,
            () = sleep(TELL_AFTER) => {
                let why = last_error.get().unwrap_or_else(|| "it does not answer".to_owned());
                eprintln!("trine is waiting for the broker at {address}: {why}");
            }
            () = signals.next() => return Ok(()),
        }
    };
    let mut machine = Machine::new(broker, workers);
    let mut inbox = machine.listen().await.map_err(io::Error::other)?;
    let name = machine.broker.build.name();
    eprintln!("trine serves build {name} with {workers} workers at {address}");
    machine.serve(&mut inbox, &mut signals).await;
    eprintln!("trine ends once its running calls have ended");
    machine.end(inbox, &mut signals).await;
    Ok(())
}

struct Machine {
    id: u64,
    broker: Broker,
    core: Protocol,
    depth: Depth,
    workers: usize,
    calls: HashMap<Key, Call>,
    permissions: HashMap<u64, Permission>,
    news: mpsc::UnboundedSender<Event>,
    heard: mpsc::UnboundedReceiver<Event>,
    drains: bool,
    ended: u64,
    /// The broker's error that was printed last.
    printed: Option<String>,
}

impl Machine {
    fn new(broker: Broker, workers: usize) -> Self {
        let (id, settings) = (random::number(), &broker.settings);
        let core = Protocol::new(id, random::number(), settings.terms, settings.labels.clone());
        let (news, heard) = mpsc::unbounded_channel();
        Self {
            id,
            broker,
            core,
            depth: Depth::new(workers),
            workers,
            calls: HashMap::new(),
            permissions: HashMap::new(),
            news,
            heard,
            drains: false,
            ended: 0,
            printed: None,
        }
    }

    fn tick(&mut self) {
        self.core.tick(clock::now());
        self.look_after_all();
        let error = self.broker.last_error.get();
        if error != self.printed {
            error.iter().for_each(|why| eprintln!("trine has an error from the broker: {why}"));
            self.printed = error;
        }
    }

    async fn listen(&mut self) -> Result<SelectAll<Subscriber>, String> {
        let (broker, build) = (&self.broker, &self.broker.build);
        let mut all = vec![
            broker.subscribe(build.machine(self.id)).await?,
            broker.subscribe(build.operations()).await?,
            broker.share(build.seek("")).await?,
        ];
        for label in &broker.settings.labels {
            all.push(broker.share(build.seek(label)).await?);
        }
        let news = News { machine: self.id, labels: broker.settings.labels.clone() };
        let _ = broker.send(build.news(), None, &news, 64).await;
        let flushed = broker.client.flush().await;
        flushed.map_err(|error| error.to_string())?;
        Ok(select_all(all))
    }

    /// Serves until it is told to end.
    async fn serve(&mut self, inbox: &mut SelectAll<Subscriber>, signals: &mut Signals) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.core.set_capacity(self.depth.capacity());
        while !self.drains {
            tokio::select! {
                Some(message) = inbox.next() => {
                    self.hear(message).await;
                    for _ in 0..TOGETHER {
                        let Some(Some(message)) = inbox.next().now_or_never() else { break };
                        self.hear(message).await;
                    }
                }
                Some(news) = self.heard.recv() => self.take_news(news),
                _ = ticks.tick() => self.tick(),
                () = signals.next() => return,
            }
            self.act().await;
        }
    }

    /// Accepts no more calls, and serves the running ones until they end or another signal comes.
    async fn end(&mut self, inbox: SelectAll<Subscriber>, signals: &mut Signals) {
        let mut subscribers: Vec<_> = inbox.into_iter().collect();
        // Last, the subjects on which callers look for machines.
        for mut seek in subscribers.drain(2..) {
            let _ = seek.unsubscribe().await;
        }
        let mut inbox = select_all(subscribers);
        self.core.drain();
        self.drains = true;
        self.let_go();
        let mut since = None;
        let mut ticks = interval(TICK);
        while !self.core.is_done() {
            let idle = self.core.calls() == 0;
            let quiet = *since.get_or_insert_with(Instant::now);
            if !idle {
                since = None;
            } else if quiet.elapsed() > FAREWELL {
                break;
            }
            self.act().await;
            tokio::select! {
                Some(message) = inbox.next() => self.hear(message).await,
                Some(news) = self.heard.recv() => self.take_news(news),
                _ = ticks.tick() => self.tick(),
                () = signals.next() => break,
            }
        }
        self.act().await;
        let _ = tokio::time::timeout(Duration::from_secs(1), self.broker.client.flush()).await;
    }

    async fn hear(&mut self, message: Message) {
        if message.subject.starts_with("trine-operations") {
            return self.answer(message).await;
        }
        let opened = self.broker.open::<ToMachine<Body>>(&message.subject, &message.payload);
        // Messages from anybody without the key get no answer.
        let Some(message) = opened else { return };
        let lease = message.lease();
        self.core.receive(clock::now(), message);
        if let Some(lease) = lease
            && let Some(permission) = self.permissions.get(&lease)
        {
            permission.store(self.core.until(lease).unwrap_or(0), Ordering::Release);
        }
    }

    /// Does what the protocol asks for.
    async fn act(&mut self) {
        self.core.set_capacity(self.depth.capacity());
        let mut is_stuck = false;
        for deed in self.core.deeds(clock::now(), self.broker.together()) {
            match deed {
                MachineDeed::Send { .. } if is_stuck => {}
                MachineDeed::Send { caller, message } => {
                    let subject = self.broker.build.caller(caller);
                    let about = message.weight();
                    let lease = message.lease();
                    match self.broker.send(subject, None, &message, about).await {
                        Ok(()) => {}
                        // The broker accepts smaller messages than when these answers were made.
                        Err(Unsent::TooLong) => self.core.break_off(lease),
                        // Nor would the others be, and each takes its time.
                        Err(Unsent::Stuck) => is_stuck = true,
                    }
                }
                MachineDeed::Submit { lease, number, parcel, home } => {
                    self.submit((lease, number), &parcel, home);
                }
                MachineDeed::Grant { lease, number, done } => self.grant((lease, number), done),
                MachineDeed::Recall { lease, number } => {
                    let call = self.calls.get(&(lease, number));
                    call.and_then(|call| call.hosted.as_ref()).map(|hosted| hosted.recall());
                }
                MachineDeed::Stop { lease, number, cancelled } => {
                    let Some(call) = self.calls.get_mut(&(lease, number)) else { continue };
                    call.stops = true;
                    call.hosted.iter().for_each(|hosted| hosted.stop(cancelled));
                    self.look_after((lease, number));
                }
                MachineDeed::Forget { lease } => {
                    if let Some(permission) = self.permissions.remove(&lease) {
                        permission.store(0, Ordering::Release);
                    }
                }
            }
        }
    }

    async fn answer(&mut self, message: Message) {
        let Some(reply) = message.reply else { return };
        let opened = self.broker.open::<Question>(&message.subject, &message.payload);
        match opened {
            None => {}
            Some(Question::Status) => {
                let settings = &self.broker.settings;
                // What keeps a value runs as long as there is one.
                let values = self.kept().len();
                let has_begun = |call: &&Call| call.hosted.as_ref().is_some_and(|h| h.has_begun());
                let begun = self.calls.values().filter(|call| !call.is_kept).filter(has_begun);
                let running = begun.count();
                let status = MachineStatus {
                    name: settings.name.clone(),
                    build: self.broker.build.name(),
                    labels: settings.labels.clone(),
                    workers: self.workers as u64,
                    running: running as u64,
                    queued: (self.calls.len() - values - running) as u64,
                    ended: self.ended,
                    callers: self.core.callers() as u64,
                    values: values as u64,
                    drains: self.drains,
                    last_error: self.broker.last_error.get(),
                };
                let _ = self.broker.send(reply.to_string(), None, &status, 512).await;
            }
            Some(Question::Drain { name }) if name == self.broker.settings.name => {
                self.drains = true;
                let _ = self.broker.send(reply.to_string(), None, &self.id, 64).await;
            }
            Some(Question::Drain { .. }) => {}
        }
    }
}
