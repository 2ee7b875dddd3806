//! Operating a cluster: listing machines, draining them, and purging what is stored.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::broker::settings::Settings;
use super::broker::{Broker, LastError};

/// How long machines may take to answer.
const ANSWER: Duration = Duration::from_millis(800);
/// How long the connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// A machine has started.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct News {
    pub(super) machine: u64,
    pub(super) labels: Vec<String>,
}

/// To all machines that have the key.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Question {
    Status,
    Drain { name: String },
}

/// A machine of the cluster, as [`machines`] found it.
// It is what a machine answers, too.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MachineStatus {
    /// Its name: `TRINE_NAME`, or its host name.
    pub name: String,
    /// The program that it serves, and the beginning of its hash.
    pub build: String,
    /// The labels that calls may ask for: `TRINE_LABELS`.
    pub labels: Vec<String>,
    /// How many worker processes it has.
    pub workers: u64,
    /// How many calls its workers have begun.
    pub running: u64,
    /// How many calls are there and have not begun.
    pub queued: u64,
    /// How many calls have ended there.
    pub ended: u64,
    /// How many programs hold a lease of it.
    pub callers: u64,
    /// How many workers with state live there. They take none of its places for other calls.
    pub values: u64,
    /// Whether it accepts no more calls, because it is about to end.
    pub drains: bool,
    /// The current problem of its connection to the broker, if any.
    pub last_error: Option<String>,
}

/// The machines that serve with this program's key, of any build.
///
/// The broker and the key come from [`Config`](crate::Config) or the environment.
///
/// # Errors
/// If no broker or key is set, or the broker cannot be reached.
///
/// ```no_run
/// for machine in trine::cluster::machines()? {
///     println!("{} serves {}: {} calls", machine.name, machine.build, machine.running);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn machines() -> io::Result<Vec<MachineStatus>> {
    let mut machines = ask::<MachineStatus>(&Question::Status)?;
    machines.sort_by(|a, b| (&a.build, &a.name).cmp(&(&b.build, &b.name)));
    Ok(machines)
}

/// Makes the machines of that name accept no more calls, and end when their running calls have
/// ended. Returns how many there are.
///
/// # Errors
/// As [`machines`].
pub fn drain(name: &str) -> io::Result<usize> {
    Ok(ask::<u64>(&Question::Drain { name: name.to_owned() })?.len())
}

/// Removes what the broker has stored for any program: values that nobody has fetched, and the
/// places of functions with a `limit`. Calls that are running may fail because of that.
///
/// # Errors
/// As [`machines`], and if the broker refuses.
pub fn purge() -> io::Result<()> {
    let settings = settings()?;
    run(async {
        let broker = connect(settings).await?;
        broker.purge().await.map_err(io::Error::other)
    })
}

#[cfg(feature = "metrics")]
impl MachineStatus {
    /// Publishes these counts through the facade `metrics`, on this thread. Needs the feature
    /// `metrics`.
    ///
    /// They are the gauges `trine_machine_workers`, `trine_machine_calls_running`,
    /// `trine_machine_calls_queued`, `trine_machine_callers` and `trine_machine_values`, and the
    /// counter `trine_machine_calls_ended`, with the labels `machine` and `build`. Call it before
    /// each scrape, in one program for all machines:
    ///
    /// ```no_run
    /// for machine in trine::cluster::machines()? {
    ///     machine.publish();
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn publish(&self) {
        let labels = [("machine", self.name.clone()), ("build", self.build.clone())];
        for (name, value) in [
            ("trine_machine_workers", self.workers),
            ("trine_machine_calls_running", self.running),
            ("trine_machine_calls_queued", self.queued),
            ("trine_machine_callers", self.callers),
            ("trine_machine_values", self.values),
        ] {
            metrics::gauge!(name, &labels).set(value as f64);
        }
        metrics::counter!("trine_machine_calls_ended", &labels).absolute(self.ended);
    }
}

fn settings() -> io::Result<Settings> {
    let settings = super::settings().cloned().unwrap_or_else(|| Err(super::no_broker()));
    settings.map_err(io::Error::other)
}

fn run<R>(work: impl Future<Output = io::Result<R>>) -> io::Result<R> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(work)
}

async fn connect(settings: Settings) -> io::Result<Broker> {
    let (address, last_error) = (settings.addresses.to_string(), LastError::default());
    let connecting = Broker::connect(Arc::new(settings), "trine operations", last_error.clone());
    match timeout(CONNECT, connecting).await {
        Ok(broker) => broker.map_err(io::Error::other),
        Err(_) => {
            let why = last_error.get().unwrap_or_else(|| "it does not answer".to_owned());
            Err(io::Error::other(format!("the broker at {address} cannot be reached: {why}")))
        }
    }
}

/// Asks all machines, and collects the answers that come in time.
fn ask<A: serde::de::DeserializeOwned>(question: &Question) -> io::Result<Vec<A>> {
    let settings = settings()?;
    run(async {
        let broker = connect(settings).await?;
        let inbox = broker.client.new_inbox();
        let mut answers = broker.subscribe(inbox.clone()).await.map_err(io::Error::other)?;
        let subject = broker.build.operations();
        let _ = broker.send(subject, Some(inbox), question, 64).await;
        let mut all = Vec::new();
        let collect = async {
            while let Some(message) = answers.next().await {
                if message.status.is_some() {
                    return;
                }
                all.extend(broker.open::<A>(&message.subject, &message.payload));
            }
        };
        let _ = timeout(ANSWER, collect).await;
        Ok(all)
    })
}
