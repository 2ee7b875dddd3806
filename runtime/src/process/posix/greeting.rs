//! How a worker recognizes its parent: a ticket in the environment, and the first packet on the
//! socket.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::net::RecvFlags;

use super::packet;
use super::socket::Socket;
use super::system::alarm::Alarm;
use super::system::rights::Rights;
use super::system::{files, program};
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
}

/// A number that cannot be guessed.
pub(super) fn token() -> u128 {
    u128::from(random::number()) << 64 | u128::from(random::number())
}

impl Ticket {
    /// For a worker of this process.
    pub(super) fn new(token: u128) -> Self {
        Self { parent: std::process::id(), token, depth: lineage::depth() + 1 }
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split(':');
        let ticket = Self {
            parent: parts.next()?.parse().ok()?,
            token: u128::from_str_radix(parts.next()?, 16).ok()?,
            depth: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(ticket)
    }

    /// Checks that the parent wrote this; takes the socket that it passed as stdin.
    pub(super) fn check(&self) -> io::Result<Socket> {
        let parent =
            rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned());
        if parent != Some(self.parent) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let stdin = io::stdin();
        program::check_peer(&stdin, self.parent)?;
        let socket = rustix::io::fcntl_dupfd_cloexec(&stdin, 3)?;
        empty_stdin()?;
        Ok(Socket::new(socket))
    }
}

impl std::fmt::Display for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{:x}:{}", self.parent, self.token, self.depth)
    }
}

fn empty_stdin() -> io::Result<()> {
    let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    // If there is no /dev/null, a socket whose other end is closed also reads as empty.
    let null = null.or_else(|_| files::pair().map(|(one, _other)| one))?;
    rustix::stdio::dup2_stdin(null)?;
    Ok(())
}

/// The first packet on the socket, which carries the memories and the lifeline.
#[derive(Default)]
pub(super) struct Greeting {
    pub(super) token: u128,
    pub(super) fingerprint: u64,
    /// In bytes; 0 for none.
    pub(super) memory_limit: u64,
    /// What the parent may do, and so the worker at most.
    pub(super) rights: Rights,
}

impl Greeting {
    const LENGTH: usize = 32 + Rights::LENGTH;

    pub(super) fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..16].copy_from_slice(&self.token.to_ne_bytes());
        bytes[16..24].copy_from_slice(&self.fingerprint.to_ne_bytes());
        bytes[24..32].copy_from_slice(&self.memory_limit.to_ne_bytes());
        bytes[32..].copy_from_slice(&self.rights.to_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (token, bytes) = bytes.split_first_chunk()?;
        let (fingerprint, bytes) = bytes.split_first_chunk()?;
        let (memory_limit, bytes) = bytes.split_first_chunk()?;
        Some(Self {
            token: u128::from_ne_bytes(*token),
            fingerprint: u64::from_ne_bytes(*fingerprint),
            memory_limit: u64::from_ne_bytes(*memory_limit),
            rights: Rights::from_bytes(bytes.try_into().ok()?),
        })
    }

    /// The greeting of the parent that wrote the ticket, this end of the channel, and the lifeline.
    pub(super) fn receive(socket: &Socket, token: u128) -> io::Result<(Self, Kit, OwnedFd)> {
        let mut bytes = [0; Self::LENGTH];
        let flags = RecvFlags::empty();
        let (length, mut files, _) = packet::receive_into(socket.as_fd(), &mut bytes, flags)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let alarm = files.split_off(files.len().min(3));
        let (Ok([requests, replies, lifeline]), Some(alarm)) =
            (<[OwnedFd; 3]>::try_from(files), Alarm::from_files(alarm))
        else {
            return Err(io::Error::other("the parent's greeting lacks the shared memory"));
        };
        let kit = Kit { to_read: requests.into(), to_write: replies.into(), alarm };
        match Self::from_bytes(&bytes[..length]).filter(|greeting| greeting.token == token) {
            Some(greeting) => Ok((greeting, kit, lifeline)),
            None => Err(io::Error::other("the parent's greeting is not the one announced")),
        }
    }
}
