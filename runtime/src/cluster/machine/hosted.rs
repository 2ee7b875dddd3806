//! A call of another program, run by a worker process here.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cell::{Cell, Claim, JobCell};
use crate::cluster::broker::envelope::{File, Parcel, Parts};
use crate::cluster::clock;
use crate::error::{Error, ErrorKind};
use crate::function::Function;
use crate::options::Options;
use crate::process::address::AtomicAddress;
use crate::process::fault::Fault;
use crate::process::job::{AnyCall, Job, Reply};
use crate::process::platform::{self, Handle};
use crate::process::pool::{self, Pool};
use crate::process::value::message::{Bytes, Message};
use crate::sync::Lock;
use crate::task::{Call, deadline};
use crate::timer::Alarm;

/// How a hosted call ended.
pub(crate) enum Ended {
    Replied(u32, Parts),
    Failed(Fault),
    /// It was withdrawn before it started.
    Returned,
}

/// Until when calls of a lease may start, for all threads that start calls.
pub(crate) type Permission = Arc<AtomicU64>;

/// Who is told how a call ended.
pub(crate) type Tell = Box<dyn FnOnce(Ended) + Send>;

pub(crate) struct Hosted {
    job: JobCell<Job, ()>,
    pool: &'static Pool,
    address: AtomicAddress,
    permission: Permission,
    tell: Lock<Option<Tell>>,
}

impl Hosted {
    /// Gives the call to a worker process.
    pub(crate) fn start(
        parcel: &Parcel,
        parts: &Parts,
        permission: Permission,
        tell: Tell,
    ) -> Result<Arc<Self>, String> {
        let files = parts.files.iter().map(|file| platform::freeze(&file.contents).map(Arc::new));
        let files = files.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        let message = Message { bytes: Bytes::new(&parts.bytes), files: files.into() };
        let job = Job { message, invoke: parcel.invoke, body: parcel.body };
        let function = function_of(parcel);
        let pool = pool::pool_of(function, pool::Waits::Never)?;
        let hosted = Arc::new(Self {
            job: JobCell::new(function, "process", job),
            pool,
            address: AtomicAddress::nowhere(),
            permission,
            tell: Lock::new(Some(tell)),
        });
        pool.submit(hosted.clone());
        Ok(hosted)
    }

    /// Whether a worker has it.
    pub(crate) fn has_begun(&self) -> bool {
        !self.job.cell().is_queued()
    }

    /// Withdraws it, if it has not started.
    pub(crate) fn recall(&self) -> bool {
        let recalled = self.job.revoke(Error::cancelled(self.function().name())).is_ok();
        if recalled {
            self.tell(Ended::Returned);
        }
        recalled
    }

    /// Withdraws it, or kills the worker that runs it.
    pub(crate) fn stop(self: &Arc<Self>, cancelled: bool) {
        if !self.recall() {
            let kind = if cancelled { ErrorKind::Cancelled } else { ErrorKind::WorkerLost };
            self.kill(Error::new(self.function().name(), kind));
        }
    }

    fn kill(self: &Arc<Self>, why: Error) {
        let fault = Fault::of(&why);
        self.pool.recall(self.address.load(), || self.finish(Ended::Failed(fault)));
    }

    fn finish(&self, ended: Ended) {
        if self.job.cell().finish(Ok(())) {
            self.tell(ended);
        }
    }

    fn tell(&self, ended: Ended) {
        let tell = self.tell.lock().take();
        if let Some(tell) = tell {
            tell(ended);
        }
    }
}

impl Call<()> for Hosted {
    fn cell(&self) -> &Cell<()> {
        self.job.cell()
    }

    fn name(&self) -> &'static str {
        self.job.function().name()
    }

    fn cancel(self: Arc<Self>, why: Error) {
        self.kill(why);
    }
}

impl AnyCall for Hosted {
    /// The only place where a call starts; refuses if its caller may have given it up by now.
    fn claim(&self) -> Option<Claim<Job>> {
        if clock::now() >= self.permission.load(Ordering::Acquire) {
            self.recall();
            return None;
        }
        self.job.claim()
    }

    fn function(&self) -> &'static Function {
        self.job.function()
    }

    fn is_finished(&self) -> bool {
        self.job.cell().is_finished()
    }

    fn address(&self) -> &AtomicAddress {
        &self.address
    }

    fn start_clock(self: Arc<Self>) -> Option<Alarm> {
        self.function().options().timeout.map(|allowed| deadline(&self, allowed))
    }

    fn complete(&self, reply: Reply) {
        let contents = |file: &Handle| Ok(File { contents: platform::contents(file)? });
        let bytes = reply.bytes.reader().into_vec();
        self.finish(match reply.handles.iter().map(contents).collect::<io::Result<_>>() {
            Ok(files) => Ended::Replied(reply.status, Parts { bytes, files }),
            Err(error) => Ended::Failed(Fault::Codec { message: format!("its result: {error}") }),
        });
    }

    fn fail(&self, error: Error) {
        self.finish(Ended::Failed(Fault::of(&error)));
    }
}

/// The function's data for the pool, leaked once per function. Their number is bounded by the
/// program, and only holders of the key can name one.
fn function_of(parcel: &Parcel) -> &'static Function {
    static KNOWN: Lock<Option<HashMap<(i64, Options), &'static Function>>> = Lock::new(None);
    // Its caller enforces the limit, across all machines.
    let options = Options { limit: None, ..parcel.options.clone() };
    let mut known = KNOWN.lock();
    known
        .get_or_insert_default()
        .entry((parcel.body, options.clone()))
        .or_insert_with(|| Box::leak(Box::new(Function::with(parcel.name.clone().leak(), options))))
}
