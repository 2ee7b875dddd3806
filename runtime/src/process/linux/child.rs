//! A worker's process as its parent holds it: how it is started, watched, killed and reaped.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::SendFlags;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::greeting::{self, Greeting, Ticket};
use super::image;
use super::memory::{Handle, failed};
use super::socket::{self, Socket};
use crate::sync::Lock;

/// The program that a worker runs: this one, whatever became of its file.
pub(crate) const EXECUTABLE: &str = "/proc/self/exe";

/// How long a process that was killed may take to be dead before nobody waits for it any more.
const DYING_MAX: Duration = Duration::from_millis(500);

/// A process that was started as a worker.
pub(crate) struct Process {
    id: u32,
    /// Until it is reaped: only so long is its number its own.
    child: Lock<Option<Child>>,
    /// Readable when the process has ended. Old kernels have none; then the socket must do.
    pidfd: Option<OwnedFd>,
    /// Its closing kills the worker, in whatever way it comes to be closed.
    _lifeline: OwnedFd,
}

/// How a process ended, as far as anybody knows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct End {
    pub(crate) signal: Option<i32>,
    pub(crate) code: Option<i32>,
}

impl End {
    /// Whether it ended itself as one that cannot go on.
    pub(crate) fn is_abort(self) -> bool {
        self.signal == Some(libc::SIGABRT)
    }
}

impl From<ExitStatus> for End {
    fn from(status: ExitStatus) -> Self {
        Self { signal: status.signal(), code: status.code() }
    }
}

impl Process {
    /// Starts this program as a worker, which gets these memories: the first for it to read, the
    /// second to write. What goes wrong later, its end tells.
    pub(crate) fn start(
        memories: [&Handle; 2],
        memory_limit: u64,
        hidden: &[&str],
    ) -> io::Result<(Self, Socket)> {
        let (ours, theirs) = socket::pair()?;
        let socket = Socket::new(ours);
        let (lifeline_theirs, lifeline) = pipe()?;
        let token = greeting::token();
        let greeting = Greeting { token, fingerprint: image::fingerprint(), memory_limit };
        let files = [memories[0].as_fd(), memories[1].as_fd(), lifeline_theirs.as_fd()];
        socket.send_packet(&greeting.to_bytes(), &files, SendFlags::empty())?;
        let name = std::env::args_os().next().unwrap_or_else(|| "trine".into());
        let mut command = Command::new(EXECUTABLE);
        hidden.iter().for_each(|variable| _ = command.env_remove(variable));
        let child = command
            .arg0(name)
            .arg("trine-worker")
            .env(greeting::VARIABLE, Ticket::new(token).to_string())
            .stdin(Stdio::from(theirs))
            .process_group(0)
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{EXECUTABLE}: {error}")))?;
        let pidfd = rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).ok();
        let id = child.id();
        Ok((Self { id, child: Lock::new(Some(child)), pidfd, _lifeline: lifeline }, socket))
    }

    /// What the system calls it, also when it has ended.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Kills the worker's whole group, at once.
    pub(crate) fn kill(&self) {
        let child = self.child.lock();
        if let Some(child) = &*child {
            let pid = Pid::from_child(child);
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }

    /// Whether the process has ended, or does so within that time.
    pub(crate) fn has_ended(&self, within: Duration) -> bool {
        let Some(pidfd) = &self.pidfd else { return false };
        let mut ends = [PollFd::new(pidfd, PollFlags::IN)];
        let within = Timespec {
            tv_sec: within.as_secs().cast_signed(),
            tv_nsec: within.subsec_nanos().into(),
        };
        rustix::event::poll(&mut ends, Some(&within)).unwrap_or(0) > 0
    }

    /// Kills what is left of the worker and says how it ended. What does not die in time, since
    /// the kernel has it or it is not ours to kill any more, is left to a thread of its own.
    pub(crate) fn reap(&self) -> End {
        self.kill();
        let child = self.child.lock().take();
        let Some(mut child) = child else { return End::default() };
        let until = Instant::now() + DYING_MAX;
        self.has_ended(DYING_MAX);
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return status.into(),
                // Somebody else in this program may have waited for all children.
                Err(_) => return End::default(),
                Ok(None) if Instant::now() >= until => break,
                Ok(None) => thread::sleep(Duration::from_millis(1)),
            }
        }
        // Without a thread it stays a zombie when it ends, until this program does.
        let _ = thread::Builder::new()
            .name("trine-reaper".into())
            .stack_size(64 << 10)
            .spawn(move || child.wait());
        End::default()
    }

    pub(super) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|error| failed("pipe", error))
}
