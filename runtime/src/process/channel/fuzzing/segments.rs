//! A worker's large replies: memory of every kind, and whatever a reply may say about it.

use std::sync::Arc;

use super::super::*;
use crate::process::value::wire::{self, Reader};

/// How many bytes of a script are one reply.
pub const STEP: usize = 12;

/// A worker whose replies a fuzzer makes up, and their reader.
pub struct Segments {
    parent: Arc<ParentEnd>,
    worker: WorkerEnd,
    received: Received,
    /// The start of the next reply, and the end of the replies.
    head: u32,
    tail: u32,
    /// Replies that are still being read.
    held: Vec<ReplyBytes>,
    /// The memory that was sent last.
    latest: Option<Handle>,
}

impl Segments {
    /// New ones, of which none was sent.
    #[expect(clippy::new_without_default, reason = "it is not cheap")]
    pub fn new() -> Self {
        let (parent, kit) = ParentEnd::new().expect("there is memory");
        let worker = WorkerEnd::open(kit).expect("as before");
        Self {
            parent: Arc::new(parent),
            worker,
            received: Received::new(),
            head: 0,
            tail: 0,
            held: Vec::new(),
            latest: None,
        }
    }

    /// Sends and reads a reply for each [`STEP`] of the script. Returns how many were believed.
    pub fn play(&mut self, script: &[u8]) -> usize {
        let steps = script.as_chunks::<STEP>().0;
        let believed = steps.iter().filter(|step| self.reply(step)).count();
        for bytes in self.held.drain(..) {
            assert_eq!(bytes.reader().into_vec().len(), bytes.length());
        }
        believed
    }

    fn reply(&mut self, step: &[u8; STEP]) -> bool {
        let &[kind, size, segment, length, low, high, sent, flags, inline, status, hold, more] =
            step;
        let (memory, paid) = self.memory(kind, usize::from(size) * 100);
        let length = match length % 6 {
            0..=2 => paid as u64,
            3 => u64::from(low) << 8 | u64::from(high),
            4 => paid as u64 + u64::from(low % 4 + 1) * 4096,
            _ => u64::MAX - u64::from(low),
        };
        let segment = match segment % 20 {
            segment @ ..18 => u32::from(segment),
            segment => u32::MAX - u32::from(segment),
        };
        let large = Large { length, segment, sent: [0, 1, 1, u32::MAX][usize::from(sent % 4)] };
        let inline = if inline % 8 == 0 { u32::from(low) } else { size_of::<Large>() as u32 };
        let flags = if flags % 8 == 0 { u16::from(flags) } else { LARGE };
        let head = ReplyHead { length: inline, flags, status: status.into(), ..Default::default() };
        self.publish(&head, &large);

        let mut handles: Vec<_> = memory.into_iter().collect();
        if more % 8 == 0 {
            handles.extend(self.latest.as_ref().and_then(|handle| handle.try_clone().ok()));
        }
        let (start, head) = self.parent.next_reply(self.head).unwrap().unwrap();
        // SAFETY: it was found just now.
        let bytes = unsafe { self.received.bring(&self.parent, start, &head, &mut handles) };
        self.head = start.wrapping_add(record(REPLY_HEAD, head.length));
        self.parent.free_replies(self.head, &mut 0);
        if hold & 2 != 0 && !self.held.is_empty() {
            self.held.remove(0);
        }
        let Ok(bytes) = bytes else { return false };
        if head.flags & LARGE != 0 {
            assert_eq!(bytes.length() as u64, length);
            assert!(bytes.length() < 1 << 20, "nobody has paid for that much");
        }
        assert_eq!(bytes.reader().into_vec().len(), bytes.length());
        let _ = wire::decode::<Vec<u64>>(bytes.reader());
        if hold & 1 != 0 {
            self.held.push(bytes);
        }
        true
    }

    /// A memory to send along, and how many bytes of it there are.
    fn memory(&mut self, kind: u8, size: usize) -> (Option<Handle>, usize) {
        let (memory, paid) = match kind % 8 {
            0 | 1 => return (None, size),
            2 => return (self.latest.as_ref().and_then(|last| last.try_clone().ok()), size),
            // Of a length that nobody pays for.
            3 => (Memory::new(1 << 30).unwrap().handle().try_clone(), size),
            4 => (platform::freeze(&vec![kind; size]), size),
            _ => {
                let memory = Memory::new(size).unwrap();
                // SAFETY: it is that long, and nobody else knows of it.
                unsafe { std::ptr::write_bytes(memory.start(), kind, memory.length()) };
                (memory.handle().try_clone(), memory.length())
            }
        };
        let memory = memory.unwrap();
        self.latest = memory.try_clone().ok();
        (Some(memory), paid)
    }

    fn publish(&mut self, head: &ReplyHead, large: &Large) {
        let (at, to) = self.worker.place_reply(self.tail, MAX_INLINE as u32).unwrap();
        let place = large.as_bytes();
        // SAFETY: there is room for that much, and only this end writes there.
        unsafe { std::ptr::copy_nonoverlapping(place.as_ptr(), to, place.len()) };
        self.tail = self.worker.publish_reply(at, head);
    }
}

/// An encoded value in memory that its writer goes on writing.
pub(crate) struct Unsteady {
    memory: Memory,
    view: View,
    length: usize,
}

impl Unsteady {
    /// With these bytes at first.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let memory = Memory::new(bytes.len()).unwrap();
        let unsteady = Self {
            view: View::open(memory.handle().try_clone().unwrap()).unwrap(),
            memory,
            length: bytes.len(),
        };
        bytes.iter().enumerate().for_each(|(at, &byte)| unsteady.write(at, byte));
        unsteady
    }

    pub(crate) fn write(&self, at: usize, byte: u8) {
        assert!(at < self.length);
        // SAFETY: within the memory, which nobody refers to.
        unsafe { self.memory.start().add(at).write_volatile(byte) };
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        // SAFETY: mapped for as long as it is borrowed.
        unsafe { Reader::from_raw(self.view.start(), self.length) }
    }
}
