//! `process` calls on other machines, over NATS.
//!
//! [`guide::many_machines`](crate::guide::many_machines) describes the setup and the guarantees.
//!
//! ```text
//! caller/    outgoing calls: a thread, and the handle's side of a call
//! machine/   incoming calls: the usual pool of workers runs them
//! protocol/  what both say to each other, without I/O, and its model
//! broker/    the connection, names, keys, settings, and what is stored
//! ```
//!
//! The pool does not know about this. A caller passes the encoded call to the broker instead of its
//! own pool; a machine gives it to its pool as a call whose result stays bytes.

#![forbid(unsafe_code)]

mod broker;
mod caller;
mod clock;
mod machine;
mod operations;
mod protocol;
mod signals;

use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};
use std::{env, io, process};

use serde::de::DeserializeOwned;

use self::broker::settings::{CLUSTER, Settings};
use self::caller::{Caller, remote, resident};
use crate::config;
use crate::function::Function;
use crate::process::job::{AnyCall, Job, Reply, worker_error};
use crate::process::platform::{self, SERVE};
use crate::sequential;
use crate::stream::flow::Flow;
use crate::stream::{self, Stream};
use crate::task::Task;

pub use self::operations::{MachineStatus, drain, machines, purge};
pub use async_nats::ConnectOptions;

pub(crate) use self::broker::settings::VARIABLES;

/// The cluster that this program's calls go to, if any.
fn settings() -> Option<&'static Result<Settings, String>> {
    static SETTINGS: OnceLock<Option<Result<Settings, String>>> = OnceLock::new();
    // A worker's own calls stay on its machine, which was already chosen.
    let find = || if platform::depth() > 0 { None } else { Settings::find() };
    SETTINGS.get_or_init(find).as_ref()
}

fn no_broker() -> String {
    format!("{CLUSTER} is not set: set it to the broker's address, nats://HOST:4222")
}

/// Whether a call of this function goes to the cluster.
pub(crate) fn takes(function: &Function) -> bool {
    !function.options().local && settings().is_some()
}

pub(crate) fn start<T>(function: &'static Function, job: Job) -> Task<T>
where
    T: DeserializeOwned + Send + 'static,
{
    match caller() {
        Ok(caller) => remote::start(caller, function, job),
        Err(why) => sequential::done(function.name(), Err(worker_error(function.name(), why))),
    }
}

/// Starts a call that yields.
pub(crate) fn stream<T>(function: &'static Function, job: Job) -> Stream<T>
where
    T: DeserializeOwned + Send + 'static,
{
    match caller() {
        Ok(caller) => remote::stream(caller, function, job),
        Err(why) => {
            let error = worker_error(function.name(), why);
            let flow = stream::flow(function);
            Stream::new(flow, sequential::done(function.name(), Err(error)), stream::as_they_are)
        }
    }
}

/// Sends a call of a worker with state to the machine of its value, or to one that will have it.
pub(crate) fn submit(call: Arc<dyn AnyCall>) {
    resident::submit(caller(), call);
}

/// A number for a call of a worker with state, and where its items arrive if it yields.
pub(crate) fn number(ahead: Option<usize>) -> Option<(u64, Option<Arc<Flow<Reply>>>)> {
    let caller = caller().ok()?;
    let number = caller.next_number();
    Some((number, ahead.map(|ahead| remote::flow(caller, number, ahead))))
}

/// A call of a worker with state is to end where it is.
pub(crate) fn stop(number: u64) {
    caller().into_iter().for_each(|caller| caller.stop(number));
}

fn caller() -> Result<&'static Caller, String> {
    match settings() {
        Some(Ok(settings)) => Caller::get(settings),
        Some(Err(why)) => Err(why.clone()),
        None => Err("no cluster is configured".into()),
    }
}

/// Serves with the number of workers from the environment, and ends the process.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "no process is entered so there"))]
pub(crate) fn serve_as_asked() -> ! {
    let processes = env::var_os(SERVE).unwrap_or_default();
    let number = processes.to_str().and_then(|number| number.trim().parse().ok());
    let served = match number {
        Some(number) => serve(number).map_err(|error| error.to_string()),
        None => Err(format!("{SERVE} must be a number of workers, but is {processes:?}")),
    };
    match served {
        Ok(()) => process::exit(0),
        Err(why) => {
            eprintln!("trine cannot serve: {why}");
            process::exit(2)
        }
    }
}

/// Serves calls of other programs of this build with this many worker processes, until SIGTERM or
/// SIGINT; then it accepts no more calls, and returns when those that run have ended.
///
/// The broker and the key come from [`Config`](crate::Config) or the environment. This does what
/// the variable `TRINE_SERVE` does before `main`, for a program that has to set something up first.
/// Bodies run in worker processes, which do not see that setup.
///
/// # Errors
/// If no broker or key is set, or this program cannot have workers or handle the signals.
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
    let settings = settings().cloned().unwrap_or_else(|| Err(no_broker()));
    let settings = settings.map_err(io::Error::other)?;
    platform::may_start_workers().map_err(io::Error::other)?;
    config::set_processes(processes);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(machine::run(settings, processes.get()))
}
