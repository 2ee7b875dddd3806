//! What goes through the pipes: a kind, handles as numbers in some process, and bytes.
//!
//! A handle means something in one process only. So a parent puts copies into its worker before it
//! sends their numbers, and takes copies of what a worker has under the numbers that it sends. The
//! worker keeps its own until it hears that they were taken.

#![allow(unsafe_code, reason = "handles that came from another process")]

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
use std::sync::Arc;

use windows_sys::Win32::System::Threading::EVENT_MODIFY_STATE;

use super::memory::{Handle, Kind, READER, Section};
use super::object::{self, Access};

/// The maximum number of handles that arrive together or not at all.
pub(crate) const PACKET_HANDLES: usize = 16;

pub(super) const BELL: u8 = 1;
pub(super) const HANDLES: u8 = 2;
pub(super) const GREETING: u8 = 3;
/// Through a tube.
pub(super) const ITEM: u8 = 4;
/// Who has the other end of a tube.
pub(super) const HELLO: u8 = 5;
/// It waits for room, as others do.
pub(super) const NOTHING: u8 = 6;

const MEMORY: u64 = 1;
const TUBE: u64 = 2;

const HEAD: usize = 16;
const ENTRY: usize = 24;
/// What is in front of the bytes, at most.
pub(super) const MAX_HEAD: usize = HEAD + PACKET_HANDLES * ENTRY;

/// What a packet begins with.
#[derive(Default)]
pub(super) struct Head {
    pub(super) kind: u8,
    /// In which process the numbers mean something.
    pub(super) process: u32,
    /// The event there that says that they were taken; 0 for none.
    pub(super) taken: u64,
    pub(super) entries: Vec<Entry>,
}

/// A handle: what it is, its number, and what belongs to it.
#[derive(Clone, Copy)]
pub(super) struct Entry([u64; 3]);

impl Head {
    pub(super) fn new(kind: u8) -> Self {
        Self { kind, process: std::process::id(), ..Self::default() }
    }

    pub(super) fn pack(&self, bytes: &[u8]) -> Vec<u8> {
        let mut packet = Vec::with_capacity(HEAD + self.entries.len() * ENTRY + bytes.len());
        packet.extend([self.kind, self.entries.len() as u8, 0, 0]);
        packet.extend(self.process.to_ne_bytes());
        packet.extend(self.taken.to_ne_bytes());
        packet.extend(self.entries.iter().flat_map(|entry| entry.0).flat_map(u64::to_ne_bytes));
        packet.extend(bytes);
        packet
    }

    /// The head of a packet, and the bytes after it.
    pub(super) fn parse(packet: &[u8]) -> Option<(Self, &[u8])> {
        let (head, mut rest) = packet.split_first_chunk::<HEAD>()?;
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_ne_bytes).ok();
        let process = u32::from_ne_bytes(head[4..8].try_into().ok()?);
        let count = usize::from(head[1]);
        if count > PACKET_HANDLES {
            return None;
        }
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            let (entry, more) = rest.split_first_chunk::<ENTRY>()?;
            entries.push(Entry([
                number(&entry[..8])?,
                number(&entry[8..16])?,
                number(&entry[16..])?,
            ]));
            rest = more;
        }
        Some((Self { kind: head[0], process, taken: number(&head[8..])?, entries }, rest))
    }
}

impl Entry {
    /// Of a handle that this process keeps until it was taken.
    fn kept(handle: &Handle) -> Self {
        let number = |object: &OwnedHandle| object.as_raw_handle() as usize as u64;
        match &handle.0 {
            Kind::Memory(section) => Self([MEMORY, number(&section.object), 0]),
            Kind::Tube(pipe, over) => Self([TUBE, number(pipe), number(over)]),
        }
    }

    /// Of a copy in another process.
    fn given(handle: &Handle, process: &OwnedHandle) -> io::Result<Self> {
        match &handle.0 {
            Kind::Memory(section) => {
                let access = Access::Only(section.access);
                let copy = object::give(section.object.as_handle(), process, access)?;
                Ok(Self([MEMORY, copy, section.identity]))
            }
            Kind::Tube(pipe, over) => {
                let copy = object::give(pipe.as_handle(), process, Access::Same)?;
                match object::give(over.as_handle(), process, Access::Same) {
                    Ok(over) => Ok(Self([TUBE, copy, over])),
                    Err(error) => {
                        object::take_back(copy, process);
                        Err(error)
                    }
                }
            }
        }
    }

    fn take_back(self, process: &OwnedHandle) {
        let Self([kind, handle, other]) = self;
        object::take_back(handle, process);
        if kind == TUBE {
            object::take_back(other, process);
        }
    }

    /// What the parent has given.
    fn received(self) -> io::Result<Handle> {
        // SAFETY: the parent has made it for this process, and sends its number once.
        let own = |number: u64| unsafe { OwnedHandle::from_raw_handle(number as usize as _) };
        match self.0 {
            [MEMORY, object, identity] => {
                Ok(Handle(Kind::Memory(Section::given(own(object), identity))))
            }
            [TUBE, pipe, over] => Ok(Handle(Kind::Tube(Arc::new(own(pipe)), Arc::new(own(over))))),
            _ => Err(io::Error::other("a handle of an unknown kind")),
        }
    }

    /// A copy of what a worker has, if that is memory.
    fn taken(self, process: &OwnedHandle) -> io::Result<Handle> {
        let section = Section::taken(object::take(self.0[1], process, READER)?);
        section.length()?;
        Ok(Handle(Kind::Memory(section)))
    }
}

/// The entries of handles that this process keeps.
pub(super) fn kept(handles: &[&Handle]) -> Vec<Entry> {
    handles.iter().map(|handle| Entry::kept(handle)).collect()
}

/// Copies in another process, of all or of none.
pub(super) fn give(handles: &[&Handle], process: &OwnedHandle) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::with_capacity(handles.len());
    for handle in handles {
        match Entry::given(handle, process) {
            Ok(entry) => entries.push(entry),
            Err(error) => {
                take_back(&entries, process);
                return Err(error);
            }
        }
    }
    Ok(entries)
}

/// Closes what was given.
pub(super) fn take_back(entries: &[Entry], process: &OwnedHandle) {
    entries.iter().for_each(|entry| entry.take_back(process));
}

/// What the parent has given to this process.
pub(super) fn received(entries: &[Entry]) -> io::Result<Vec<Handle>> {
    entries.iter().map(|entry| entry.received()).collect()
}

/// Copies of what a worker has; an error if any of it is no memory.
pub(super) fn taken(head: &Head, process: &OwnedHandle) -> io::Result<Vec<Handle>> {
    let handles = head.entries.iter().map(|entry| entry.taken(process)).collect();
    if let Ok(event) = object::take(head.taken, process, EVENT_MODIFY_STATE) {
        object::set(&event);
    }
    handles
}
