//! Pipes that carry packets in both directions, whose ends many threads and processes may use.
//!
//! The system bounds what is on the way, and cuts no packet in two. Each operation is begun, and
//! then waited for together with whatever may end it early.

#![allow(unsafe_code, reason = "calls of the system")]

use std::io::{self, ErrorKind};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::sync::Arc;
use std::time::Duration;
use std::{mem, ptr};

use windows_sys::Win32::Foundation::{
    ERROR_IO_PENDING, ERROR_MORE_DATA, ERROR_OPERATION_ABORTED, GENERIC_READ, GENERIC_WRITE,
    GetLastError, HANDLE,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, FILE_WRITE_ATTRIBUTES,
    OPEN_EXISTING, PIPE_ACCESS_DUPLEX, ReadFile, WriteFile,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, PIPE_READMODE_MESSAGE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_MESSAGE,
    SetNamedPipeHandleState,
};

use super::object::{self, Reset, failed, owned};
use crate::random;

/// How many bytes may be on the way, in each direction.
const ROOM: u32 = 128 << 10;

/// One end.
#[derive(Clone)]
pub(super) struct Pipe(pub(super) Arc<OwnedHandle>);

/// What reading found.
pub(super) enum Read {
    /// A packet of that length. What is longer than the room is cut.
    Packet(usize),
    /// Nobody has the other end.
    End,
    /// The object with this number was set first, or there is no packet yet.
    Stopped(usize),
}

/// How an operation ended.
enum Outcome {
    Done(usize),
    Cut,
    Stopped(usize),
}

impl Pipe {
    /// The end to keep, and the one to send.
    pub(super) fn pair() -> io::Result<(Self, Self)> {
        let number = u128::from(random::number()) << 64 | u128::from(random::number());
        let name = format!(r"\\.\pipe\trine-{}-{number:x}", std::process::id());
        let name: Vec<u16> = std::ffi::OsStr::new(&name).encode_wide().chain([0]).collect();
        let mode = PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE;
        let kind = PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE;
        // SAFETY: the name ends with 0, and the other pointers are null or to locals. There is one
        // instance, so whoever opens the other end is us, or we fail to.
        unsafe {
            let mode_here = mode | PIPE_REJECT_REMOTE_CLIENTS;
            let none = ptr::null();
            let ours = CreateNamedPipeW(name.as_ptr(), kind, mode_here, 1, ROOM, ROOM, 0, none);
            let ours = owned("CreateNamedPipe", ours)?;
            let theirs = CreateFileW(
                name.as_ptr(),
                GENERIC_READ | GENERIC_WRITE | FILE_WRITE_ATTRIBUTES,
                0,
                none,
                OPEN_EXISTING,
                FILE_FLAG_OVERLAPPED,
                ptr::null_mut(),
            );
            let theirs = owned("CreateFile of a pipe", theirs)?;
            let mode = PIPE_READMODE_MESSAGE;
            if SetNamedPipeHandleState(theirs.as_raw_handle(), &mode, ptr::null(), ptr::null()) == 0
            {
                return Err(failed("SetNamedPipeHandleState"));
            }
            Ok((Self(Arc::new(ours)), Self(Arc::new(theirs))))
        }
    }

    fn raw(&self) -> HANDLE {
        self.0.as_raw_handle()
    }

    /// Sends a packet. Waits for room until one of the objects is set, if at all.
    pub(super) fn write(&self, packet: &[u8], until: Option<&[HANDLE]>) -> io::Result<()> {
        let begin = |operation| {
            let length = packet.len() as u32;
            // SAFETY: the packet and the operation are there until it is complete.
            unsafe { WriteFile(self.raw(), packet.as_ptr(), length, ptr::null_mut(), operation) }
        };
        match self.complete(begin, until) {
            Ok(Outcome::Stopped(_)) if until.is_none() => Err(ErrorKind::WouldBlock.into()),
            Ok(Outcome::Stopped(_)) => Err(ErrorKind::BrokenPipe.into()),
            Ok(_) => Ok(()),
            // A pipe fails for no other reason.
            Err(_) => Err(ErrorKind::BrokenPipe.into()),
        }
    }

    /// Takes a packet. Waits for one until one of the objects is set, if at all.
    pub(super) fn read(&self, room: &mut [u8], until: Option<&[HANDLE]>) -> Read {
        match self.read_some(room, until) {
            Ok(Outcome::Done(length)) => Read::Packet(length),
            Ok(Outcome::Cut) => {
                let mut rest = [0; 1024];
                while let Ok(Outcome::Cut) = self.read_some(&mut rest, None) {}
                Read::Packet(room.len())
            }
            Ok(Outcome::Stopped(which)) => Read::Stopped(which),
            Err(_) => Read::End,
        }
    }

    fn read_some(&self, room: &mut [u8], until: Option<&[HANDLE]>) -> io::Result<Outcome> {
        let (start, length) = (room.as_mut_ptr(), room.len() as u32);
        let begin = |operation| {
            // SAFETY: the room and the operation are there until it is complete.
            unsafe { ReadFile(self.raw(), start, length, ptr::null_mut(), operation) }
        };
        self.complete(begin, until)
    }

    /// Begins an operation and waits until it is complete, which it is soon after it is stopped.
    fn complete(
        &self,
        begin: impl FnOnce(*mut OVERLAPPED) -> i32,
        until: Option<&[HANDLE]>,
    ) -> io::Result<Outcome> {
        with_event(|event| {
            // SAFETY: any bytes are one.
            let mut operation: OVERLAPPED = unsafe { mem::zeroed() };
            operation.hEvent = event;
            let operation = &raw mut operation;
            let mut stopped = 0;
            if begin(operation) == 0 {
                // SAFETY: it takes nothing.
                match unsafe { GetLastError() } {
                    ERROR_IO_PENDING => {
                        let mut objects = vec![event];
                        objects.extend(until.unwrap_or_default());
                        let most = until.is_none().then_some(Duration::ZERO);
                        let which = object::wait(&objects, most);
                        if which != Some(0) {
                            stopped = which.unwrap_or(1) - 1;
                            // SAFETY: an operation of this handle that was begun above.
                            unsafe { CancelIoEx(self.raw(), operation) };
                        }
                    }
                    ERROR_MORE_DATA => return Ok(Outcome::Cut),
                    error => return Err(io::Error::from_raw_os_error(error.cast_signed())),
                }
            }
            let mut length = 0;
            // SAFETY: it waits until the operation, which is still there, is complete.
            if unsafe { GetOverlappedResult(self.raw(), operation, &mut length, 1) } != 0 {
                return Ok(Outcome::Done(length as usize));
            }
            // SAFETY: it takes nothing.
            match unsafe { GetLastError() } {
                ERROR_MORE_DATA => Ok(Outcome::Cut),
                ERROR_OPERATION_ABORTED => Ok(Outcome::Stopped(stopped)),
                error => Err(io::Error::from_raw_os_error(error.cast_signed())),
            }
        })
    }
}

thread_local! {
    /// For the operations of this thread, which waits for one at a time.
    static EVENT: Option<OwnedHandle> = object::event(Reset::Never).ok();
}

fn with_event<R>(run: impl FnOnce(HANDLE) -> io::Result<R>) -> io::Result<R> {
    let raw = |event: &Option<OwnedHandle>| event.as_ref().map(AsRawHandle::as_raw_handle);
    match EVENT.try_with(raw).ok().flatten() {
        Some(event) => run(event),
        None => run(object::event(Reset::Never)?.as_raw_handle()),
    }
}
