//! A tube: the socket through which the items of one channel or stream pass between a worker and
//! its parent, outside of any call's records.
//!
//! The socket is a stream, so a packet has a head that says how long it is. Many can send through
//! the same end at once, from several processes, and none may find another's packet in the middle
//! of its own. So each is one call, which the kernel takes whole or not at all: Linux because a
//! packet fits into one of its buffers, the others because they are told not to begin before there
//! is room for the longest packet. As on the other socket, only memory comes as a handle.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{RecvFlags, SendFlags, Shutdown, shutdown};

use super::bell::Bell;
use super::files;
use super::memory::{Handle, is_memory};
use crate::process::posix::packet;

/// The length of a packet, and how many handles come with it.
const HEAD: usize = 8;
/// The longest packet.
const MAX_PACKET: usize = 40 << 10;
/// How much may be on the way.
const ROOM: usize = 256 << 10;

/// One end.
pub(crate) struct Tube {
    file: OwnedFd,
    /// A worker has the other one.
    is_foreign: bool,
}

impl Tube {
    /// An end to keep, and one to send.
    pub(crate) fn pair() -> io::Result<(Self, Handle)> {
        let (ours, theirs) = files::pair()?;
        for file in [&ours, &theirs] {
            // It may get less.
            let _ = rustix::net::sockopt::set_socket_send_buffer_size(file, ROOM);
            let _ = rustix::net::sockopt::set_socket_recv_buffer_size(file, ROOM);
            files::take_whole(file, HEAD + MAX_PACKET);
        }
        Ok((Self { file: ours, is_foreign: true }, Handle::from(theirs)))
    }

    /// The end that somebody has sent.
    pub(crate) fn open(handle: Handle) -> Self {
        Self { is_foreign: handle.is_foreign(), file: handle.into_file() }
    }

    /// Sends a packet; waits while there is no room for it.
    pub(crate) fn send(&self, bytes: &[u8], handles: &[&Handle]) -> io::Result<()> {
        self.send_with(bytes, handles, SendFlags::empty())
    }

    /// The same, but fails with `WouldBlock`.
    pub(crate) fn try_send(&self, bytes: &[u8], handles: &[&Handle]) -> io::Result<()> {
        self.send_with(bytes, handles, SendFlags::DONTWAIT)
    }

    fn send_with(&self, bytes: &[u8], handles: &[&Handle], flags: SendFlags) -> io::Result<()> {
        let count = handles.len() as u32;
        let (Ok(length), true) = (u32::try_from(bytes.len()), bytes.len() <= MAX_PACKET) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut head = [0; HEAD];
        head[..4].copy_from_slice(&length.to_ne_bytes());
        head[4..].copy_from_slice(&count.to_ne_bytes());
        let handles: Vec<_> = handles.iter().map(|handle| handle.as_fd()).collect();
        let slices = [IoSlice::new(&head), IoSlice::new(bytes)];
        let sent = packet::send(self.file.as_fd(), &slices, &handles, flags)?;
        // A signal may cut it short. The rest is on nobody's way, as long as nobody else has begun.
        let mut rest = [&head[..], bytes].concat().split_off(sent);
        while !rest.is_empty() {
            let slices = [IoSlice::new(&rest)];
            let more = packet::send(self.file.as_fd(), &slices, &[], SendFlags::empty())?;
            rest.drain(..more);
        }
        Ok(())
    }

    /// Waits for a packet, and returns its length: 0 at the end. Of what is longer than the room,
    /// nothing is taken.
    pub(crate) fn receive(&self, room: &mut [u8]) -> io::Result<(usize, Vec<Handle>)> {
        let mut files = Vec::new();
        let received = self.receive_into(room, &mut files);
        if !files.iter().all(is_memory) {
            packet::close_aside(files);
            return Err(io::Error::other("a file that is no memory"));
        }
        let handle = if self.is_foreign { Handle::of_worker } else { Handle::from };
        Ok((received?, files.into_iter().map(handle).collect()))
    }

    fn receive_into(&self, room: &mut [u8], files: &mut Vec<OwnedFd>) -> io::Result<usize> {
        let mut head = [0; HEAD];
        if !self.fill(&mut head, files)? {
            return Ok(0);
        }
        let [length, count] = [&head[..4], &head[4..]]
            .map(|four| u32::from_ne_bytes(four.try_into().expect("it is four bytes")) as usize);
        if length > room.len() || length == 0 {
            // As much too long as can be said.
            return Ok(room.len());
        }
        if !self.fill(&mut room[..length], files)? || files.len() != count {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(length)
    }

    /// Fills all of the room; false at the end.
    fn fill(&self, room: &mut [u8], files: &mut Vec<OwnedFd>) -> io::Result<bool> {
        let mut done = 0;
        while done < room.len() {
            let flags = RecvFlags::empty();
            let (more, its_files, _) =
                packet::receive_into(self.file.as_fd(), &mut room[done..], flags)?;
            files.extend(its_files);
            if more == 0 {
                return Ok(false);
            }
            done += more;
        }
        Ok(true)
    }

    /// Ends it on both sides, whoever else has an end of it.
    pub(crate) fn shut(&self) {
        let _ = shutdown(&self.file, Shutdown::Both);
    }

    /// Waits until there may be room for a packet, or the other side is gone.
    pub(crate) fn wait_for_room(&self) {
        let _ = rustix::io::retry_on_intr(|| {
            poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], None)
        });
    }

    /// Waits for the bell; false if the other side is gone.
    pub(crate) fn wait_for(&self, bell: &Bell) -> bool {
        let mut files = [
            PollFd::from_borrowed_fd(self.as_fd(), PollFlags::HUP),
            PollFd::from_borrowed_fd(bell.as_fd(), PollFlags::IN),
        ];
        let polled = rustix::io::retry_on_intr(|| poll(&mut files, None));
        bell.clear();
        polled.is_ok() && !files[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
    }
}

impl AsFd for Tube {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_many_senders_arrive_whole() {
        const SENDERS: u8 = 4;
        const PACKETS: usize = 200;
        let (ours, theirs) = Tube::pair().unwrap();
        let theirs = Tube::open(theirs);
        std::thread::scope(|scope| {
            for sender in 0..SENDERS {
                let theirs = &theirs;
                scope.spawn(move || {
                    for length in (1..=PACKETS).map(|number| number * 181) {
                        let packet = vec![sender; length];
                        while let Err(error) = theirs.try_send(&packet, &[]) {
                            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                            theirs.wait_for_room();
                        }
                    }
                });
            }
            let (mut room, mut lengths) = (vec![0; MAX_PACKET], [0; SENDERS as usize]);
            for _ in 0..PACKETS * usize::from(SENDERS) {
                let (length, _) = ours.receive(&mut room).unwrap();
                let last = &mut lengths[usize::from(room[0])];
                assert_eq!(length, *last + 181);
                assert!(room[..length].iter().all(|&byte| byte == room[0]));
                *last = length;
            }
        });
    }
}
