//! Calls of workers with state whose values are on other machines: what makes a value, what uses
//! it, what drops it.
//!
//! A value is kept by a call that ends when the value is gone, under the lease by which it was
//! placed; the calls about it go where that one is. The line before the worker stays here, and sees
//! to it that there is one of them at a time.

use std::sync::Arc;

use super::remote::{Remote, frozen};
use super::{Caller, Command};
use crate::cluster::broker::envelope::{Notice, Parts};
use crate::error::Error;
use crate::function::Function;
use crate::process::channel::ReplyBytes;
use crate::process::fault::Fault;
use crate::process::job::{AnyCall, Reply, codec_error, status, worker_error};
use crate::process::pool::displaced::displace;
use crate::process::pool::request::Request;
use crate::process::pool::residence::{Far, Part};
use crate::sync::Lock;

/// A call on its way to the machine of its value.
struct Sent {
    call: Arc<dyn AnyCall>,
    /// Until it has ended, or has made the value.
    request: Lock<Option<Request>>,
    part: Part,
    /// The value that it makes, or is about.
    far: Arc<Far>,
    caller: &'static Caller,
    number: u64,
}

/// Sends a call of a worker with state to the machine of its value, or to one that will have it.
pub(crate) fn submit(caller: Result<&'static Caller, String>, call: Arc<dyn AnyCall>) {
    let Some(request) = Request::claim(call) else { return };
    match caller {
        Ok(caller) => send(caller, request),
        Err(why) => request.call.fail(worker_error(request.call.function().name(), why)),
    }
}

fn send(caller: &'static Caller, request: Request) {
    let call = Arc::clone(&request.call);
    let Some((residence, part)) = call.stay() else { return };
    let job = request.job.again();
    let number = call.far_number().unwrap_or_else(|| caller.next_number());
    let (far, home) = if part == Part::Makes {
        let end = |number| Caller::known().into_iter().for_each(|caller| caller.cancel(number));
        let far = Arc::new(Far::new(number, end));
        residence.settle_on(&far);
        (far, None)
    } else {
        let Some(far) = residence.far() else { return come_back(caller, request) };
        let home = Some(far.number());
        (far, home)
    };
    let request = Lock::new(Some(request));
    let sent = Arc::new(Sent { call: Arc::clone(&call), request, part, far, caller, number });
    let _ = caller.commands.send(Command::Call(number, sent, job, home));
}

/// The value is gone, and this call about it has not begun.
fn come_back(caller: &'static Caller, request: Request) {
    if request.call.ticket().is_some() {
        displace(request, move |request| send(caller, request));
    } else {
        // It was to drop the value.
        let name = request.call.function().name();
        request.call.fail(worker_error(name, "its machine is gone"));
    }
}

impl Sent {
    fn ends(&self) -> Option<Request> {
        self.request.lock().take()
    }

    fn broken(&self, why: &str) {
        self.call.fail(codec_error(self.function().name(), why));
        self.give_up();
    }
}

impl Remote for Sent {
    fn function(&self) -> &'static Function {
        self.call.function()
    }

    fn is_finished(&self) -> bool {
        self.part != Part::Makes && self.call.is_finished()
    }

    fn yields(&self) -> bool {
        self.call.ahead() > 0
    }

    fn part(&self) -> Option<Part> {
        Some(self.part)
    }

    fn item(&self, is_run: bool, parts: Parts) {
        let Parts { bytes, files } = parts;
        if self.part == Part::Makes {
            // It is what the constructor has answered, and there is a value.
            let reply = Reply { status: status::DONE, bytes: bytes.into(), handles: Vec::new() };
            if let Some(request) = self.ends() {
                self.call.complete(reply);
                drop(request);
            }
            return;
        }
        let bytes = if is_run { ReplyBytes::run(bytes, status::ITEM) } else { Some(bytes.into()) };
        match (bytes, frozen(&files)) {
            (Some(bytes), Ok(handles)) => {
                self.call.take_far_item(Reply { status: status::ITEM, bytes, handles });
            }
            (None, _) => self.broken("a run of items is not whole"),
            (_, Err(error)) => self.broken(&format!("an item: {error}")),
        }
    }

    fn note(&self, notice: Notice) {
        match notice {
            Notice::Worn => self.far.wear(),
            Notice::Leaves => self.call.has_to_leave(&self.far),
        }
    }

    fn reply(&self, status: u32, parts: Parts) {
        if self.part == Part::Makes {
            self.far.end();
        }
        let Some(request) = self.ends() else { return };
        match frozen(&parts.files) {
            Ok(handles) => {
                self.call.complete(Reply { status, bytes: parts.bytes.into(), handles });
            }
            Err(error) => {
                let why = format!("its result: {error}");
                self.call.fail(codec_error(self.function().name(), &why));
            }
        }
        drop(request);
    }

    fn fail(&self, fault: Fault) {
        if self.part == Part::Makes {
            self.far.end();
        }
        let Some(request) = self.ends() else { return };
        self.call.fail(fault.into_error(self.function().name()));
        drop(request);
    }

    fn return_it(&self) {
        if self.part != Part::Makes {
            // Its machine does not have it, and so nobody else may.
            self.far.kill();
        }
        if let Some(request) = self.ends() {
            come_back(self.caller, request);
        }
    }

    fn give_up(&self) {
        self.caller.stop(self.number);
    }
}

impl Drop for Sent {
    /// Where nobody has told it of its end, since it was not wanted any more.
    fn drop(&mut self) {
        if let Some(request) = self.ends() {
            let name = self.function().name();
            request.call.fail(Error::cancelled(name));
        }
    }
}
