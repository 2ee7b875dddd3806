//! A call of a process function: its cell, and what a worker runs for it.

use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cell::{Cell, Claim, JobCell};
use crate::cross::process::Arguments;
use crate::error::{Error, ErrorKind};
use crate::function::Function;
use crate::limit::Admit;
use crate::panic;
use crate::process::linux::forks;
use crate::process::pool::Pool;
use crate::process::pool::harvest;
use crate::process::value::files;
use crate::process::value::message::Message;
use crate::process::value::output::Output;
use crate::process::value::wire::{self, Reader, WireError};
use crate::process::worker::report::Panic;
use crate::process::worker::{Invoke, status};
use crate::task::{Call, deadline};
use crate::timer::Alarm;

/// What goes to a worker.
pub(crate) struct Job {
    pub(crate) message: Message,
    /// The distance of the code from the anchor: of `invoke`, and of the body.
    pub(crate) invoke: i64,
    pub(crate) body: i64,
}

/// A reply's bytes, which may lie in memory that the worker can still write.
pub(crate) struct Reply<'a> {
    pub(crate) status: u32,
    pub(crate) bytes: Reader<'a>,
    pub(crate) files: Vec<OwnedFd>,
}

/// A call as the pool sees it: whatever its result is.
pub(crate) trait Pending: Send + Sync {
    fn claim(&self) -> Option<Claim<Job>>;
    fn function(&self) -> &'static Function;
    fn is_finished(&self) -> bool;
    /// Where it was sent: 0, or the worker's key above the call's number there.
    fn sent(&self) -> &AtomicU64;
    /// Its deadline, which counts from now.
    fn start_clock(self: Arc<Self>) -> Option<Alarm>;
    fn complete(self: Arc<Self>, reply: Reply<'_>);
    fn fail(self: Arc<Self>, error: Error);
}

/// The part of [`Pending::sent`] that is the call's number.
pub(crate) const NUMBER: u64 = (1 << 40) - 1;

/// A call's place in [`Pending::sent`].
pub(crate) const fn sent(key: u32, number: u64) -> u64 {
    (key as u64) << 40 | number & NUMBER
}

pub(crate) struct ProcessCall<T> {
    job: JobCell<Job, T>,
    pool: &'static Pool,
    sent: AtomicU64,
}

impl<T: DeserializeOwned + Send + 'static> ProcessCall<T> {
    pub(crate) fn start(function: &'static Function, job: Job, pool: &'static Pool) -> Arc<Self> {
        let call = Arc::new(Self {
            job: JobCell::new(function, "process", job),
            pool,
            sent: AtomicU64::new(0),
        });
        match function.limiter() {
            None => pool.submit(call.clone()),
            Some(limiter) => limiter.enter(function.options(), call.clone()),
        }
        call
    }

    fn finish(&self, result: Result<T, Error>) {
        self.job.cell().finish(result);
    }
}

impl<T: DeserializeOwned + Send + 'static> Pending for ProcessCall<T> {
    fn claim(&self) -> Option<Claim<Job>> {
        self.job.claim()
    }

    fn function(&self) -> &'static Function {
        self.job.function()
    }

    fn is_finished(&self) -> bool {
        self.job.cell().is_finished()
    }

    fn sent(&self) -> &AtomicU64 {
        &self.sent
    }

    fn start_clock(self: Arc<Self>) -> Option<Alarm> {
        self.job.function().options().timeout.map(|allowed| deadline(&self, allowed))
    }

    fn complete(self: Arc<Self>, reply: Reply<'_>) {
        if !self.is_finished() {
            self.finish(outcome(self.job.function().name(), reply));
        }
    }

    fn fail(self: Arc<Self>, error: Error) {
        self.finish(Err(error));
    }
}

/// What a worker's reply means.
pub(crate) fn outcome<T: DeserializeOwned>(
    name: &'static str,
    reply: Reply<'_>,
) -> Result<T, Error> {
    let Reply { status, bytes, files } = reply;
    match status {
        status::DONE => panic::catch(name, || files::supply(files, || wire::decode::<T>(bytes)))
            .and_then(|decoded| {
                decoded.map_err(|error| codec(name, &format!("its result: {error}")))
            }),
        status::PANICKED => Err(match wire::decode::<Panic>(bytes) {
            Ok(panic) => panic.into_error(name),
            Err(error) => codec(name, &format!("its panic: {error}")),
        }),
        status::CODEC => Err(codec(name, &bytes.text())),
        status::UNKNOWN => Err(codec(name, "the worker does not know the function")),
        _ => Err(codec(name, "the worker's answer is of no known kind")),
    }
}

pub(crate) fn codec(function: &'static str, message: &str) -> Error {
    Error::new(function, ErrorKind::Codec { message: message.to_owned() })
}

impl<T: DeserializeOwned + Send + 'static> Admit for ProcessCall<T> {
    fn admit(self: Arc<Self>) -> bool {
        let admitted = self.job.admit();
        if admitted {
            self.pool.submit(self.clone());
        }
        admitted
    }
}

impl<T: DeserializeOwned + Send + 'static> Call<T> for ProcessCall<T> {
    fn cell(&self) -> &Cell<T> {
        self.job.cell()
    }

    fn name(&self) -> &'static str {
        self.job.function().name()
    }

    fn help(self: Arc<Self>) {
        harvest::help(self.pool, &*self);
    }

    fn cancel(self: Arc<Self>, why: Error) {
        if let Err(why) = self.job.revoke(why) {
            self.cell().request_cancel();
            self.pool.recall(self.sent.load(Ordering::Acquire), || self.finish(Err(why)));
        }
    }
}

/// What a worker calls: the bridge from bytes to the body's types and back. Every combination of
/// types has its own, found by its address like the body itself.
///
/// # Safety
/// `body` must be the address of a `fn(B) -> T`.
unsafe fn invoke<A, B, T>(
    body: usize,
    arguments: Reader<'_>,
    output: &mut Output,
) -> Result<(), WireError>
where
    A: Arguments<B>,
    T: Serialize,
{
    // SAFETY: the caller's promise.
    let body = unsafe { std::mem::transmute::<usize, fn(B) -> T>(body) };
    let arguments = wire::decode(arguments)
        .map_err(|error| WireError::new(format!("its arguments: {error}")))?;
    let value = body(A::received(arguments));
    forks::end_child();
    wire::encode(&value, output).map_err(|error| WireError::new(format!("its result: {error}")))
}

/// A function's code, whatever its arguments are.
pub(crate) struct Code<T> {
    pub(crate) invoke: Invoke,
    pub(crate) body: usize,
    result: PhantomData<fn() -> T>,
}

impl<T: Serialize> Code<T> {
    pub(crate) fn new<A: Arguments<B>, B>(body: fn(B) -> T) -> Self {
        Self { invoke: invoke::<A, B, T>, body: body as usize, result: PhantomData }
    }
}

impl<T> Code<T> {
    /// Runs the body here.
    pub(crate) fn run(&self, message: &Message, output: &mut Output) -> Result<(), WireError> {
        // SAFETY: `invoke` and `body` were made from the same types in `new`.
        unsafe { (self.invoke)(self.body, message.bytes.reader(), output) }
    }
}

impl<T> Clone for Code<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Code<T> {}

/// Fails a call that was never submitted.
pub(crate) fn worker_error(function: &'static str, message: impl Into<String>) -> Error {
    Error::new(function, ErrorKind::Worker { message: message.into() })
}
