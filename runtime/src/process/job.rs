//! What goes to a worker and what comes back, and a call as the code that carries both sees it,
//! without its types.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cell::Claim;
use crate::error::{Error, ErrorKind};
use crate::function::Function;
use crate::limit::Limited;
use crate::process::address::AtomicAddress;
use crate::process::channel::{CHANGES, KEEPS, ParentEnd, ReplyBytes, USES};
use crate::process::platform::Handle;
#[cfg(feature = "cluster")]
use crate::process::pool::residence::Far;
use crate::process::pool::residence::{Part, Residence};
use crate::process::value::message::Message;
use crate::process::value::wire::{self, Reader};
use crate::timer::Alarm;
use crate::worker::line::Ticket;

/// What is sent to a worker.
pub(crate) struct Job {
    pub(crate) message: Message,
    /// The distances of `invoke` and of the body from the start of the image.
    pub(crate) invoke: i64,
    pub(crate) body: i64,
}

#[cfg(feature = "cluster")]
impl Job {
    /// The same, for another attempt.
    pub(crate) fn again(&self) -> Self {
        Self { message: self.message.clone(), ..*self }
    }
}

/// How a call ended, in a reply's head.
pub(crate) mod status {
    /// The bytes are the result.
    pub(crate) const DONE: u32 = 0;
    /// The bytes are a `Panic`.
    pub(crate) const PANICKED: u32 = 1;
    /// The bytes are a message.
    pub(crate) const CODEC: u32 = 2;
    /// It was withdrawn and did not run.
    pub(crate) const SKIPPED: u32 = 3;
    /// The function is not in this executable.
    pub(crate) const UNKNOWN: u32 = 4;
    /// The bytes are an item of a stream; more comes of the same call.
    pub(crate) const ITEM: u32 = 5;
}

/// What comes back, not decoded yet.
pub(crate) struct Reply {
    pub(crate) status: u32,
    pub(crate) bytes: ReplyBytes,
    pub(crate) handles: Vec<Handle>,
}

impl Reply {
    /// How many files it holds.
    pub(crate) fn files(&self) -> usize {
        self.handles.len() + usize::from(matches!(self.bytes, ReplyBytes::Loan(_)))
    }

    /// The failure in it; `None` if it has a value. Runs no user code.
    pub(crate) fn failure(&self, name: &'static str) -> Option<Error> {
        match self.status {
            status::DONE => None,
            status::PANICKED => Some(match wire::decode::<Panic>(self.bytes.reader()) {
                Ok(panic) => panic.into_error(name),
                Err(error) => codec_error(name, &format!("its panic: {error}")),
            }),
            status::CODEC => Some(codec_error(name, &self.bytes.reader().text())),
            status::UNKNOWN => Some(codec_error(name, "the worker does not know the function")),
            _ => Some(codec_error(name, "the worker's answer has an unknown status")),
        }
    }
}

/// A panic, on its way to the parent.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Panic {
    pub(crate) message: String,
    pub(crate) location: Option<String>,
    pub(crate) backtrace: Option<String>,
}

impl Panic {
    pub(crate) fn into_error(self, function: &'static str) -> Error {
        Error::panicked(function, Box::new(self.message), self.location)
            .with_backtrace(self.backtrace)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        wire::decode(Reader::new(bytes)).ok()
    }
}

/// A call without its types.
pub(crate) trait AnyCall: Send + Sync {
    fn claim(&self) -> Option<Claim<Job>>;
    fn function(&self) -> &'static Function;
    fn is_finished(&self) -> bool;
    fn address(&self) -> &AtomicAddress;
    /// It goes to the worker process with this id; for the observers.
    fn goes_to(&self, _worker: u32) {}
    /// How many items it may have on the way; 0 if it does not yield.
    fn ahead(&self) -> u32 {
        0
    }
    /// Whether an item of it has arrived, so that it has begun.
    fn has_yielded(&self) -> bool {
        false
    }

    /// An item that it has yielded, through this channel and under this number; false if it may
    /// not yield one.
    fn take_item(&self, _: &Arc<ParentEnd>, _number: u64, _item: Reply) -> bool {
        false
    }
    /// Whether there is something for whoever waits for it.
    fn has_news(&self) -> bool {
        self.is_finished()
    }
    /// Where it runs and nowhere else, and what it does to the value that lives there, if it is a
    /// call of a worker with state.
    fn stay(&self) -> Option<(&Residence, Part)> {
        None
    }
    /// Whether a panic in it leaves that value half changed.
    fn changes(&self) -> bool {
        false
    }
    /// What a worker that keeps a value has to know of it.
    fn flags(&self) -> u16 {
        match self.stay() {
            Some((_, Part::Uses)) if self.changes() => KEEPS | USES | CHANGES,
            Some((_, Part::Uses)) => KEEPS | USES,
            Some(_) => KEEPS,
            None => 0,
        }
    }
    /// For its turn at a worker with state, if it is a call of one that can have another turn.
    fn ticket(&self) -> Option<&Ticket> {
        None
    }
    /// Under what it has a place beside that.
    fn limited(&self) -> Option<Limited> {
        None
    }
    /// It goes back to whoever sent it: the value is gone that it is about, and it has not begun.
    fn withdraw(&self) {}
    /// Its number among the calls to other machines, if it has one.
    #[cfg(feature = "cluster")]
    fn far_number(&self) -> Option<u64> {
        None
    }
    /// An item that it has yielded on another machine, which counts what is on the way.
    #[cfg(feature = "cluster")]
    fn take_far_item(&self, _: Reply) {}
    /// The value that it has made has to leave its machine.
    #[cfg(feature = "cluster")]
    fn has_to_leave(&self, _: &Arc<Far>) {}
    /// It gets another turn, at this copy.
    fn assign(&self, _copy: usize, _order: u64) {}
    /// Starts its deadline, which counts from now.
    fn start_clock(self: Arc<Self>) -> Option<Alarm>;
    /// Runs no user code: whoever takes the value decodes it.
    fn complete(&self, reply: Reply);
    fn fail(&self, error: Error);
    /// Passes on its place; once, after it was claimed and has ended.
    fn leave(&self) {}
}

pub(crate) fn codec_error(function: &'static str, message: &str) -> Error {
    Error::new(function, ErrorKind::Codec { message: message.to_owned() })
}

/// The error of a call for which there was no worker.
pub(crate) fn worker_error(function: &'static str, message: impl Into<String>) -> Error {
    Error::new(function, ErrorKind::Worker { message: message.into() })
}
