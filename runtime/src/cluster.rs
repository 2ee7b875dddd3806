//! `process` calls on other machines, over NATS JetStream.
//!
//! How it is set up, and what holds, is in [`guide::many_machines`](crate::guide::many_machines).
//!
//! ```text
//! caller ── call, cancel ──▶ broker ──▶ machine ── pool and workers, as anywhere
//!    ◀─────── answers ──────┘◀─ claims, answers ─┘
//! ```
//!
//! The pool knows nothing of this. A caller hands the encoded call to the broker instead of its own
//! pool (`remote`, `caller`); a machine (`machine`, `queues`) gives it to its pool as one
//! whose result stays bytes (`hosted`).

use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{env, io, process};

use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use self::broker::Broker;
use self::caller::Caller;
use self::machine::Machine;
use self::queues::Queues;
use self::settings::Settings;
use crate::config;
use crate::function::Function;
use crate::process::job::{Job, worker_error};
use crate::process::platform::{self, SERVE};
use crate::sequential;
use crate::task::Task;

mod answers;
mod batches;
mod broker;
mod caller;
mod claims;
mod envelope;
mod hosted;
mod incoming;
mod key;
mod machine;
mod objects;
mod outgoing;
mod queues;
mod remote;
mod settings;
mod slots;
mod subject;

pub use async_nats::ConnectOptions;

pub(crate) use settings::VARIABLES;

/// How long a machine waits for the broker without a word.
const TELL_AFTER: Duration = Duration::from_secs(3);

/// The cluster that calls of this program go to, if there is one.
fn settings() -> Option<&'static Result<Settings, String>> {
    static SETTINGS: OnceLock<Option<Result<Settings, String>>> = OnceLock::new();
    // What a worker calls, it calls beside it: the machine was chosen already.
    let find = || if platform::depth() > 0 { None } else { Settings::find() };
    SETTINGS.get_or_init(find).as_ref()
}

/// Whether a call of this function goes out.
pub(crate) fn takes(function: &Function) -> bool {
    !function.options().local && settings().is_some()
}

pub(crate) fn start<T>(function: &'static Function, job: Job) -> Task<T>
where
    T: DeserializeOwned + Send + 'static,
{
    let caller = match settings() {
        Some(Ok(settings)) => Caller::get(settings),
        Some(Err(why)) => Err(why.clone()),
        None => Err("no cluster is set".into()),
    };
    match caller {
        Ok(caller) => remote::start(caller, function, job),
        Err(why) => sequential::done(function.name(), Err(worker_error(function.name(), why))),
    }
}

/// Serves with as many workers as the environment says, and ends the process.
pub(crate) fn serve_as_asked() -> ! {
    let processes = env::var_os(SERVE).unwrap_or_default();
    let number = processes.to_str().and_then(|number| number.trim().parse().ok());
    let served = match number {
        Some(number) => serve(number).map_err(|error| error.to_string()),
        None => Err(format!("{SERVE} must be a number of workers, and is {processes:?}")),
    };
    match served {
        Ok(()) => process::exit(0),
        Err(why) => {
            eprintln!("trine cannot serve: {why}");
            process::exit(2)
        }
    }
}

/// Serves the calls of other programs of this build, with that many worker processes, until SIGTERM
/// or SIGINT; then it takes no more, and returns when what runs has ended.
///
/// The broker and the key come from [`Config`](crate::Config) or the environment. What the
/// variable `TRINE_SERVE` does before `main`, this does where a program has to set up something
/// first. Bodies run in worker processes, which know nothing of that.
///
/// # Errors
/// When no broker or key is set, or this program cannot have workers or the signals.
///
/// ```no_run
/// use std::num::NonZeroUsize;
///
/// trine::Config::new()
///     .cluster("tls://broker:4222")
///     .cluster_key(std::fs::read("/etc/app/key")?)
///     .cluster_options(trine::cluster::ConnectOptions::new().require_tls(true))
///     .apply()
///     .map_err(std::io::Error::other)?;
/// trine::cluster::serve(NonZeroUsize::new(4).unwrap())?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn serve(processes: NonZeroUsize) -> io::Result<()> {
    let settings = settings().cloned().unwrap_or_else(|| {
        Err(format!("{} names the broker: set it to nats://HOST:4222", settings::CLUSTER))
    });
    let settings = settings.map_err(io::Error::other)?;
    platform::may_start_workers().map_err(io::Error::other)?;
    config::set_processes(processes);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(settings, processes.get()))
}

async fn run(settings: Settings, processes: usize) -> io::Result<()> {
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let address = settings.addresses.join(",");
    let connecting = Broker::connect(settings, "trine machine");
    tokio::pin!(connecting);
    let broker = loop {
        tokio::select! {
            broker = &mut connecting => break broker.map_err(io::Error::other)?,
            () = sleep(TELL_AFTER) => {
                eprintln!("trine waits for the broker at {address}, with JetStream");
            }
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    };
    let build = broker.build.clone();
    let machine = Arc::new(Machine::new(Arc::new(broker), processes));
    let subscribe = async |subject: String| {
        machine.broker.client.subscribe(subject).await.map_err(io::Error::other)
    };
    let cancels = subscribe(build.cancel()).await?;
    let news_of_queues = subscribe(build.queues()).await?;
    for subject in machine.questions() {
        tokio::spawn(Arc::clone(&machine).answer(subscribe(subject).await?));
    }
    tokio::spawn(Arc::clone(&machine).hear_of_cancels(cancels));
    tokio::spawn(Arc::clone(&machine).report());
    tokio::spawn(Queues::new(Arc::clone(&machine)).serve(news_of_queues));
    eprintln!("trine serves build {} with {processes} workers at {address}", build.name());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    machine.slots.drain();
    eprintln!("trine ends when what runs has ended");
    while !machine.slots.is_empty() {
        tokio::select! {
            () = machine.slots.news.notified() => {}
            () = sleep(Duration::from_millis(50)) => {}
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    let _ = tokio::time::timeout(Duration::from_secs(1), machine.broker.client.flush()).await;
    Ok(())
}
