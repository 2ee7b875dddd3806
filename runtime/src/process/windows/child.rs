//! A worker process as its parent sees it: starting, watching, killing and reaping it.

#![allow(unsafe_code, reason = "a call of the system")]

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, OwnedHandle};
use std::sync::Arc;
use std::time::Duration;

use windows_sys::Win32::Foundation::{STATUS_ACCESS_VIOLATION, STATUS_STACK_OVERFLOW};
use windows_sys::Win32::System::Threading::{
    EVENT_MODIFY_STATE, GetExitCodeProcess, SYNCHRONIZATION_SYNCHRONIZE,
};

use super::greeting::{Greeting, Ticket, VARIABLE};
use super::job::{Job, KILLED};
use super::memory::Handle;
use super::object::{self, Access, Reset};
use super::packet::{self, GREETING, Head};
use super::pipe::Pipe;
use super::socket::Socket;
use super::spawn::{self, Order};
use super::{children, image};
use crate::process::channel::Kit;

/// A process that was started as a worker.
pub(crate) struct Process {
    number: u32,
    process: Arc<OwnedHandle>,
    job: Job,
}

/// How a process ended, as far as is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct End {
    /// There are none here.
    pub(crate) signal: Option<i32>,
    pub(crate) code: Option<i32>,
}

/// What Rust's `abort` ends a process with, and that of C.
const ABORTED: [i32; 2] = [0xC000_0409_u32.cast_signed(), 3];

impl End {
    /// Whether it ended itself because it could not continue.
    pub(crate) fn is_abort(self) -> bool {
        self.code.is_some_and(|code| ABORTED.contains(&code))
    }

    /// Whether it is unknown how it ended.
    pub(crate) fn is_unknown(self) -> bool {
        self.code.is_none()
    }

    /// Whether it was killed, by this program perhaps.
    pub(crate) fn is_kill(self) -> bool {
        self.code == Some(KILLED.cast_signed())
    }

    /// Whether it ended by a fault in its memory.
    pub(crate) fn is_fault(self) -> bool {
        self.code
            .is_some_and(|code| [STATUS_ACCESS_VIOLATION, STATUS_STACK_OVERFLOW].contains(&code))
    }
}

/// The program that a worker runs, to read.
#[cfg(feature = "cluster")]
pub(crate) fn executable() -> io::Result<std::fs::File> {
    std::fs::File::open(spawn::executable()?)
}

impl Process {
    /// Starts this program as a worker with this end of a channel. Later problems show in its end.
    pub(crate) fn start(
        kit: &Kit,
        memory_limit: u64,
        hidden: &[&str],
    ) -> io::Result<(Self, Socket)> {
        let (ours, theirs) = Pipe::pair()?;
        let taken = Arc::new(object::event(Reset::ByWait)?);
        let job = Job::of_worker()?;
        let token = super::greeting::token();
        let handle = object::inherited(theirs.0.as_raw_handle())?;
        let ticket = Ticket::new(token, handle.as_raw_handle() as usize as u64);
        let set = (VARIABLE, ticket.to_string());
        let started = spawn::start(&Order { job: &job, handle: &handle, set, hidden })?;
        let (process, number) = (Arc::new(started.process), started.number);
        children::note(number, &process);
        let this = Self { number, process: Arc::clone(&process), job };
        let give = |event: &OwnedHandle, access| {
            object::give(event.as_handle(), &process, Access::Only(access))
        };
        let greeting = Greeting {
            token,
            fingerprint: image::fingerprint(),
            memory_limit,
            sleep: give(&kit.alarm.worker, SYNCHRONIZATION_SYNCHRONIZE)?,
            wake: give(&kit.alarm.parent, EVENT_MODIFY_STATE)?,
            taken: give(&taken, SYNCHRONIZATION_SYNCHRONIZE)?,
        };
        let memories: [&Handle; 2] = [&kit.to_read, &kit.to_write];
        let head = Head { entries: packet::give(&memories, &process)?, ..Head::new(GREETING) };
        ours.write(&head.pack(&greeting.to_bytes()), None)?;
        let socket = Socket::of_parent(ours, process, taken)?;
        Ok((this, socket))
    }

    /// Its process id, even after its end.
    pub(crate) fn id(&self) -> u32 {
        self.number
    }

    /// Kills the worker and everything that it has started, at once.
    pub(crate) fn kill(&self) {
        self.job.kill();
    }

    /// Whether it waits for a processor, which the system does not say.
    pub(crate) fn pace(&self) -> Option<(bool, Duration)> {
        None
    }

    /// Whether the process has ended, or ends within that time.
    pub(crate) fn has_ended(&self, within: Duration) -> bool {
        object::is_set(&self.process, within)
    }

    /// Kills what is left of the worker and returns how it ended.
    pub(crate) fn reap(&self) -> End {
        self.kill();
        let mut code = 0;
        // SAFETY: the handle is open, and it fills in the code.
        let is_known = self.has_ended(Duration::ZERO)
            && unsafe { GetExitCodeProcess(self.process.as_raw_handle(), &mut code) } != 0;
        End { signal: None, code: is_known.then_some(code.cast_signed()) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        children::forget(self.number);
    }
}
