//! Calls that yield: each item is a reply of its own, and the last reply says how it ended.
//!
//! A body may be so many items ahead of its reader as its request says, and so many bytes. Then it
//! waits in its yield until the parent grants it more, or has it end.

#![allow(unsafe_code, reason = "requests in shared memory, and functions known by their address")]

use std::collections::VecDeque;

use super::*;
use crate::process::call::weight_of;
use crate::process::code::{InvokeStream, Outlet};
use crate::process::job::Panic;
use crate::process::value::wire::{self, WireError};
use crate::stream::flow::MAX_BYTES;

impl Worker {
    pub(super) fn answer_stream(
        &mut self,
        start: u32,
        request: RequestHead,
        arrived: Arrived,
    ) -> io::Result<()> {
        let large = arrived.large;
        let mut ended = None;
        if self.channel.begin(request.number, start) {
            ended = Some(self.run_stream(start, request, arrived)?);
            flush_prints();
        }
        self.forget(large);
        let (at, to) = self.room();
        // SAFETY: `room` found that much, which nobody else writes until it is published.
        let mut output = unsafe { Output::in_place(to, MAX_INLINE) };
        let status = match ended {
            None => status::SKIPPED,
            Some(Ended::Unknown) => status::UNKNOWN,
            Some(Ended::Yielded(is_all)) => match wire::encode(&is_all, &mut output) {
                Ok(()) => status::DONE,
                Err(_) => status::CODEC,
            },
            Some(Ended::Failed(error)) => {
                output.write(error.to_string().as_bytes());
                status::CODEC
            }
            Some(Ended::Panicked(panic)) => {
                report::encode(&panic, &mut output);
                status::PANICKED
            }
        };
        self.reply(at, to, &request, status, output, &[])?;
        self.tell(&[Listener::Reader]);
        Ok(())
    }

    fn run_stream(
        &mut self,
        start: u32,
        request: RequestHead,
        arrived: Arrived,
    ) -> io::Result<Ended> {
        let Some((invoke, body, reader)) = self.find(start, &request, &arrived) else {
            return Ok(Ended::Unknown);
        };
        let invoke = std::ptr::with_exposed_provenance::<()>(invoke);
        // SAFETY: of a request with `ahead` the parent sends the address of an `InvokeStream`, and
        // it lies in the code.
        let invoke = unsafe { std::mem::transmute::<*const (), InvokeStream>(invoke) };
        self.channel.clear_report();
        let _single = arrived.single;
        let mut items = Items {
            worker: self,
            number: request.number,
            ahead: u64::from(request.ahead),
            sent: 0,
            weights: VecDeque::new(),
            weight: 0,
            lost: None,
        };
        let ended = files::supply(arrived.attached, || {
            // SAFETY: `body` is the function that goes with `invoke`, from the same request.
            report::catch(|| unsafe { invoke(body, reader, &mut items) })
        });
        let lost = items.lost.take();
        if lent::are_kept() {
            leave("trine worker ends: a body keeps a borrowed argument beyond its call");
        }
        match (lost, ended) {
            (Some(error), _) => Err(error),
            (None, Ok(Ok(is_all))) => Ok(Ended::Yielded(is_all)),
            (None, Ok(Err(error))) => Ok(Ended::Failed(error)),
            (None, Err(panic)) => Ok(Ended::Panicked(panic)),
        }
    }
}

/// With fewer items than this on the way, as far as this side knows, it may go on.
const LOOK_AFTER: u64 = 64;

enum Ended {
    Unknown,
    /// Whether that was all there is.
    Yielded(bool),
    Failed(WireError),
    Panicked(Box<Panic>),
}

/// The items of one call, on their way out.
struct Items<'a> {
    worker: &'a mut Worker,
    number: u64,
    ahead: u64,
    sent: u64,
    /// What those count that are on the way, and all of them together.
    weights: VecDeque<usize>,
    weight: usize,
    /// The parent is there no more.
    lost: Option<io::Error>,
}

impl Items<'_> {
    /// Waits until there may be one more; false if nothing more is wanted.
    fn wait(&mut self) -> bool {
        let (channel, number) = (self.worker.channel, self.number);
        // A look at what the parent has granted costs as much as several items.
        let few = self.ahead.min(LOOK_AFTER);
        if (self.weights.len() as u64) < few && self.weight < MAX_BYTES {
            return !channel.is_stopped(number);
        }
        loop {
            let granted = channel.granted();
            let on_the_way = WorkerEnd::on_the_way(granted, number, self.sent);
            while self.weights.len() as u64 > on_the_way {
                self.weight -= self.weights.pop_front().unwrap_or(0);
            }
            if channel.is_stopped(number) {
                return false;
            }
            let may_go_on = on_the_way < self.ahead && self.weight < MAX_BYTES;
            if self.weights.is_empty() || may_go_on {
                return true;
            }
            // In a long stream it never idles, which is where it would leave its reader's core.
            self.worker.crowding.note(channel.core());
            let is_done = || channel.granted() != granted || channel.is_stopped(number);
            let mut patience = self.worker.patience;
            patience.wait(|| channel.core(), is_done, || channel.sleep(false, None, is_done));
            self.worker.patience = patience;
        }
    }

    fn send(
        &mut self,
        encode: &mut dyn FnMut(&mut Output) -> Result<(), WireError>,
    ) -> io::Result<Result<(), WireError>> {
        self.worker.reclaim();
        let (at, to) = self.worker.room();
        // SAFETY: `room` found that much, which nobody else writes until it is published.
        let mut output = unsafe { Output::in_place(to, MAX_INLINE) };
        let mut attached = Vec::new();
        let encoded = files::collect(&mut attached, || encode(&mut output));
        if let Err(error) = encoded {
            return Ok(Err(error));
        }
        if !attached.is_empty() && attached.len() > platform::max_handles() {
            return Ok(Err(WireError::new("it has too many shared slices")));
        }
        let length = output.len();
        let head = ReplyHead { number: self.number, status: status::ITEM, ..ReplyHead::default() };
        if output.is_in_place() && attached.is_empty() {
            let head = ReplyHead { length: length as u32, ..head };
            self.worker.tail = self.worker.channel.publish_item(at, &head);
        } else if let Some(error) = self.worker.send(at, to, head, output, &attached)? {
            return Ok(Err(WireError::new(error.to_string())));
        }
        self.worker.tell(&[Listener::Joiner, Listener::Dispatcher]);
        self.sent += 1;
        let weight = weight_of(length, attached.len());
        self.weight += weight;
        self.weights.push_back(weight);
        Ok(Ok(()))
    }
}

impl Outlet for Items<'_> {
    fn put(
        &mut self,
        encode: &mut dyn FnMut(&mut Output) -> Result<(), WireError>,
    ) -> Result<bool, WireError> {
        if self.lost.is_some() || !self.wait() {
            return Ok(false);
        }
        match self.send(encode) {
            Ok(sent) => sent.map(|()| true),
            Err(error) => {
                self.lost = Some(error);
                Ok(false)
            }
        }
    }
}
