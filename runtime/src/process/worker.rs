//! The serving loop of a worker.
//!
//! One call at a time, in order, on the process's main thread: a body may fork, change the
//! working directory or hold thread-bound handles as in any plain program. Results are encoded
//! straight into the reply ring. Nobody is told of a reply who is looking anyway; a dispatcher
//! that sleeps is told when there is nothing better to do, or before the next call begins.

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use std::{io, process};

use rustix::net::{RecvFlags, SendFlags};

use crate::process::channel::{Corrupt, LARGE, Large, Listener, ReplyHead, RequestHead, WorkerEnd};
use crate::process::channel::{HEAD, record};
use crate::process::linux::control::{self, Packet};
use crate::process::linux::forks;
use crate::process::linux::image;
use crate::process::linux::memory::{Access, Memory, SEGMENTS, Segment};
use crate::process::spin::{self, Patience};
use crate::process::value::files::{self, File};
use crate::process::value::output::{Finished, INLINE_MAX, Output};
use crate::process::value::shared;
use crate::process::value::wire::{self, Reader, WireError};
use crate::process::worker::crowding::Crowding;
use crate::process::worker::report::Panic;

mod crowding;
pub(crate) mod report;

/// How a call ended, in a reply's head.
pub(crate) mod status {
    /// The bytes are the result.
    pub(crate) const DONE: u32 = 0;
    /// The bytes are a `Panic`.
    pub(crate) const PANICKED: u32 = 1;
    /// The bytes are a message.
    pub(crate) const CODEC: u32 = 2;
    /// It was taken back and did not run.
    pub(crate) const SKIPPED: u32 = 3;
    /// The function is not in this executable.
    pub(crate) const UNKNOWN: u32 = 4;
}

/// Decodes the arguments, calls the body at the address, encodes what it returns.
pub(crate) type Invoke = unsafe fn(usize, Reader<'_>, &mut Output) -> Result<(), WireError>;

/// How long shared slices stay mapped when there is nothing to do.
const SEEN_FOR: Duration = Duration::from_millis(500);

pub(crate) struct Worker {
    channel: &'static WorkerEnd,
    control: OwnedFd,
    /// The start of the next request.
    head: u32,
    /// The end of the replies.
    tail: u32,
    /// The announcement of a listener that was told.
    told: u32,
    /// The parent's segments that it has sent so far.
    theirs: [Option<Memory>; SEGMENTS],
    /// Segments of ours that are on their way or known.
    ours: [Option<Outgoing>; SEGMENTS],
    /// How many of ours the parent may still be reading.
    lent: usize,
    patience: Patience,
    crowding: Crowding,
}

struct Outgoing {
    segment: Option<Segment>,
    /// How many messages were sent in it.
    sent: u32,
}

/// What a request brought along.
struct Arrived {
    attached: Vec<OwnedFd>,
    /// A file for this message alone.
    single: Option<Memory>,
    large: Option<Large>,
}

impl Worker {
    pub(crate) fn new(channel: WorkerEnd, control: OwnedFd, memory_limit: u64) -> Self {
        let channel: &'static WorkerEnd = Box::leak(Box::new(channel));
        forks::watch_worker();
        report::note_panics(channel);
        if memory_limit > 0 {
            report::limit_memory(channel, memory_limit);
        }
        Self {
            channel,
            control,
            head: 0,
            tail: 0,
            told: 0,
            theirs: [const { None }; SEGMENTS],
            ours: [const { None }; SEGMENTS],
            lent: 0,
            patience: Patience::new(),
            crowding: Crowding::new(),
        }
    }

    /// Serves until the parent ends.
    pub(crate) fn serve(mut self) -> ! {
        shared::remember_seen();
        self.channel.set_ready();
        loop {
            let served = match self.channel.next_request(self.head) {
                Ok(Some((start, request))) => {
                    self.tell_dispatcher();
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
                leave(&format!("trine worker lost its parent: {error}"));
            }
        }
    }

    fn idle(&mut self) {
        let (channel, head) = (self.channel, self.head);
        self.crowding.note(channel.core());
        if spin::until(|| channel.core(), || channel.has_requests(head)) {
            return;
        }
        self.tell_dispatcher();
        self.patience.wait(
            || channel.core(),
            || channel.has_requests(head),
            || {
                let most = shared::has_seen().then_some(SEEN_FOR);
                channel.sleep(false, most, || channel.has_requests(head));
                if most.is_some() && !channel.has_requests(head) {
                    shared::forget_seen();
                }
            },
        );
    }

    /// Tells the dispatcher of replies that nobody has taken, if it waits for that.
    fn tell_dispatcher(&mut self) {
        if self.channel.taken() != self.tail {
            let (listener, announcement) = self.channel.listener();
            if listener == Listener::Dispatcher && announcement != self.told {
                self.told = announcement;
                control::ring(self.control.as_fd());
            }
        }
    }

    fn tell_joiner(&mut self) {
        let (listener, announcement) = self.channel.listener();
        if listener == Listener::Joiner && announcement != self.told {
            self.told = announcement;
            self.channel.wake_joiner();
        }
    }

    fn answer(&mut self, start: u32, request: RequestHead) -> io::Result<()> {
        if self.lent > 0 {
            self.reclaim();
        }
        let arrived = self.receive(start, request)?;
        let (at, to) = self.room();
        // SAFETY: `room` found that much, which nobody else writes until it is published.
        let mut output = unsafe { Output::in_place(to, INLINE_MAX) };
        let mut status = status::SKIPPED;
        let mut attached = Vec::new();
        if self.channel.begin(request.number, start) {
            (status, attached) = self.run(start, request, arrived, &mut output);
            let _ = io::stdout().flush();
        }
        self.reply(at, to, request.number, status, output, attached)?;
        self.channel.end(request.number);
        Ok(())
    }

    /// Runs a call; its result, panic or failure is in the output.
    fn run(
        &mut self,
        start: u32,
        request: RequestHead,
        arrived: Arrived,
        output: &mut Output,
    ) -> (u32, Vec<File>) {
        let code = (image::function(request.invoke), image::function(request.body));
        let (Some(invoke), Some(body)) = code else {
            return (status::UNKNOWN, Vec::new());
        };
        // SAFETY: the parent, which runs the same executable, sends the address of an `Invoke`,
        // and it lies in the code.
        let invoke = unsafe { std::mem::transmute::<usize, Invoke>(invoke) };
        let (bytes, length) = match (&arrived.single, arrived.large) {
            (Some(memory), Some(large)) => (memory.start().cast_const(), large.length as usize),
            (None, Some(large)) => match &self.theirs[large.segment as usize] {
                Some(memory) => (memory.start().cast_const(), large.length as usize),
                None => return (status::UNKNOWN, Vec::new()),
            },
            _ => (self.channel.request_bytes(start), request.length as usize),
        };
        // SAFETY: `receive` checked that the bytes are mapped; the parent leaves them alone
        // until it has the reply.
        let reader = unsafe { Reader::from_raw(bytes, length) };
        self.channel.clear_report();
        let (ended, attached) = files::collect(|| {
            files::supply(arrived.attached, || {
                // SAFETY: `body` is the function that goes with `invoke`, from the same request.
                report::catch(|| unsafe { invoke(body, reader, output) })
            })
        });
        match ended {
            Ok(Ok(())) => (status::DONE, attached),
            Ok(Err(error)) => {
                output.clear();
                output.write(error.to_string().as_bytes());
                (status::CODEC, Vec::new())
            }
            Err(panic) => {
                output.clear();
                encode_panic(&panic, output);
                (status::PANICKED, Vec::new())
            }
        }
    }

    /// Takes the files of a request, and finds the bytes that do not lie in the ring.
    fn receive(&mut self, start: u32, request: RequestHead) -> io::Result<Arrived> {
        let mut arrived = Arrived { attached: Vec::new(), single: None, large: None };
        while arrived.attached.len() < usize::from(request.files) {
            match control::receive(self.control.as_fd(), RecvFlags::empty())? {
                Packet::Files(files) => arrived.attached.extend(files),
                Packet::Bell => {}
                Packet::End => return Err(io::ErrorKind::UnexpectedEof.into()),
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
        let opened = sent.map(|file| Memory::open(file, Access::Read)).transpose()?;
        let memory = match self.theirs.get_mut(large.segment as usize) {
            None => arrived.single.insert(opened.ok_or(io::ErrorKind::NotFound)?),
            Some(slot) => {
                if opened.is_some() {
                    *slot = opened;
                }
                slot.as_mut().ok_or(io::ErrorKind::NotFound)?
            }
        };
        if memory.length() < large.length as usize {
            memory.catch_up()?;
        }
        if memory.length() < large.length as usize {
            return Err(io::Error::other("a large request that is cut short"));
        }
        Ok(arrived)
    }

    /// Room for any reply that fits the ring, when the parent has taken enough.
    fn room(&mut self) -> (u32, *mut u8) {
        loop {
            let (channel, tail) = (self.channel, self.tail);
            if let Some(room) = channel.place_reply(tail, INLINE_MAX as u32) {
                return room;
            }
            self.tell_dispatcher();
            self.tell_joiner();
            let has_room = || channel.place_reply(tail, INLINE_MAX as u32).is_some();
            if !spin::until(|| channel.core(), has_room) {
                channel.sleep(true, None, has_room);
            }
        }
    }

    fn reply(
        &mut self,
        at: u32,
        to: *mut u8,
        number: u64,
        status: u32,
        output: Output,
        attached: Vec<File>,
    ) -> io::Result<()> {
        let mut head = ReplyHead { length: 0, flags: 0, files: 0, number, status, reserved: 0 };
        let mut sending: Vec<BorrowedFd<'_>> = attached.iter().map(AsFd::as_fd).collect();
        let single;
        let large = match output.finish() {
            Finished::Given(length) => {
                head.length = length as u32;
                None
            }
            Finished::Heap(bytes) => {
                single = one_file(&bytes)?;
                sending.push(single.as_fd());
                Some(Large { length: bytes.len() as u64, segment: SEGMENTS as u32, sent: 1 })
            }
            Finished::Segment(segment, length) => {
                let (number, known) = (segment.number(), self.ours[segment.number()].is_some());
                let outgoing = self.ours[number].get_or_insert(Outgoing { segment: None, sent: 0 });
                outgoing.sent = outgoing.sent.wrapping_add(1);
                self.lent += 1;
                let memory = &outgoing.segment.insert(segment).memory;
                if !known {
                    sending.push(memory.as_fd());
                }
                let sent = u32::from(!known);
                Some(Large { length: length as u64, segment: number as u32, sent })
            }
        };
        if let Some(large) = large {
            head.flags = LARGE;
            head.length = size_of::<Large>() as u32;
            // SAFETY: `to` has room for `INLINE_MAX` bytes and is aligned to 8.
            unsafe { to.cast::<Large>().write(large) };
        }
        head.files = sending.len() as u16;
        if !sending.is_empty() {
            // Before the reply, so that they are there when it is seen. This may wait for the
            // parent to read, who has to know that there is something.
            if let Err(error) = send_to_parent(self.control.as_fd(), &sending) {
                return Err(io::Error::other(format!("could not send files: {error}")));
            }
        }
        self.tail = self.channel.publish_reply(at, &head);
        self.tell_joiner();
        Ok(())
    }

    /// Takes back the segments that the parent is done with.
    fn reclaim(&mut self) {
        for (number, outgoing) in self.ours.iter_mut().enumerate() {
            if let Some(outgoing) = outgoing
                && outgoing.segment.is_some()
                && self.channel.released(number) == outgoing.sent
                && let Some(segment) = outgoing.segment.take()
            {
                segment.give_back();
                self.lent -= 1;
            }
        }
    }
}

fn send_to_parent(control: BorrowedFd<'_>, files: &[BorrowedFd<'_>]) -> io::Result<()> {
    control::ring(control);
    control::send_files(control, files, SendFlags::empty())
}

fn encode_panic(panic: &Panic, output: &mut Output) {
    // A panic without a word is better than none.
    if wire::encode(panic, output).is_err() {
        output.clear();
        let _ = wire::encode(&Panic::default(), output);
    }
}

/// Bytes that found no segment, in a file of their own.
pub(crate) fn one_file(bytes: &[u8]) -> io::Result<Memory> {
    let memory = Memory::new(bytes.len())?;
    // SAFETY: the file was made that long, and nobody else knows of it.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), memory.start(), bytes.len()) };
    Ok(memory)
}

/// Ends this process as one that cannot go on.
pub(crate) fn leave(why: &str) -> ! {
    eprintln!("{why}");
    process::exit(1)
}
