//! A tube: the pipe through which the items of one channel or stream pass between a worker and its
//! parent, outside of any call's records.
//!
//! Its maker stays with one end. Whoever has the other says so first, since handles can be given
//! only to a known process, and waits until handles that it sends were taken. Both have an event
//! that ends the tube.

use std::io::{self, ErrorKind};
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use windows_sys::Win32::Foundation::HANDLE;

use super::children;
use super::memory::{Handle, Kind};
use super::object::{self, Reset};
use super::packet::{self, HELLO, Head, ITEM, MAX_HEAD, NOTHING};
use super::pipe::{Pipe, Read};
use crate::sync::Lock;

/// One end.
pub(crate) struct Tube {
    pipe: Pipe,
    /// Set at the end.
    over: Arc<OwnedHandle>,
    side: Side,
}

enum Side {
    /// Knows the process with the other end, once that has said hello.
    Maker(OnceLock<Arc<OwnedHandle>>),
    /// The event that says that handles were taken, for one sender at a time.
    Other(Lock<Option<OwnedHandle>>),
}

impl Tube {
    /// An end to keep, and one to send.
    pub(crate) fn pair() -> io::Result<(Self, Handle)> {
        let (pipe, theirs) = Pipe::pair()?;
        let over = Arc::new(object::event(Reset::Never)?);
        let theirs = Handle(Kind::Tube(theirs.0, Arc::clone(&over)));
        Ok((Self { pipe, over, side: Side::Maker(OnceLock::new()) }, theirs))
    }

    /// The end that somebody has sent.
    pub(crate) fn open(handle: Handle) -> Self {
        let Kind::Tube(pipe, over) = handle.0 else {
            unreachable!("it is the caller's own parent that has sent it, as a tube")
        };
        let tube = Self { pipe: Pipe(pipe), over, side: Side::Other(Lock::default()) };
        // If it cannot be said, nobody is there.
        let _ = tube.pipe.write(&Head::new(HELLO).pack(&[]), Some(&[tube.end()]));
        tube
    }

    fn end(&self) -> HANDLE {
        self.over.as_raw_handle()
    }

    /// Sends a packet; waits while there is no room for it.
    pub(crate) fn send(&self, bytes: &[u8], handles: &[&Handle]) -> io::Result<()> {
        self.send_until(bytes, handles, Some(&[self.end()]))
    }

    /// The same, but fails with `WouldBlock`. With handles it waits for them to be taken.
    pub(crate) fn try_send(&self, bytes: &[u8], handles: &[&Handle]) -> io::Result<()> {
        self.send_until(bytes, handles, None)
    }

    fn send_until(
        &self,
        bytes: &[u8],
        handles: &[&Handle],
        until: Option<&[HANDLE]>,
    ) -> io::Result<()> {
        if object::is_set(&self.over, Duration::ZERO) {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let mut head = Head::new(ITEM);
        if handles.is_empty() {
            return self.pipe.write(&head.pack(bytes), until);
        }
        match &self.side {
            Side::Maker(peer) => {
                let peer = self.peer(peer)?;
                head.entries = packet::give(handles, &peer)?;
                let sent = self.pipe.write(&head.pack(bytes), until);
                if sent.is_err() {
                    packet::take_back(&head.entries, &peer);
                }
                sent
            }
            Side::Other(taken) => {
                let mut taken = taken.lock();
                let taken = match &mut *taken {
                    Some(taken) => taken,
                    none => none.insert(object::event(Reset::ByWait)?),
                };
                head.entries = packet::kept(handles);
                head.taken = taken.as_raw_handle() as usize as u64;
                self.pipe.write(&head.pack(bytes), until)?;
                let were_taken = object::wait(&[taken.as_raw_handle(), self.end()], None);
                if were_taken == Some(0) { Ok(()) } else { Err(ErrorKind::BrokenPipe.into()) }
            }
        }
    }

    /// The process with the other end; waits until it has said so.
    fn peer(&self, known: &OnceLock<Arc<OwnedHandle>>) -> io::Result<Arc<OwnedHandle>> {
        let mut room = [0; MAX_HEAD];
        loop {
            if let Some(peer) = known.get() {
                return Ok(Arc::clone(peer));
            }
            match self.pipe.read(&mut room, Some(&[self.end()])) {
                Read::Packet(length) => self.greet(&room[..length]),
                Read::End | Read::Stopped(_) => return Err(ErrorKind::BrokenPipe.into()),
            }
        }
    }

    /// Notes who is there.
    fn greet(&self, packet: &[u8]) {
        if let Side::Maker(known) = &self.side
            && let Some((head @ Head { kind: HELLO, .. }, _)) = Head::parse(packet)
            && let Some(process) = children::find(head.process)
        {
            let _ = known.set(process);
        }
    }

    /// Waits for a packet, and returns its length: 0 at the end. What is longer than the room is
    /// cut.
    pub(crate) fn receive(&self, room: &mut [u8]) -> io::Result<(usize, Vec<Handle>)> {
        let mut packet = vec![0; room.len() + MAX_HEAD];
        loop {
            let length = match self.pipe.read(&mut packet, Some(&[self.end()])) {
                Read::Packet(length) => length,
                Read::End | Read::Stopped(_) => return Ok((0, Vec::new())),
            };
            let unknown = || io::Error::other("a packet of an unknown kind");
            let (head, bytes) = Head::parse(&packet[..length]).ok_or_else(unknown)?;
            let handles = match head.kind {
                ITEM if head.entries.is_empty() => Vec::new(),
                ITEM => match self.bring(&head)? {
                    Some(handles) => handles,
                    None => continue,
                },
                HELLO | NOTHING => {
                    self.greet(&packet[..length]);
                    continue;
                }
                _ => return Err(unknown()),
            };
            let length = bytes.len().min(room.len());
            room[..length].copy_from_slice(&bytes[..length]);
            return Ok((length, handles));
        }
    }

    /// The handles of a packet; `None` if its sender has ended before they could be taken, as if it
    /// had not sent it.
    fn bring(&self, head: &Head) -> io::Result<Option<Vec<Handle>>> {
        if let Side::Other(_) = self.side {
            return packet::received(&head.entries).map(Some);
        }
        let Some(process) = children::find(head.process) else { return Ok(None) };
        match packet::taken(head, &process) {
            Ok(handles) => Ok(Some(handles)),
            Err(_) if object::is_set(&process, Duration::ZERO) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Ends it on both sides, whoever else has an end of it.
    pub(crate) fn shut(&self) {
        object::set(&self.over);
    }

    /// Waits until there may be room for a packet, or the other side is gone.
    pub(crate) fn wait_for_room(&self) {
        let _ = self.pipe.write(&Head::new(NOTHING).pack(&[]), Some(&[self.end()]));
    }

    /// Waits for the bell; false if the other side is gone.
    pub(crate) fn wait_for(&self, bell: &Bell) -> bool {
        let mut room = [0; MAX_HEAD];
        loop {
            let until = [bell.0.as_raw_handle(), self.end()];
            match self.pipe.read(&mut room, Some(&until)) {
                Read::Packet(length) => self.greet(&room[..length]),
                Read::Stopped(which) => return which == 0,
                Read::End => return false,
            }
        }
    }
}

/// What a thread sleeps on that waits for a tube as well.
pub(crate) struct Bell(OwnedHandle);

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        object::event(Reset::ByWait).map(Self)
    }

    pub(crate) fn ring(&self) {
        object::set(&self.0);
    }
}
