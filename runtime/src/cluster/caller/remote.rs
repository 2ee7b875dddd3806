//! A call on another machine, as its handle sees it.

use std::io;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::Caller;
use crate::cell::Cell;
use crate::cluster::broker::envelope::{File, Notice, Parts};
use crate::error::Error;
use crate::function::Function;
use crate::limit::Elsewhere;
use crate::process::call::{ReplyCell, items, measure};
use crate::process::channel::ReplyBytes;
use crate::process::fault::Fault;
use crate::process::job::{Job, Reply, codec_error, status};
use crate::process::platform::{self, Handle};
use crate::process::pool::residence::Part;
use crate::process::value::message::Message;
use crate::stream::flow::{Flow, Grant};
use crate::stream::{Stream, ahead};
use crate::sync::Lock;
use crate::task::{Call, Task};

/// A call without its result type.
pub(crate) trait Remote: Send + Sync {
    fn function(&self) -> &'static Function;
    fn is_finished(&self) -> bool;
    fn yields(&self) -> bool;
    /// It has yielded this, or several in one run.
    fn item(&self, is_run: bool, parts: Parts);
    fn reply(&self, status: u32, parts: Parts);
    fn fail(&self, fault: Fault);
    /// Nobody can read what else it says.
    fn give_up(&self);
    /// What it does to the value of a worker with state.
    fn part(&self) -> Option<Part> {
        None
    }
    /// The value that it keeps goes on.
    fn note(&self, _: Notice) {}
    /// It was not started, since the value is gone that it is about.
    fn return_it(&self) {}
}

struct RemoteCall<T> {
    cell: ReplyCell<(), T>,
    caller: &'static Caller,
    number: u64,
    /// Where its items go, if it yields.
    items: Option<Arc<Flow<Reply>>>,
    /// Its part of what may be out at once, until it has ended.
    elsewhere: Lock<Option<Elsewhere>>,
}

/// Sends a call out.
pub(crate) fn start<T>(caller: &'static Caller, function: &'static Function, job: Job) -> Task<T>
where
    T: DeserializeOwned + Send + 'static,
{
    send(caller, caller.next_number(), function, job, None)
}

/// Where the items of a call arrive that yields.
pub(crate) fn flow(caller: &'static Caller, number: u64, ahead: usize) -> Arc<Flow<Reply>> {
    let tell = move |done| {
        // The thread that tells is the parent's.
        if !platform::is_forked_child() {
            caller.grant(number, done);
        }
    };
    Arc::new(Flow::granting(ahead, Grant { tell: Box::new(tell), measure }))
}

/// Sends a call out that yields.
pub(crate) fn stream<T>(caller: &'static Caller, function: &'static Function, job: Job) -> Stream<T>
where
    T: DeserializeOwned + Send + 'static,
{
    let number = caller.next_number();
    let flow = flow(caller, number, ahead(function));
    let task = send(caller, number, function, job, Some(Arc::clone(&flow)));
    Stream::new(flow, task, items)
}

fn send<T>(
    caller: &'static Caller,
    number: u64,
    function: &'static Function,
    job: Job,
    items: Option<Arc<Flow<Reply>>>,
) -> Task<T>
where
    T: DeserializeOwned + Send + 'static,
{
    let limiter = function.limiter().filter(|_| function.options().queue.is_some());
    let elsewhere = limiter.map(|limiter| limiter.send(function.options()));
    let is_refused = matches!(elsewhere, Some(None));
    let cell = ReplyCell::started(function, "process");
    let elsewhere = Lock::new(elsewhere.flatten());
    let call = Arc::new(RemoteCall { cell, caller, number, items, elsewhere });
    if is_refused {
        call.finish(Err(Error::busy(function.name())));
    } else {
        caller.send(number, call.clone(), job);
    }
    Task::new(call)
}

impl<T: DeserializeOwned + Send + 'static> RemoteCall<T> {
    fn finish(&self, result: Result<T, Error>) {
        self.leave();
        self.cell.cell().finish(result);
    }

    /// Makes room for the next one, before somebody hears of the end.
    fn leave(&self) {
        let elsewhere = self.elsewhere.lock().take();
        drop(elsewhere);
    }
}

impl<T: DeserializeOwned + Send + 'static> Remote for RemoteCall<T> {
    fn function(&self) -> &'static Function {
        self.cell.function()
    }

    fn is_finished(&self) -> bool {
        self.cell.cell().is_finished()
    }

    fn yields(&self) -> bool {
        self.items.is_some()
    }

    fn item(&self, is_run: bool, Parts { bytes, files }: Parts) {
        let bytes = if is_run { ReplyBytes::run(bytes, status::ITEM) } else { Some(bytes.into()) };
        let bytes = bytes.ok_or_else(|| "a run of items is not whole".to_owned());
        let item = bytes.and_then(|bytes| {
            let handles = frozen(&files).map_err(|error| format!("an item: {error}"))?;
            Ok(Reply { status: status::ITEM, bytes, handles })
        });
        match (item, &self.items) {
            // Where nothing more is wanted it is dropped. Its machine counts what is on the way.
            (Ok(item), Some(flow)) => _ = flow.push_beyond(&mut Some(item)),
            (Ok(_), None) => {}
            (Err(why), _) => {
                self.finish(Err(codec_error(self.cell.function().name(), &why)));
                self.give_up();
            }
        }
    }

    fn reply(&self, status: u32, parts: Parts) {
        let name = self.cell.function().name();
        match frozen(&parts.files) {
            Ok(handles) => {
                let reply = Reply { status, bytes: parts.bytes.into(), handles };
                self.leave();
                self.cell.end(reply);
            }
            Err(error) => self.finish(Err(codec_error(name, &format!("its result: {error}")))),
        }
    }

    fn fail(&self, fault: Fault) {
        self.finish(Err(fault.into_error(self.cell.function().name())));
    }

    fn give_up(&self) {
        self.caller.cancel(self.number);
    }
}

impl<T: DeserializeOwned + Send + 'static> Call<T> for RemoteCall<T> {
    fn cell(&self) -> &Cell<T> {
        self.cell.cell()
    }

    fn take(&self) -> Option<Result<T, Error>> {
        self.cell.take()
    }

    fn name(&self) -> &'static str {
        self.cell.function().name()
    }

    fn cancel(self: Arc<Self>, why: Error) {
        self.finish(Err(why));
        self.caller.cancel(self.number);
    }
}

pub(super) fn frozen(files: &[File]) -> io::Result<Vec<Handle>> {
    files.iter().map(|file| platform::freeze(&file.contents)).collect()
}

/// A message's bytes and the contents of its files, for another machine.
pub(crate) fn parts_of(message: Message) -> io::Result<Parts> {
    let contents = message.files.iter().map(|file| platform::contents(file));
    let contents = contents.map(|contents| Ok(File { contents: contents? }));
    Ok(Parts {
        bytes: message.bytes.as_slice().to_vec(),
        files: contents.collect::<io::Result<_>>()?,
    })
}
