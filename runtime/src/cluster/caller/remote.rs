//! A call on another machine, as its handle sees it.

use std::io;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::Caller;
use crate::cell::Cell;
use crate::cluster::broker::envelope::{File, Parts};
use crate::error::Error;
use crate::function::Function;
use crate::limit::Elsewhere;
use crate::process::call::ReplyCell;
use crate::process::fault::Fault;
use crate::process::job::{Job, Reply, codec_error};
use crate::process::platform;
use crate::process::value::message::Message;
use crate::sync::Lock;
use crate::task::{Call, Task};

/// A call without its result type.
pub(crate) trait Remote: Send + Sync {
    fn function(&self) -> &'static Function;
    fn is_finished(&self) -> bool;
    fn reply(&self, status: u32, parts: Parts);
    fn fail(&self, fault: Fault);
}

struct RemoteCall<T> {
    cell: ReplyCell<(), T>,
    caller: &'static Caller,
    number: u64,
    /// Its part of what may be out at once, until it has ended.
    elsewhere: Lock<Option<Elsewhere>>,
}

/// Sends a call out.
pub(crate) fn start<T>(caller: &'static Caller, function: &'static Function, job: Job) -> Task<T>
where
    T: DeserializeOwned + Send + 'static,
{
    let limiter = function.limiter().filter(|_| function.options().queue.is_some());
    let elsewhere = limiter.map(|limiter| limiter.send(function.options()));
    let is_refused = matches!(elsewhere, Some(None));
    let number = caller.next_number();
    let cell = ReplyCell::started(function, "process");
    let elsewhere = Lock::new(elsewhere.flatten());
    let call = Arc::new(RemoteCall { cell, caller, number, elsewhere });
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

    fn reply(&self, status: u32, parts: Parts) {
        let name = self.cell.function().name();
        let files = parts.files.iter().map(|file| platform::freeze(&file.contents));
        match files.collect::<Result<Vec<_>, _>>() {
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

/// A message's bytes and the contents of its files, for another machine.
pub(crate) fn parts_of(message: Message) -> io::Result<Parts> {
    let contents = message.files.iter().map(|file| platform::contents(file));
    let contents = contents.map(|contents| Ok(File { contents: contents? }));
    Ok(Parts {
        bytes: message.bytes.as_slice().to_vec(),
        files: contents.collect::<io::Result<_>>()?,
    })
}
