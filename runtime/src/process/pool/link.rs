//! A worker as its parent holds it: the process, the socket, the channel.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use std::thread;

use rustix::net::SendFlags;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::Pool;
use super::harvest::Batch;
use crate::process::channel::{Listener, ParentEnd, RING};
use crate::process::linux::control;
use crate::process::linux::image;
use crate::process::linux::memory::{Memory, SEGMENTS, failed};
use crate::process::linux::startup::{self, Hello, Ticket};
use crate::process::spin::Patience;
use crate::random;
use crate::sync::{Guard, Lock};

/// The program that a worker runs: this one, whatever became of its file.
pub(crate) const EXECUTABLE: &str = "/proc/self/exe";

/// One worker.
pub(crate) struct Link {
    /// Tells workers apart, for good.
    pub(crate) key: u32,
    pub(crate) pool: &'static Pool,
    pub(crate) channel: ParentEnd,
    pub(crate) control: OwnedFd,
    /// Readable when the process has ended. Old kernels have none; then the socket must do.
    pub(crate) pidfd: Option<OwnedFd>,
    /// Its closing kills the worker, in whatever way it comes to be closed.
    _lifeline: OwnedFd,
    /// Until it is reaped: only so long is its number its own.
    child: Lock<Option<Child>>,
    /// It has ended, or is about to.
    doomed: AtomicBool,
    /// A joining thread sleeps on the channel.
    asleep: AtomicBool,
    /// Why it was ended, if it was for what it did.
    offence: OnceLock<String>,
    inbox: Lock<Inbox>,
    /// Somebody came for replies while somebody else had the inbox.
    knocked: AtomicBool,
}

/// What belongs to the thread that takes the replies.
pub(crate) struct Inbox {
    /// The start of the next reply.
    pub(crate) head: u32,
    /// What `head` was when it was last asked whether the worker sleeps for want of room.
    asked: u32,
    /// Who is announced as the one who wants to hear of replies.
    pub(crate) listening: Listener,
    /// Room for what is being taken.
    pub(crate) batch: Batch,
    /// Files that came on the socket, for replies that follow.
    pub(crate) files: std::collections::VecDeque<OwnedFd>,
    /// The worker's segments.
    pub(crate) segments: [Option<Memory>; SEGMENTS],
    /// Of the threads that join calls of this worker.
    pub(crate) patience: Patience,
}

impl Inbox {
    fn new() -> Self {
        Self {
            head: 0,
            asked: 0,
            listening: Listener::Looking,
            batch: Batch::default(),
            files: std::collections::VecDeque::new(),
            segments: [const { None }; SEGMENTS],
            patience: Patience::new(),
        }
    }

    /// Says who wants to hear of replies from now on.
    pub(crate) fn listen(&mut self, link: &Link, listener: Listener) {
        self.listening = listener;
        link.channel.listen(listener);
    }

    /// Frees the replies up to `head`, and wakes the worker if it sleeps for the room. It cannot
    /// unless most of the ring was full, so it is enough to ask each time a part of it was freed.
    pub(crate) fn free(&mut self, link: &Link, head: u32) {
        self.head = head;
        link.channel.free_replies(head);
        if head.wrapping_sub(self.asked) >= RING / 4 {
            self.asked = head;
            if link.channel.wants_room() {
                link.channel.wake_worker();
            }
        }
    }
}

impl Link {
    /// Starts a worker. What goes wrong later, its death tells.
    pub(crate) fn start(pool: &'static Pool) -> io::Result<Self> {
        static KEYS: AtomicU32 = AtomicU32::new(0);
        let channel = ParentEnd::new()?;
        let (control, theirs) = control::pair()?;
        let (lifeline_theirs, lifeline) = pipe()?;
        let token = token();
        let hello =
            Hello { token, fingerprint: image::fingerprint(), memory_limit: pool.memory_limit() };
        let files = [channel.file(), lifeline_theirs.as_fd()];
        control::send(control.as_fd(), &hello.to_bytes(), &files, SendFlags::empty())?;
        let name = std::env::args_os().next().unwrap_or_else(|| "trine".into());
        let mut command = Command::new(EXECUTABLE);
        #[cfg(feature = "cluster")]
        crate::cluster::VARIABLES.iter().for_each(|variable| _ = command.env_remove(variable));
        let child = command
            .arg0(name)
            .arg("trine-worker")
            .env(startup::VARIABLE, Ticket::new(token).to_string())
            .stdin(Stdio::from(theirs))
            .process_group(0)
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{EXECUTABLE}: {error}")))?;
        let pid = Pid::from_child(&child);
        Ok(Self {
            // What there is room for beside a call's number.
            key: KEYS.fetch_add(1, Ordering::Relaxed) % ((1 << 24) - 1) + 1,
            pool,
            channel,
            control,
            pidfd: rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok(),
            _lifeline: lifeline,
            child: Lock::new(Some(child)),
            doomed: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            offence: OnceLock::new(),
            inbox: Lock::new(Inbox::new()),
            knocked: AtomicBool::new(false),
        })
    }

    /// The right to take replies, if nobody has it.
    pub(crate) fn try_inbox(&self) -> Option<Guard<'_, Inbox>> {
        self.inbox.try_lock()
    }

    /// The same for one who knows of replies, as the dispatcher does when it is told: whoever has
    /// the inbox will know.
    pub(crate) fn knock(&self) -> Option<Guard<'_, Inbox>> {
        self.try_inbox().or_else(|| {
            self.knocked.store(true, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            // Whoever leaves gives the inbox back and then looks whether somebody knocked; this
            // is the other way round, so one of both sees the other.
            self.try_inbox()
        })
    }

    /// Whether somebody knocked, for the one who has just given the inbox back.
    pub(crate) fn was_knocked(&self) -> bool {
        fence(Ordering::SeqCst);
        self.knocked.load(Ordering::Relaxed) && self.knocked.swap(false, Ordering::SeqCst)
    }

    /// The right to take replies, when whoever has it is done. For the end of a doomed worker.
    pub(crate) fn inbox(&self) -> Guard<'_, Inbox> {
        self.inbox.lock()
    }

    pub(crate) fn is_doomed(&self) -> bool {
        self.doomed.load(Ordering::SeqCst)
    }

    /// Sends it no more calls.
    pub(crate) fn doom(&self) {
        self.doomed.store(true, Ordering::SeqCst);
    }

    /// Kills the worker's whole group, at once. The dispatcher does the rest when it is dead.
    pub(crate) fn kill(&self) {
        self.doom();
        let child = self.child.lock();
        if let Some(child) = &*child {
            let pid = Pid::from_child(child);
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        drop(child);
        self.rouse();
    }

    /// Kills a worker for what it did.
    pub(crate) fn condemn(&self, offence: String) {
        let _ = self.offence.set(offence);
        self.kill();
    }

    pub(crate) fn offence(&self) -> Option<&str> {
        self.offence.get().map(String::as_str)
    }

    /// Ends the group, waits for the process, which is dead or dying, and says how it ended.
    pub(crate) fn reap(&self) -> Option<ExitStatus> {
        self.kill();
        let child = self.child.lock().take();
        // Somebody else in this program may have waited for all children: then nobody knows.
        child.and_then(|mut child| child.wait().ok())
    }

    /// Sleeps until there is a reply after `head`, or `rouse`.
    pub(crate) fn sleep(&self, head: u32, still: impl Fn() -> bool) {
        self.asleep.store(true, Ordering::SeqCst);
        self.channel.sleep(head, still);
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// Has a joining thread that sleeps look again. What it is to see must be there already.
    pub(crate) fn rouse(&self) {
        // It sleeps on a word that only the worker may change, so a wake could come between its
        // look and its sleep: again, then, until it is awake.
        while self.asleep.load(Ordering::SeqCst) && !self.channel.wake_joiner() {
            thread::yield_now();
        }
    }
}

/// The signal and the code of an end.
pub(crate) fn signal_and_code(status: Option<ExitStatus>) -> (Option<i32>, Option<i32>) {
    status.map_or((None, None), |status| (status.signal(), status.code()))
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|error| failed("pipe", error))
}

/// A number that nobody guesses.
fn token() -> u128 {
    let half = || u128::from(random::number());
    half() << 64 | half()
}
