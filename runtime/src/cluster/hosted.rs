//! A call of another program, run by a worker process here.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::envelope::{Fault, Parts, Task};
use crate::cell::{Cell, Claim, JobCell};
use crate::error::{Error, ErrorKind};
use crate::function::Function;
use crate::process::job::{AnyCall, AtomicAddress, Job, Reply};
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
}

pub(crate) struct Hosted {
    job: JobCell<Job, ()>,
    pool: &'static Pool,
    address: AtomicAddress,
    ended: Lock<Option<oneshot::Sender<Ended>>>,
}

impl Hosted {
    /// Gives the call to a worker process.
    pub(crate) fn start(
        task: &Task,
        parts: Parts,
    ) -> Result<(Arc<Self>, oneshot::Receiver<Ended>), String> {
        let files = parts.files.iter().map(|bytes| platform::freeze(bytes).map(Arc::new));
        let files = files.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        let message = Message { bytes: Bytes::new(&parts.bytes), files };
        let job = Job { message, invoke: task.invoke, body: task.body };
        let function = function_of(task);
        let pool = pool::pool_of(function);
        let (sender, receiver) = oneshot::channel();
        let hosted = Arc::new(Self {
            job: JobCell::new(function, "process", job),
            pool,
            address: AtomicAddress::nowhere(),
            ended: Lock::new(Some(sender)),
        });
        pool.submit(hosted.clone());
        Ok((hosted, receiver))
    }

    /// Takes it back, or kills the worker that runs it.
    pub(crate) fn cancel(self: &Arc<Self>) {
        self.stop(Error::cancelled(self.function().name()));
    }

    /// The same, where nobody is left who could be told the end.
    pub(crate) fn lose(self: &Arc<Self>) {
        self.stop(Error::new(self.function().name(), ErrorKind::WorkerLost));
    }

    fn stop(self: &Arc<Self>, why: Error) {
        let fault = Fault::of(&why);
        match self.job.revoke(why) {
            Ok(()) => self.tell(Ended::Failed(fault)),
            Err(_) => {
                self.pool.recall(self.address.load(), || self.finish(Ended::Failed(fault)));
            }
        }
    }

    fn finish(&self, ended: Ended) {
        if self.job.cell().finish(Ok(())) {
            self.tell(ended);
        }
    }

    fn tell(&self, ended: Ended) {
        let sender = self.ended.lock().take();
        if let Some(sender) = sender {
            let _ = sender.send(ended);
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
        self.stop(why);
    }
}

impl AnyCall for Hosted {
    fn claim(&self) -> Option<Claim<Job>> {
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

    fn complete(self: Arc<Self>, reply: Reply) {
        let contents = |handles: Vec<Handle>| handles.iter().map(platform::contents).collect();
        let bytes = reply.bytes.reader().into_vec();
        self.finish(match contents(reply.handles) {
            Ok(files) => Ended::Replied(reply.status, Parts { bytes, files }),
            Err(error) => Ended::Failed(Fault::Codec { message: format!("its result: {error}") }),
        });
    }

    fn fail(self: Arc<Self>, error: Error) {
        self.finish(Ended::Failed(Fault::of(&error)));
    }
}

/// What the pool has to know of the function, once for each there is. They are as many as the
/// program has, and only who has the key can name one.
fn function_of(task: &Task) -> &'static Function {
    type Kind = (i64, Option<std::time::Duration>, Option<u64>, bool);
    static KNOWN: Lock<Option<HashMap<Kind, &'static Function>>> = Lock::new(None);
    let kind = (task.body, task.timeout, task.memory, task.fresh);
    let mut known = KNOWN.lock();
    known.get_or_insert_default().entry(kind).or_insert_with(|| {
        let mut function = Function::new(task.name.clone().leak());
        if let Some(timeout) = task.timeout.filter(|timeout| !timeout.is_zero()) {
            function = function.timeout(timeout);
        }
        if let Some(memory) = task.memory.filter(|&memory| memory > 0) {
            function = function.memory(memory);
        }
        if task.fresh {
            function = function.fresh();
        }
        Box::leak(Box::new(function))
    })
}
