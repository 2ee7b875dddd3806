//! How a worker recognizes its parent: a ticket in the environment, and the first packet on the
//! pipe.

#![allow(unsafe_code, reason = "handles that came from another process")]

use std::io;
use std::os::windows::io::{FromRawHandle, OwnedHandle};
use std::sync::Arc;

use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};
use windows_sys::Win32::System::Pipes::GetNamedPipeServerProcessId;

use super::alarm::Alarm;
use super::object::failed;
use super::packet::{self, GREETING, Head, MAX_HEAD};
use super::pipe::{Pipe, Read};
use crate::process::channel::Kit;
use crate::process::lineage;
use crate::random;

/// Set for a worker by its parent, and removed by the worker immediately.
pub(super) const VARIABLE: &str = "TRINE_WORKER";

/// What a parent passes in the environment.
pub(super) struct Ticket {
    parent: u32,
    pub(super) token: u128,
    pub(super) depth: u32,
    /// The pipe.
    handle: u64,
}

/// A number that cannot be guessed.
pub(super) fn token() -> u128 {
    u128::from(random::number()) << 64 | u128::from(random::number())
}

impl Ticket {
    /// For a worker of this process, which inherits the handle.
    pub(super) fn new(token: u128, handle: u64) -> Self {
        Self { parent: std::process::id(), token, depth: lineage::depth() + 1, handle }
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split(':');
        let ticket = Self {
            parent: parts.next()?.parse().ok()?,
            token: u128::from_str_radix(parts.next()?, 16).ok()?,
            depth: parts.next()?.parse().ok()?,
            handle: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(ticket)
    }

    /// Checks that the parent wrote this; takes the pipe, which nobody else inherits from here on.
    pub(super) fn check(&self) -> io::Result<Pipe> {
        let mut server = 0;
        let handle = self.handle as usize as _;
        // SAFETY: it fills in a number. A handle that is no pipe is an error.
        if unsafe { GetNamedPipeServerProcessId(handle, &mut server) } == 0 {
            return Err(failed("its pipe"));
        }
        if server != self.parent {
            return Err(io::Error::other("its pipe does not come from its parent"));
        }
        // SAFETY: this process has inherited the pipe, and nobody else here knows of it.
        let pipe = unsafe {
            SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0);
            OwnedHandle::from_raw_handle(handle)
        };
        Ok(Pipe(Arc::new(pipe)))
    }
}

impl std::fmt::Display for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{:x}:{}:{}", self.parent, self.token, self.depth, self.handle)
    }
}

/// The first packet on the pipe, which brings the memories. Handles are by their numbers in the
/// worker.
#[derive(Default)]
pub(super) struct Greeting {
    pub(super) token: u128,
    pub(super) fingerprint: u64,
    /// In bytes; 0 for none.
    pub(super) memory_limit: u64,
    /// What the worker sleeps on, and its parent.
    pub(super) sleep: u64,
    pub(super) wake: u64,
    /// What says that handles were taken.
    pub(super) taken: u64,
}

impl Greeting {
    const LENGTH: usize = 56;

    pub(super) fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..16].copy_from_slice(&self.token.to_ne_bytes());
        let numbers = [self.fingerprint, self.memory_limit, self.sleep, self.wake, self.taken];
        for (eight, number) in bytes[16..].chunks_exact_mut(8).zip(numbers) {
            eight.copy_from_slice(&number.to_ne_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (token, bytes) = bytes.split_first_chunk()?;
        let mut numbers = [0; 5];
        for (number, eight) in numbers.iter_mut().zip(bytes.as_chunks().0) {
            *number = u64::from_ne_bytes(*eight);
        }
        let [fingerprint, memory_limit, sleep, wake, taken] = numbers;
        let token = u128::from_ne_bytes(*token);
        Some(Self { token, fingerprint, memory_limit, sleep, wake, taken })
    }

    /// The greeting of the parent that wrote the ticket, what this end of the channel is made of,
    /// and the event that says that handles were taken.
    pub(super) fn receive(pipe: &Pipe, token: u128) -> io::Result<(Self, Kit, Arc<OwnedHandle>)> {
        let mut room = [0; MAX_HEAD + Self::LENGTH];
        let Read::Packet(length) = pipe.read(&mut room, Some(&[])) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let not_announced = || io::Error::other("the parent's greeting is not the one announced");
        let (head, bytes) = Head::parse(&room[..length])
            .filter(|(head, _)| head.kind == GREETING)
            .ok_or_else(not_announced)?;
        let greeting = Self::from_bytes(bytes)
            .filter(|greeting| greeting.token == token)
            .ok_or_else(not_announced)?;
        let Ok([to_read, to_write]) = <[_; 2]>::try_from(packet::received(&head.entries)?) else {
            return Err(io::Error::other("the parent's greeting lacks the shared memory"));
        };
        // SAFETY: the parent, which knows the token, has made these for this process.
        let own = |number: u64| unsafe { OwnedHandle::from_raw_handle(number as usize as _) };
        let (worker, parent) = (Arc::new(own(greeting.sleep)), Arc::new(own(greeting.wake)));
        let alarm = Alarm { parent, worker };
        let taken = Arc::new(own(greeting.taken));
        Ok((greeting, Kit { to_read, to_write, alarm }, taken))
    }
}
