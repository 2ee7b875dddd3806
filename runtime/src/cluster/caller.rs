//! The calling program: one thread that runs the broker's client and the protocol.
//!
//! A call is only handed over here; its cell is told how it ended.

mod endings;
mod event_loop;
mod lane;
mod outgoing;
pub(super) mod remote;
pub(super) mod resident;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use tokio::sync::mpsc;

use self::outgoing::Ready;
use self::remote::Remote;
use super::broker::settings::Settings;
use crate::process::job::Job;

/// Where calls are handed over.
pub(crate) struct Caller {
    numbers: AtomicU64,
    commands: mpsc::UnboundedSender<Command>,
}

pub(crate) enum Command {
    /// The last is the call that keeps the value which it is about.
    Call(u64, Arc<dyn Remote>, Job, Option<u64>),
    /// So many items of a call are no longer on the way.
    Grant(u64, u64),
    /// Nobody wants that call any more.
    Cancel(u64),
    /// That call is to end, and tells how it has ended.
    Stop(u64),
    /// Its arguments are in place, and it has a place under its limit.
    Ready(u64, Result<Ready, String>),
}

static CALLER: OnceLock<Result<&'static Caller, String>> = OnceLock::new();

impl Caller {
    /// This program's caller, or the reason why it cannot have one.
    pub(crate) fn get(settings: &Settings) -> Result<&'static Self, String> {
        CALLER.get_or_init(|| Self::start(settings.clone())).clone()
    }

    /// The same, once it has been asked for.
    pub(crate) fn known() -> Option<&'static Self> {
        CALLER.get()?.as_ref().ok().copied()
    }

    fn start(settings: Settings) -> Result<&'static Self, String> {
        let (sender, commands) = mpsc::unbounded_channel();
        let own = sender.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let run = move || runtime.block_on(event_loop::run(Arc::new(settings), own, commands));
        let thread = thread::Builder::new().name("trine-cluster".into());
        thread.spawn(run).map_err(|error| error.to_string())?;
        // Lives as long as the program, like the thread.
        Ok(Box::leak(Box::new(Self { numbers: AtomicU64::new(1), commands: sender })))
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Sends a call, from any thread.
    pub(crate) fn send(&self, number: u64, call: Arc<dyn Remote>, job: Job) {
        let _ = self.commands.send(Command::Call(number, call, job, None));
    }

    pub(crate) fn grant(&self, number: u64, done: u64) {
        let _ = self.commands.send(Command::Grant(number, done));
    }

    pub(crate) fn stop(&self, number: u64) {
        let _ = self.commands.send(Command::Stop(number));
    }

    pub(crate) fn cancel(&self, number: u64) {
        let _ = self.commands.send(Command::Cancel(number));
    }
}
