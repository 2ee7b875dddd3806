//! A worker process as its parent sees it: starting, watching, killing and reaping it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::process::{Pid, WaitId, WaitIdOptions, WaitOptions, waitid, waitpgid, waitpid};

use super::greeting::{self, Greeting, Ticket};
use super::image;
use super::socket::Socket;
use super::system::rights::Rights;
use super::system::{cores, files, program, tree};
use crate::process::channel::Kit;
use crate::sync::Lock;

/// The program that workers run, to read.
#[cfg(feature = "cluster")]
pub(crate) fn executable() -> io::Result<std::fs::File> {
    std::fs::File::open(program::path()?)
}

/// How long to wait for what a killed worker has left to be dead.
const MAX_DYING: Duration = Duration::from_millis(500);
const MOMENT: Duration = Duration::from_millis(1);

/// A process that was started as a worker.
pub(crate) struct Process {
    id: u32,
    /// Unset once it is reaped, since the system may then reuse its number.
    child: Lock<Option<Child>>,
    /// Readable once the process has ended. Not every kernel has one, and filters may refuse it;
    /// then the socket must do, and a question now and then.
    pub(crate) pidfd: Option<OwnedFd>,
    /// The worker is killed when this is closed for any reason.
    lifeline: Lock<Option<OwnedFd>>,
    /// What it had started when it was killed.
    descendants: Lock<Vec<Pid>>,
}

/// How a process ended, as far as is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct End {
    pub(crate) signal: Option<i32>,
    pub(crate) code: Option<i32>,
}

impl End {
    /// Whether it ended itself because it could not continue.
    pub(crate) fn is_abort(self) -> bool {
        self.signal == Some(libc::SIGABRT)
    }

    /// Whether it is unknown how it ended: the kernel reaps children itself if SIGCHLD is ignored,
    /// and other code in this program may have waited for all children.
    pub(crate) fn is_unknown(self) -> bool {
        self.signal.is_none() && self.code.is_none()
    }

    /// Whether it was killed, by this program perhaps.
    pub(crate) fn is_kill(self) -> bool {
        self.signal == Some(libc::SIGKILL)
    }

    /// Whether it ended by a fault in its memory.
    pub(crate) fn is_fault(self) -> bool {
        matches!(self.signal, Some(libc::SIGSEGV | libc::SIGBUS))
    }
}

impl From<ExitStatus> for End {
    fn from(status: ExitStatus) -> Self {
        Self { signal: status.signal(), code: status.code() }
    }
}

impl Process {
    /// Starts this program as a worker with this end of a channel. Later problems show in its end.
    pub(crate) fn start(
        kit: &Kit,
        memory_limit: u64,
        hidden: &[&str],
    ) -> io::Result<(Self, Socket)> {
        let (ours, theirs) = files::pair()?;
        let socket = Socket::new(ours);
        let (lifeline_theirs, lifeline) = files::pipe()?;
        let token = greeting::token();
        let (fingerprint, rights) = (image::fingerprint(), Rights::of_this_thread());
        let greeting = Greeting { token, fingerprint, memory_limit, rights };
        let mut files = vec![kit.to_read.as_fd(), kit.to_write.as_fd(), lifeline_theirs.as_fd()];
        files.extend(kit.alarm.files());
        socket.send_packet(&greeting.to_bytes(), &files, SendFlags::empty())?;
        let name = std::env::args_os().next().unwrap_or_else(|| "trine".into());
        let path = program::path()?;
        let mut command = Command::new(path);
        hidden.iter().for_each(|variable| _ = command.env_remove(variable));
        command
            .arg0(name)
            .arg("trine-worker")
            .env(greeting::VARIABLE, Ticket::new(token).to_string())
            .stdin(Stdio::from(theirs));
        let child = cores::as_program(|| command.spawn()).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
        let pidfd = tree::open(Pid::from_child(&child));
        let process = Self {
            id: child.id(),
            child: Lock::new(Some(child)),
            pidfd,
            lifeline: Lock::new(Some(lifeline)),
            descendants: Lock::default(),
        };
        Ok((process, socket))
    }

    /// Its process id, even after its end.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Kills the worker and everything that it has started, at once.
    pub(crate) fn kill(&self) {
        let child = self.child.lock();
        let Some(child) = &*child else { return };
        match tree::kill(Pid::from_child(child)) {
            Ok(descendants) => self.descendants.lock().extend(descendants),
            // It has rights that this process has given up. But its lifeline still works.
            Err(_) => drop(self.lifeline.lock().take()),
        }
    }

    /// Whether it runs or waits for a processor, and for how long it has had one; if known.
    pub(crate) fn pace(&self) -> Option<(bool, Duration)> {
        // Once it is reaped, its number may be another's.
        let child = self.child.lock();
        child.as_ref().and_then(|child| tree::pace(Pid::from_child(child)))
    }

    /// Whether the process has ended, or ends within that time.
    pub(crate) fn has_ended(&self, within: Duration) -> bool {
        let Some(pidfd) = &self.pidfd else { return self.ends_within(within) };
        let mut ends = [PollFd::new(pidfd, PollFlags::IN)];
        let until = Instant::now() + within;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let left = Timespec {
                tv_sec: left.as_secs().cast_signed(),
                tv_nsec: left.subsec_nanos().into(),
            };
            match rustix::event::poll(&mut ends, Some(&left)) {
                // A signal of the program is no answer.
                Err(Errno::INTR) => {}
                answer => return answer.unwrap_or(0) > 0,
            }
        }
    }

    /// The same without an event to wait for.
    fn ends_within(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        loop {
            // Nobody reaps it meanwhile, unless other code in this program waits for all children.
            let child = self.child.lock();
            let Some(process) = child.as_ref().map(Pid::from_child) else { return true };
            let answer = waitid(WaitId::Pid(process), options);
            drop(child);
            let has_ended = match answer {
                Ok(status) => status.is_some(),
                // A filter may refuse to say.
                Err(error) => error == Errno::CHILD || tree::is_dead(process),
            };
            if has_ended || Instant::now() >= until {
                return has_ended;
            }
            thread::sleep(MOMENT);
        }
    }

    /// Kills what is left of the worker and returns how it ended. If it is not dead yet, because it
    /// hangs in the kernel or we may no longer kill it, a separate thread waits for it.
    pub(crate) fn reap(&self) -> End {
        self.kill();
        let child = self.child.lock().take();
        let Some(mut child) = child else { return End::default() };
        let group = Pid::from_child(&child);
        let end = match child.try_wait() {
            Ok(Some(status)) => status.into(),
            // Other code in this program may have waited for all children.
            Err(_) => End::default(),
            Ok(None) => {
                leave_to_thread(move || _ = child.wait());
                return End::default();
            }
        };
        let mut descendants = std::mem::take(&mut *self.descendants.lock());
        if !reap_orphans(group, &mut descendants) {
            let until = Instant::now() + MAX_DYING;
            leave_to_thread(move || {
                while Instant::now() < until && !reap_orphans(group, &mut descendants) {
                    thread::sleep(MOMENT);
                }
            });
        }
        end
    }
}

/// Without a thread, zombies stay until this program ends.
fn leave_to_thread(reap: impl FnOnce() + Send + 'static) {
    let reaper = thread::Builder::new().name("trine-reaper".into());
    let _ = reaper.stack_size(64 << 10).spawn(reap);
}

/// Reaps what a killed worker has left to this process, which happens if this is process 1. Returns
/// true if nothing is left that is still dying.
fn reap_orphans(group: Pid, descendants: &mut Vec<Pid>) -> bool {
    // The worker made this group, so no other child of this process is in it.
    let is_left = loop {
        match waitpgid(group, WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    descendants.retain(|&process| matches!(waitpid(Some(process), WaitOptions::NOHANG), Ok(None)));
    !is_left && descendants.is_empty()
}
