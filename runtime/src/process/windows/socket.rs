//! The pipe between a parent and a worker: memory handles, the doorbell, and notice of the other
//! side's end.
//!
//! What a worker has sent is gone with it, so it waits until its handles were taken. A thread of
//! the parent for each worker does that at once, and keeps the packets for whoever reads them.

use std::collections::VecDeque;
use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use windows_sys::Win32::Foundation::HANDLE;

use super::board::Notice;
use super::limits::max_handles;
use super::memory::Handle;
use super::object;
use super::packet::{self, BELL, HANDLES, Head, MAX_HEAD, PACKET_HANDLES};
use super::pipe::{Pipe, Read};
use crate::sync::{Lock, Signal};

/// How many packets are kept that nobody reads.
const MAX_UNREAD: usize = 1024;

/// One end.
pub(crate) struct Socket(Side);

enum Side {
    Parent(Parent),
    Worker(Worker),
}

struct Parent {
    pipe: Pipe,
    process: Arc<OwnedHandle>,
    inbox: Arc<Inbox>,
}

struct Worker {
    pipe: Pipe,
    /// Set when the parent has taken handles.
    taken: Arc<OwnedHandle>,
}

/// What came.
pub(crate) enum Packet {
    Bell,
    Handles(Vec<Handle>),
    /// Handles that are no memory. They are gone.
    Unwanted,
    /// The other end is closed.
    End,
}

/// What a worker has sent.
#[derive(Default)]
pub(super) struct Inbox {
    unread: Lock<Unread>,
    /// Something was read.
    room: Signal,
}

#[derive(Default)]
struct Unread {
    packets: VecDeque<Packet>,
    handles: usize,
    is_over: bool,
    notice: Option<Notice>,
}

impl Unread {
    fn is_full(&self) -> bool {
        self.packets.len() >= MAX_UNREAD || self.handles > 2 * max_handles()
    }

    fn tell(&self) {
        if let Some(notice) = &self.notice {
            notice.post(self.is_over);
        }
    }
}

impl Inbox {
    /// Keeps a packet; waits while there are too many.
    fn put(&self, packet: Packet) {
        let mut unread = self.unread.lock();
        while unread.is_full() && !unread.is_over {
            unread.tell();
            unread = self.room.wait(unread);
        }
        if unread.is_over {
            return;
        }
        match (&packet, unread.packets.back()) {
            (Packet::Bell, Some(Packet::Bell)) => {}
            _ => {
                if let Packet::Handles(handles) = &packet {
                    unread.handles += handles.len();
                }
                unread.packets.push_back(packet);
            }
        }
        unread.tell();
    }

    fn end(&self) {
        let mut unread = self.unread.lock();
        unread.is_over = true;
        unread.tell();
    }

    fn pop(&self) -> io::Result<Packet> {
        let mut unread = self.unread.lock();
        let packet = match unread.packets.pop_front() {
            Some(packet) => packet,
            None if unread.is_over => Packet::End,
            None => return Err(io::ErrorKind::WouldBlock.into()),
        };
        if let Packet::Handles(handles) = &packet {
            unread.handles -= handles.len();
        }
        drop(unread);
        self.room.notify_one();
        Ok(packet)
    }
}

impl Socket {
    /// Of the parent. Starts the thread that reads it.
    pub(super) fn of_parent(
        pipe: Pipe,
        process: Arc<OwnedHandle>,
        taken: Arc<OwnedHandle>,
    ) -> io::Result<Self> {
        let inbox = Arc::<Inbox>::default();
        let reader = Reader {
            pipe: pipe.clone(),
            process: Arc::clone(&process),
            inbox: Arc::clone(&inbox),
            taken,
        };
        let thread = thread::Builder::new().name("trine-reader".into()).stack_size(64 << 10);
        let started = thread.spawn(move || reader.run());
        started.map_err(|error| io::Error::new(error.kind(), format!("a thread: {error}")))?;
        Ok(Self(Side::Parent(Parent { pipe, process, inbox })))
    }

    pub(super) fn of_worker(pipe: Pipe, taken: Arc<OwnedHandle>) -> Self {
        Self(Side::Worker(Worker { pipe, taken }))
    }

    /// Has events of it told, beginning with what has come already.
    pub(super) fn tell(&self, notice: Option<Notice>) {
        if let Side::Parent(parent) = &self.0 {
            let mut unread = parent.inbox.unread.lock();
            unread.notice = notice;
            unread.tell();
        }
    }

    /// Sends any number of handles; waits until the other side makes room, or has taken them.
    pub(crate) fn send(&self, handles: &[&Handle]) -> io::Result<()> {
        match &self.0 {
            Side::Parent(parent) => parent.send(handles, Some(&[parent.process.as_raw_handle()])),
            Side::Worker(worker) => worker.send(handles),
        }
    }

    /// The same without waiting. After an error, some may have been sent.
    pub(crate) fn try_send(&self, handles: &[&Handle]) -> io::Result<()> {
        match &self.0 {
            Side::Parent(parent) => parent.send(handles, None),
            Side::Worker(worker) => worker.send(handles),
        }
    }

    /// Signals that there are replies. If the pipe is full, the other side has enough to wake it.
    pub(crate) fn ring(&self) {
        let (Side::Parent(Parent { pipe, .. }) | Side::Worker(Worker { pipe, .. })) = &self.0;
        let _ = pipe.write(&Head::new(BELL).pack(&[]), None);
    }

    /// Waits for the next packet of the parent, which sends tubes too.
    pub(crate) fn receive(&self) -> io::Result<Packet> {
        let Side::Worker(worker) = &self.0 else { return self.try_receive() };
        let mut room = [0; MAX_HEAD];
        let Read::Packet(length) = worker.pipe.read(&mut room, Some(&[])) else {
            return Ok(Packet::End);
        };
        match Head::parse(&room[..length]) {
            Some((head, _)) if head.kind == BELL => Ok(Packet::Bell),
            Some((head, _)) => Ok(Packet::Handles(packet::received(&head.entries)?)),
            None => Err(io::Error::other("a packet that is cut short")),
        }
    }

    /// The next packet of a worker, if there is one.
    pub(crate) fn try_receive(&self) -> io::Result<Packet> {
        match &self.0 {
            Side::Parent(parent) => parent.inbox.pop(),
            Side::Worker(_) => self.receive(),
        }
    }
}

impl Parent {
    fn send(&self, handles: &[&Handle], until: Option<&[HANDLE]>) -> io::Result<()> {
        for some in handles.chunks(PACKET_HANDLES) {
            let given = packet::give(some, &self.process);
            let given = given.map_err(|error| {
                let has_ended = object::is_set(&self.process, Duration::ZERO);
                if has_ended { io::ErrorKind::BrokenPipe.into() } else { error }
            })?;
            let head = Head { entries: given, ..Head::new(HANDLES) };
            if let Err(error) = self.pipe.write(&head.pack(&[]), until) {
                packet::take_back(&head.entries, &self.process);
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        self.inbox.end();
        self.inbox.room.notify_one();
    }
}

impl Worker {
    fn send(&self, handles: &[&Handle]) -> io::Result<()> {
        for some in handles.chunks(PACKET_HANDLES) {
            let head = Head { entries: packet::kept(some), ..Head::new(HANDLES) };
            // It waits as long as the parent lives, and ends with it.
            self.pipe.write(&head.pack(&[]), Some(&[]))?;
            object::wait(&[self.taken.as_raw_handle()], None);
        }
        Ok(())
    }
}

/// The thread that reads what a worker sends.
struct Reader {
    pipe: Pipe,
    process: Arc<OwnedHandle>,
    inbox: Arc<Inbox>,
    taken: Arc<OwnedHandle>,
}

impl Reader {
    fn run(self) {
        let mut room = [0; MAX_HEAD + 1];
        let process = [self.process.as_raw_handle()];
        let mut until = Some(&process[..]);
        loop {
            match self.pipe.read(&mut room, until) {
                Read::Packet(length) => self.note(&room[..length]),
                // It has ended. What it has written before is still there.
                Read::Stopped(_) if until.is_some() => until = None,
                Read::Stopped(_) | Read::End => break,
            }
        }
        self.inbox.end();
    }

    fn note(&self, packet: &[u8]) {
        match Head::parse(packet) {
            Some((Head { kind: BELL, .. }, _)) => self.inbox.put(Packet::Bell),
            Some((head @ Head { kind: HANDLES, .. }, _)) => {
                match packet::taken(&head, &self.process) {
                    Ok(handles) => self.inbox.put(Packet::Handles(handles)),
                    // It did not live to hear of it, so it has sent nothing that needs them.
                    Err(_) if object::is_set(&self.process, Duration::ZERO) => {}
                    Err(_) => self.inbox.put(Packet::Unwanted),
                }
                // Only now, since the reply that needs them follows.
                object::set(&self.taken);
            }
            _ => self.inbox.put(Packet::Unwanted),
        }
    }
}
