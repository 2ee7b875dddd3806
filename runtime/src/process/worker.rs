//! The serving loop of a worker.
//!
//! It runs one call at a time, in order, on the process's main thread, so a body may fork, change
//! the working directory or hold thread-bound handles as in any plain program. Results are encoded
//! straight into the reply ring. A parent that polls is not notified of replies; a sleeping
//! dispatcher is notified when there is nothing better to do, or before the next call starts.

#![allow(unsafe_code, reason = "requests in shared memory, and functions known by their address")]

use std::io::Write;
use std::sync::Arc;
use std::{io, process};

use crate::process::channel::{
    Corrupt, FORKED, GROWN, HEAD, LARGE, Large, Listener, ReplyHead, RequestHead, SharedWord, Told,
    Word, WorkerEnd, record,
};
use crate::process::code::Invoke;
use crate::process::job::status;
use crate::process::platform::{self, Handle, Packet, Socket, View};
use crate::process::segment::{self, SEGMENTS, Segment};
use crate::process::spin::{self, Patience};
use crate::process::value::files::{self, File};
use crate::process::value::lent;
use crate::process::value::message::Bytes;
use crate::process::value::output::{Finished, MAX_INLINE, Output};
use crate::process::value::shared;
use crate::process::value::wire::Reader;
use crate::process::worker::crowding::Crowding;
use crate::process::worker::wear::Wear;

#[cfg(coverage)]
mod coverage;
#[deny(unsafe_code)]
mod crowding;
#[deny(unsafe_code)]
mod idle;
#[deny(unsafe_code)]
mod outgoing;
mod report;
#[deny(unsafe_code)]
pub(crate) mod waiting;
#[deny(unsafe_code)]
mod wear;
mod yielding;

pub(crate) struct Worker {
    channel: &'static WorkerEnd,
    socket: &'static Socket,
    /// The start of the next request.
    head: u32,
    /// The end of the replies.
    tail: u32,
    told: Told,
    /// The segments that the parent has sent so far.
    theirs: [Option<View>; SEGMENTS],
    /// Our segments that are on their way or known to the parent.
    ours: [Option<Outgoing>; SEGMENTS],
    /// How many of our messages the parent may still be reading.
    lent: usize,
    /// The parent as a reader of segments.
    reader: Arc<segment::Reader>,
    patience: Patience,
    crowding: Crowding,
    wear: Wear,
}

struct Outgoing {
    segment: Option<Segment>,
    /// How many messages were sent in it.
    sent: u32,
}

/// The files that came with a request.
struct Arrived {
    attached: Vec<Handle>,
    /// Memory for this message only.
    single: Option<View>,
    large: Option<Large>,
}

impl Worker {
    pub(crate) fn new(channel: WorkerEnd, socket: Socket, memory_limit: u64) -> Self {
        let channel: &'static WorkerEnd = Box::leak(Box::new(channel));
        let socket: &'static Socket = Box::leak(Box::new(socket));
        waiting::know(channel, socket);
        platform::watch_worker();
        report::note_panics(channel);
        report::note_overflows();
        if memory_limit > 0 {
            report::limit_memory(memory_limit);
        }
        Self {
            channel,
            socket,
            head: 0,
            tail: 0,
            told: Told::default(),
            theirs: [const { None }; SEGMENTS],
            ours: [const { None }; SEGMENTS],
            lent: 0,
            reader: Arc::default(),
            patience: Patience::new(),
            crowding: Crowding::new(),
            wear: Wear::new(memory_limit),
        }
    }

    /// Serves until the parent ends.
    pub(crate) fn serve(mut self) -> ! {
        shared::remember_seen();
        self.channel.set_ready();
        self.socket.ring();
        loop {
            let served = match self.channel.next_request(self.head) {
                Ok(Some((start, request))) => {
                    if self.channel.note_taken(&request) != self.tail {
                        self.tell_dispatcher();
                    }
                    self.head = start.wrapping_add(record(HEAD, request.length));
                    self.answer(start, request)
                }
                Ok(None) => {
                    self.idle();
                    Ok(())
                }
                Err(Corrupt(what)) => Err(io::Error::other(what)),
            };
            if let Err(error) = served {
                leave(&format!("trine worker cannot continue: {error}"));
            }
            if self.wear.is_over() {
                // What it has not begun goes to others.
                process::exit(0);
            }
        }
    }

    /// Notifies the dispatcher of untaken replies, if it is waiting.
    fn tell_dispatcher(&mut self) {
        if self.channel.taken() != self.tail {
            self.tell(&[Listener::Dispatcher]);
        }
    }

    /// Notifies whoever waits for replies, if that is one of these.
    fn tell(&mut self, whom: &[Listener]) {
        let tell = |listener, tail: &SharedWord<'_>| match listener {
            Listener::Joiner => _ = tail.wake(),
            _ => self.socket.ring(),
        };
        self.told.tell(&self.channel.rendezvous(), whom, tell);
    }

    fn answer(&mut self, start: u32, request: RequestHead) -> io::Result<()> {
        self.reclaim();
        let arrived = match self.receive(start, request) {
            Ok(arrived) => arrived,
            Err(error) => return self.refuse(start, request, error),
        };
        if request.ahead > 0 {
            return self.answer_stream(start, request, arrived);
        }
        let large = arrived.large;
        let (at, to) = self.room();
        // SAFETY: `room` found that much, which nobody else writes until it is published.
        let mut output = unsafe { Output::in_place(to, MAX_INLINE) };
        let (mut status, mut attached) = (status::SKIPPED, Vec::new());
        if self.wear.admits(&request) && self.channel.begin(request.number, start) {
            status = self.run(start, &request, arrived, &mut output, &mut attached);
            flush_prints();
        }
        self.forget(large);
        self.reply(at, to, &request, status, output, &attached)
    }

    /// Answers a request whose arguments cannot be had here. The parent will not send again what
    /// was to stay, so this worker cannot continue.
    fn refuse(&mut self, start: u32, request: RequestHead, why: io::Error) -> io::Result<()> {
        if self.channel.begin(request.number, start) {
            let (at, to) = self.room();
            // SAFETY: `room` found that much, which nobody else writes until it is published.
            let mut output = unsafe { Output::in_place(to, MAX_INLINE) };
            output.write(format!("its arguments: {why}").as_bytes());
            self.reply(at, to, &request, status::CODEC, output, &[])?;
        }
        Err(why)
    }

    /// Runs a call; its result, panic or failure is in the output, and its files are attached.
    fn run(
        &mut self,
        start: u32,
        request: &RequestHead,
        arrived: Arrived,
        output: &mut Output,
        attached: &mut Vec<File>,
    ) -> u32 {
        let Some((invoke, body, reader)) = self.find(start, request, &arrived) else {
            return status::UNKNOWN;
        };
        let invoke = std::ptr::with_exposed_provenance::<()>(invoke);
        // SAFETY: the parent, which runs the same executable, sends the address of an `Invoke`,
        // and it lies in the code.
        let invoke = unsafe { std::mem::transmute::<*const (), Invoke>(invoke) };
        self.channel.clear_report();
        let ended = files::collect(attached, || {
            files::supply(arrived.attached, || {
                // SAFETY: `body` is the function that goes with `invoke`, from the same request.
                report::catch(|| unsafe { invoke(body, reader, output) })
            })
        });
        if lent::are_kept() {
            leave("trine worker ends: a body kept a borrowed argument beyond its call");
        }
        let failure = match ended {
            Ok(Ok(())) if !attached.is_empty() && attached.len() > platform::max_handles() => {
                "its result: it has too many shared slices".to_owned()
            }
            Ok(Ok(())) => return status::DONE,
            Ok(Err(error)) => error.to_string(),
            Err(panic) => {
                attached.clear();
                output.clear();
                report::encode(&panic, output);
                return status::PANICKED;
            }
        };
        attached.clear();
        output.clear();
        output.write(failure.as_bytes());
        status::CODEC
    }

    /// The code that a request names, and its arguments.
    fn find<'a>(
        &self,
        start: u32,
        request: &RequestHead,
        arrived: &Arrived,
    ) -> Option<(usize, usize, Reader<'a>)> {
        let invoke = platform::function(request.invoke)?;
        let body = platform::function(request.body)?;
        let (bytes, length) = match (&arrived.single, arrived.large) {
            (Some(memory), Some(large)) => (memory.start(), large.length as usize),
            (None, Some(large)) => {
                let memory = self.theirs[large.segment as usize].as_ref()?;
                (memory.start(), large.length as usize)
            }
            _ => (self.channel.request_bytes(start), request.length as usize),
        };
        // SAFETY: `receive` checked that the bytes are mapped; the parent leaves them alone until
        // it has the reply, and what was sent for this call alone is mapped until then.
        let reader = unsafe {
            // What is in the ring is copied: a child that the body forks does not have it.
            let is_lent = arrived.large.is_some();
            if is_lent { Reader::lending(bytes, length) } else { Reader::from_raw(bytes, length) }
        };
        Some((invoke, body, reader))
    }

    /// Receives the files of a request, and locates bytes that are not in the ring.
    fn receive(&mut self, start: u32, request: RequestHead) -> io::Result<Arrived> {
        let mut arrived = Arrived { attached: Vec::new(), single: None, large: None };
        while arrived.attached.len() < usize::from(request.handles) {
            match self.socket.receive()? {
                Packet::Handles(handles) => arrived.attached.extend(handles),
                Packet::Bell => {}
                Packet::Unwanted | Packet::End => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        if request.flags & LARGE == 0 {
            return Ok(arrived);
        }
        if (request.length as usize) < size_of::<Large>() {
            return Err(io::Error::other("a large request without its place"));
        }
        // SAFETY: that many bytes are there, aligned to 8, and any are a `Large`.
        let large = unsafe { self.channel.request_bytes(start).cast::<Large>().read() };
        arrived.large = Some(large);
        let sent = if large.sent == 0 { None } else { arrived.attached.pop() };
        let opened = sent.map(View::open).transpose()?;
        let view = match self.theirs.get_mut(large.segment as usize) {
            None => arrived.single.insert(opened.ok_or(io::ErrorKind::NotFound)?),
            Some(known) => {
                if opened.is_some() {
                    *known = opened;
                }
                known.as_mut().ok_or(io::ErrorKind::NotFound)?
            }
        };
        view.reach(large.length as usize)?;
        Ok(arrived)
    }

    /// Unmaps what the parent will not use again either.
    fn forget(&mut self, large: Option<Large>) {
        let known = large.and_then(|large| self.theirs.get_mut(large.segment as usize));
        if let Some(known) = known
            && known.as_ref().is_some_and(|view| !segment::is_kept(view.length()))
        {
            *known = None;
        }
    }

    /// Waits for room for any reply that fits the ring.
    fn room(&mut self) -> (u32, *mut u8) {
        loop {
            let (channel, tail) = (self.channel, self.tail);
            if let Some(room) = channel.place_reply(tail, MAX_INLINE as u32) {
                return room;
            }
            self.tell(&[Listener::Dispatcher, Listener::Joiner]);
            let has_room = || channel.place_reply(tail, MAX_INLINE as u32).is_some();
            if !spin::until(|| channel.core(), has_room) {
                channel.sleep(true, None, has_room);
            }
        }
    }

    /// Answers a request.
    fn reply(
        &mut self,
        at: u32,
        to: *mut u8,
        request: &RequestHead,
        status: u32,
        output: Output,
        attached: &[File],
    ) -> io::Result<()> {
        let mut flags = if self.wear.is_grown(request) { GROWN } else { 0 };
        if self.wear.has_forked() {
            flags |= FORKED;
        }
        let head = ReplyHead { flags, number: request.number, status, ..ReplyHead::default() };
        if let Some(error) = self.send(at, to, head, output, attached)? {
            // SAFETY: `to` has room for that much, and `room` found it for this reply.
            let mut output = unsafe { Output::in_place(to, MAX_INLINE) };
            output.write(format!("its result: {error}").as_bytes());
            self.send(at, to, ReplyHead { status: status::CODEC, ..head }, output, &[])?;
        }
        self.tell(&[Listener::Joiner]);
        self.channel.end(request.number);
        self.wear.note(request, status);
        Ok(())
    }

    /// Sends a reply at that place in the ring, to which the output may have written. Says what is
    /// wrong if it is too large for the ring and no memory could be found for it.
    fn send(
        &mut self,
        at: u32,
        to: *mut u8,
        mut head: ReplyHead,
        output: Output,
        attached: &[File],
    ) -> io::Result<Option<io::Error>> {
        let mut sending: Vec<&Handle> = attached.iter().map(|file| &**file).collect();
        let memory;
        match output.finish() {
            Finished::Given(length) => head.length = length as u32,
            finished => match self.place(finished) {
                Ok((large, its_memory)) => {
                    memory = its_memory;
                    sending.extend(&memory);
                    head.flags |= LARGE;
                    head.length = size_of::<Large>() as u32;
                    // SAFETY: `to` has room for `MAX_INLINE` bytes and is aligned to 8.
                    unsafe { to.cast::<Large>().write(large) };
                }
                Err(error) => return Ok(Some(error)),
            },
        }
        head.handles = sending.len() as u16;
        if !sending.is_empty() {
            // Before the reply, so that they have arrived when it is seen. This may wait for the
            // parent to read, so the parent must know that there is something.
            self.socket.ring();
            self.socket
                .send(&sending)
                .map_err(|error| io::Error::other(format!("could not send handles: {error}")))?;
        }
        self.tail = self.channel.publish_reply(at, &head);
        Ok(None)
    }
}

/// Has out what was printed, before its call ends.
fn flush_prints() {
    let _ = io::stdout().flush();
    platform::flush_c_output();
    #[cfg(coverage)]
    coverage::write();
}

/// Ends this process, which cannot continue.
pub(crate) fn leave(why: &str) -> ! {
    eprintln!("{why}");
    process::exit(1)
}
