//! The program that calls: what it has sent, and what it hears of it.
//!
//! One thread, on which the broker's client runs. Records of calls come straight from their
//! subject; what was missed while the connection was away is read from the stream when it is back,
//! and whatever comes twice finds its call gone. While there are calls and nothing is heard, it
//! asks whether anybody is there to run them.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};
use tokio::time::sleep;

use super::broker::{Broker, Heard, KEEP_ANSWERS, KEEP_TASKS, LOST_AFTER};
use super::envelope::{Fault, Value};
use super::remote::Remote;
use super::settings::Settings;
use crate::process::job::Job;
use crate::random;
use crate::sync::{Guard, Lock};

/// How long nothing has to be heard before machines are asked, and how often then.
const QUIET: Duration = Duration::from_secs(1);
/// How long it may take to connect, whatever calls are given.
const CONNECT_MIN: Duration = Duration::from_secs(1);
pub(crate) const TICK: Duration = Duration::from_millis(100);

pub(crate) struct Caller {
    pub(crate) id: u64,
    numbers: AtomicU64,
    pub(crate) wait: Duration,
    pub(crate) address: String,
    commands: mpsc::UnboundedSender<Command>,
    books: Lock<Books>,
    /// There is something in the books.
    news: Notify,
}

#[derive(Default)]
pub(crate) struct Books {
    pub(crate) calls: HashMap<u64, Sent>,
    /// Calls that nobody wanted any more before they were sent.
    pub(crate) withdrawn: HashSet<u64>,
    /// Queues that were made.
    pub(crate) queues: HashSet<String>,
    /// When anything was heard of any call.
    pub(crate) heard: Option<Instant>,
    /// When a machine was known to be there.
    alive: Option<Instant>,
}

pub(crate) struct Sent {
    pub(crate) call: Arc<dyn Remote>,
    since: Instant,
    pub(crate) claimed: bool,
    pub(crate) placed: Option<OnBroker>,
}

impl Books {
    /// Takes a call out that ends before it was answered.
    fn take_out(&mut self, number: u64) -> Option<Sent> {
        let sent = self.calls.remove(&number)?;
        if sent.placed.is_none() {
            self.withdrawn.insert(number);
        }
        Some(sent)
    }
}

/// Where a call lies that was sent.
pub(crate) struct OnBroker {
    /// In the stream of tasks.
    pub(crate) number: Option<u64>,
    /// Its arguments.
    pub(crate) value: Value,
}

pub(crate) enum Command {
    Call(u64, Arc<dyn Remote>, Job),
    Cancel(u64, Sent),
}

impl Caller {
    /// The one of this program; an error if it cannot have any.
    pub(crate) fn get(settings: &Settings) -> Result<&'static Self, String> {
        static CALLER: OnceLock<Result<&'static Caller, String>> = OnceLock::new();
        CALLER.get_or_init(|| Self::start(settings.clone())).clone()
    }

    fn start(settings: Settings) -> Result<&'static Self, String> {
        let (sender, commands) = mpsc::unbounded_channel();
        // As long as the program runs, like the thread.
        let caller: &Self = Box::leak(Box::new(Self {
            id: random::number(),
            numbers: AtomicU64::new(1),
            wait: settings.wait,
            address: settings.addresses.join(","),
            commands: sender,
            books: Lock::default(),
            news: Notify::new(),
        }));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let thread = thread::Builder::new().name("trine-cluster".into());
        let run = move || runtime.block_on(caller.run(settings, commands));
        thread.spawn(run).map_err(|error| error.to_string())?;
        Ok(caller)
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn books(&self) -> Guard<'_, Books> {
        self.books.lock()
    }

    /// Sends a call, from any thread.
    pub(crate) fn send(&self, number: u64, call: Arc<dyn Remote>, job: Job) {
        let sent =
            Sent { call: Arc::clone(&call), since: Instant::now(), claimed: false, placed: None };
        self.books().calls.insert(number, sent);
        let _ = self.commands.send(Command::Call(number, call, job));
        self.news.notify_one();
    }

    /// Nobody wants that call any more.
    pub(crate) fn cancel(&self, number: u64) {
        let sent = self.books().take_out(number);
        if let Some(sent) = sent {
            let _ = self.commands.send(Command::Cancel(number, sent));
        }
    }

    async fn run(&'static self, settings: Settings, commands: mpsc::UnboundedReceiver<Command>) {
        let connecting = Broker::connect(settings, "trine caller");
        tokio::pin!(connecting);
        let broker = loop {
            tokio::select! {
                broker = &mut connecting => match broker {
                    Ok(broker) => break Arc::new(broker),
                    Err(why) => return self.refuse_all(commands, &why).await,
                },
                () = sleep(TICK) => self.give_up(None, &unreachable(&self.address), CONNECT_MIN),
            }
        };
        // Before the first call goes out.
        let claims = broker.subscribe(broker.build.claims_of(self.id)).await;
        let answers = broker.subscribe(broker.build.answers(self.id)).await;
        tokio::join!(
            self.listen(&broker, claims),
            self.listen(&broker, answers),
            self.obey(&broker, commands),
            self.catch_up_after_gaps(&broker),
            self.look_after(&broker),
        );
    }

    pub(crate) fn is_quiet(&self, long: Duration) -> bool {
        let books = self.books();
        !books.calls.is_empty() && books.heard.is_none_or(|heard| heard.elapsed() >= long)
    }

    /// While there are calls and nothing is heard of any, asks whether there are machines.
    async fn look_after(&'static self, broker: &Arc<Broker>) {
        loop {
            if self.books().calls.is_empty() {
                self.news.notified().await;
                continue;
            }
            sleep(TICK).await;
            if self.is_quiet(QUIET) {
                if self.somebody_is_there(broker).await {
                    self.give_up_old();
                    sleep(QUIET).await;
                } else {
                    self.give_up(Some(broker), &nobody(&self.address, self.wait), TICK);
                }
            }
        }
    }

    pub(crate) async fn somebody_is_there(&self, broker: &Broker) -> bool {
        let is_recent = |alive: &Instant| alive.elapsed() < QUIET;
        if self.books().alive.as_ref().is_some_and(is_recent) {
            return true;
        }
        let is_there = broker.ask(broker.build.machines(), None).await == Heard::Yes;
        if is_there {
            self.books().alive = Some(Instant::now());
        }
        is_there
    }

    /// Fails the calls that have waited long enough for anybody, and no less than `least`.
    fn give_up(&self, broker: Option<&Broker>, why: &str, least: Duration) {
        let last = {
            let books = self.books();
            books.heard.max(books.alive)
        };
        let connected = broker.is_some_and(Broker::is_connected);
        let overdue = |sent: &Sent| {
            let least = match sent.claimed {
                false => least,
                true if connected => 2 * LOST_AFTER,
                // What a machine has is not lost by being out of its hearing.
                true => KEEP_ANSWERS,
            };
            let last = last.map_or(sent.since, |last| last.max(sent.since));
            last.elapsed() >= self.wait.max(least)
        };
        self.fail_all(overdue, why);
    }

    /// Fails the calls that the broker keeps no longer, in a queue that is too long.
    fn give_up_old(&self) {
        let is_old = |sent: &Sent| !sent.claimed && sent.since.elapsed() > KEEP_TASKS;
        self.fail_all(is_old, "it waited for a machine longer than the broker keeps it");
    }

    fn fail_all(&self, which: impl Fn(&Sent) -> bool, why: &str) {
        let mut books = self.books();
        let numbers: Vec<u64> =
            books.calls.iter().filter(|(_, sent)| which(sent)).map(|(number, _)| *number).collect();
        let failed: Vec<_> = numbers
            .into_iter()
            .filter_map(|number| Some((number, books.take_out(number)?)))
            .collect();
        drop(books);
        for (number, sent) in failed {
            self.fail(number, sent, why);
        }
    }

    pub(crate) fn give_up_one(&self, number: u64, why: &str) {
        let mut books = self.books();
        let sent = books.calls.remove(&number);
        books.withdrawn.remove(&number);
        drop(books);
        if let Some(sent) = sent {
            self.fail(number, sent, why);
        }
    }

    /// The broker has lost what it had of all calls.
    pub(crate) fn lose_all(&self) {
        let calls = std::mem::take(&mut self.books().calls);
        for (number, sent) in calls {
            self.fail(number, Sent { placed: None, ..sent }, "the broker has lost its files");
        }
    }

    fn fail(&self, number: u64, sent: Sent, why: &str) {
        // What ran is lost, what did not has found nobody.
        let fault = if sent.claimed {
            Fault::WorkerLost
        } else {
            Fault::Worker { message: why.to_string() }
        };
        sent.call.fail(fault);
        let _ = self.commands.send(Command::Cancel(number, sent));
    }

    /// It will never connect.
    async fn refuse_all(&self, mut commands: mpsc::UnboundedReceiver<Command>, why: &str) {
        while let Some(command) = commands.recv().await {
            if let Command::Call(number, ..) = command {
                self.give_up_one(number, why);
            }
        }
    }
}

fn unreachable(address: &str) -> String {
    format!("the broker at {address} cannot be reached, or has no JetStream")
}

pub(crate) fn nobody(address: &str, wait: Duration) -> String {
    format!(
        "no machine that runs this build of the program, with this key, is at {address}, after \
         {wait:?}"
    )
}
