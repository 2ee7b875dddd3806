//! A worker as its parent sees it: the process, the socket, the channel. It does not know its pool.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::chance::{Chance, LOOK};
use crate::process::address::{Address, WorkerKey};
use crate::process::channel::{self, Listener, Papers, ParentEnd, Received, Reception};
use crate::process::platform::{self, End, Handle, Identity, Packet, Process, Socket};
use crate::process::segment::Reader;
use crate::process::spin::{Glances, Patience};
use crate::sync::MutexGuard;
use crate::timeline;

/// How long a killed process may have the chance to be dead.
const MAX_DYING: Duration = Duration::from_millis(500);

/// Variables that a worker does not inherit, since its parent already does what they ask for.
#[cfg(feature = "cluster")]
const HIDDEN: &[&[&str]] = &[&[timeline::VARIABLE], &crate::cluster::VARIABLES];
#[cfg(not(feature = "cluster"))]
const HIDDEN: &[&[&str]] = &[&[timeline::VARIABLE]];

/// One worker.
pub(crate) struct Link {
    /// Identifies the worker.
    pub(crate) key: WorkerKey,
    pub(crate) channel: Arc<ParentEnd>,
    pub(crate) socket: Socket,
    pub(crate) process: Process,
    /// The worker's rights.
    pub(crate) identity: Identity,
    /// The worker as a reader of segments.
    pub(crate) reader: Arc<Reader>,
    /// How many calls it has not answered, according to the pool's books.
    pub(crate) unanswered: AtomicUsize,
    /// Its ring has no room for any call, according to the same.
    pub(crate) is_full: AtomicBool,
    /// It has begun to serve: its word said so at some check, or its first bell, which it cannot
    /// take back.
    served: AtomicBool,
    /// Its pool has registered that.
    welcomed: AtomicBool,
    /// It gets no more calls, and ends once it has answered those that it has.
    retired: AtomicBool,
    /// It has ended, or is about to.
    doomed: AtomicBool,
    /// It was buried, before its pool had it in its books perhaps.
    struck_out: AtomicBool,
    /// It was killed since it had closed its end of the socket.
    hung_up: AtomicBool,
    /// Why it was killed, if that was for an offence.
    offence: OnceLock<String>,
    reception: Reception<Inbox>,
}

pub(crate) type Desk = channel::Desk<Inbox>;

/// What belongs to the thread that takes the replies.
pub(crate) struct Inbox {
    /// The start of the next reply.
    pub(crate) head: u32,
    /// The value of `head` when we last looked whether the worker sleeps until replies are taken.
    asked: u32,
    /// Handles that came on the socket, for replies that follow.
    pub(crate) handles: VecDeque<Handle>,
    /// There were too many, so later ones were discarded.
    pub(crate) is_flooded: bool,
    /// A bell was read from the socket.
    pub(crate) took_bell: bool,
    /// The worker's segments.
    pub(crate) received: Received,
    /// For threads that join calls of this worker.
    pub(crate) patience: Patience,
    /// Of the executors that poll them, for their first polls.
    pub(crate) glances: Glances,
    /// How long each of the items was that were taken last, if they were several.
    pub(crate) item_size: u32,
}

impl Papers for Inbox {
    fn head(&self) -> u32 {
        self.head
    }

    fn took_bell(&mut self) -> bool {
        std::mem::take(&mut self.took_bell)
    }
}

impl Inbox {
    fn new() -> Self {
        Self {
            head: 0,
            asked: 0,
            handles: VecDeque::new(),
            is_flooded: false,
            took_bell: false,
            received: Received::new(),
            patience: Patience::new(),
            glances: Glances::new(),
            item_size: 0,
        }
    }

    /// Stores what came on the socket; returns false if that was its end. Handles that no reply can
    /// refer to are discarded and the worker is retired, since nobody can tell which of the
    /// following handles belongs to which reply.
    pub(crate) fn note(&mut self, link: &Link, packet: Packet) -> bool {
        match packet {
            Packet::Bell => {
                self.took_bell = true;
                link.served.store(true, Ordering::Relaxed);
            }
            Packet::Handles(handles) if !self.is_flooded => {
                self.handles.extend(handles);
                if self.handles.len() > platform::max_handles() {
                    self.is_flooded = true;
                    self.handles.clear();
                    link.retire();
                }
            }
            Packet::Handles(_) => {}
            Packet::Unwanted => link.condemn("its worker is corrupt: it sent no memory".into()),
            Packet::End => {
                // If it has not ended, it can no longer say that there are replies.
                link.retire();
                return false;
            }
        }
        true
    }

    /// Frees the replies up to `head`.
    pub(crate) fn free(&mut self, link: &Link, head: u32) {
        self.head = head;
        link.channel.free_replies(head, &mut self.asked);
    }
}

impl Link {
    /// Starts a worker. Later problems show in its death.
    pub(crate) fn start(memory_limit: u64) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (channel, kit) = ParentEnd::new()?;
        let identity = Identity::ask();
        let (process, socket) = Process::start(&kit, memory_limit, &HIDDEN.concat())?;
        Ok(Self {
            key: WorkerKey::nth(COUNT.fetch_add(1, Ordering::Relaxed)),
            channel: Arc::new(channel),
            socket,
            process,
            identity,
            reader: Arc::default(),
            unanswered: AtomicUsize::new(0),
            is_full: AtomicBool::new(false),
            served: AtomicBool::new(false),
            welcomed: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            doomed: AtomicBool::new(false),
            struck_out: AtomicBool::new(false),
            hung_up: AtomicBool::new(false),
            offence: OnceLock::new(),
            reception: Reception::new(Inbox::new()),
        })
    }

    /// Takes the desk if it is free.
    pub(crate) fn try_desk(&self) -> Option<MutexGuard<'_, Desk>> {
        self.reception.try_enter()
    }

    /// The same for a thread that knows of replies, such as the dispatcher after a bell: the
    /// current holder will know of them.
    pub(crate) fn knock(&self) -> Option<MutexGuard<'_, Desk>> {
        self.reception.knock()
    }

    /// Waits for the desk. For the end of a doomed worker.
    pub(crate) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.reception.enter()
    }

    /// Announces who wants to be told of replies from now on.
    pub(crate) fn announce(&self, desk: &mut Desk, listener: Listener) {
        desk.announce(&self.channel.rendezvous(), listener);
    }

    /// Leaves the replies to the dispatcher.
    pub(crate) fn leave<'a>(&'a self, desk: MutexGuard<'a, Desk>, take: impl FnMut(&mut Desk)) {
        self.reception.leave(desk, &self.channel.rendezvous(), take, || self.is_doomed());
    }

    /// Leaves the replies to a thread that reads items and comes back, as long as more come.
    pub(crate) fn leave_to_read<'a>(
        &'a self,
        desk: MutexGuard<'a, Desk>,
        take: impl FnMut(&mut Desk),
        runs: impl Fn() -> bool,
        goes_on: impl Fn() -> bool,
    ) {
        let rendezvous = self.channel.rendezvous();
        let is_over = || self.is_doomed();
        self.reception.leave_to_read(desk, &rendezvous, take, runs, goes_on, is_over);
    }

    /// Sleeps at the desk until there is a reply, or `rouse`.
    pub(crate) fn sleep(&self, desk: &mut Desk, still: impl Fn() -> bool) {
        self.reception.sleep(desk, &self.channel.rendezvous(), still);
    }

    /// Makes a sleeping joiner check again. What it should see must have been published.
    pub(crate) fn rouse(&self) {
        self.reception.rouse(&self.channel.rendezvous());
    }

    /// Whether the worker runs the call at this address, by its own word.
    pub(crate) fn runs(&self, address: Address) -> bool {
        let running = self.channel.running();
        running % 2 == 1 && Address::new(self.key, running / 2) == address
    }

    pub(crate) fn has_served(&self) -> bool {
        self.served.load(Ordering::Relaxed) || {
            let is_ready = self.channel.is_ready();
            self.served.fetch_or(is_ready, Ordering::Relaxed);
            is_ready
        }
    }

    /// Whether it has begun to serve; true only once.
    pub(crate) fn is_newly_serving(&self) -> bool {
        !self.welcomed.load(Ordering::Relaxed)
            && self.has_served()
            && !self.welcomed.swap(true, Ordering::Relaxed)
    }

    /// Whether it gets no more calls.
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed) || self.is_doomed()
    }

    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_doomed(&self) -> bool {
        self.doomed.load(Ordering::SeqCst)
    }

    /// Sends it no more calls.
    pub(crate) fn doom(&self) {
        self.doomed.store(true, Ordering::SeqCst);
    }

    /// Nobody else will be told of its end. Under the lock of its pool, as the question.
    pub(crate) fn strike_out(&self) {
        self.struck_out.store(true, Ordering::Relaxed);
    }

    /// The worker, unless that has happened.
    pub(crate) fn unless_struck_out(self: Arc<Self>) -> Result<Arc<Self>, String> {
        match self.struck_out.load(Ordering::Relaxed) {
            true => Err("its worker ended as it started".to_owned()),
            false => Ok(self),
        }
    }

    /// Kills the worker's whole group at once. The dispatcher does the rest when it is dead.
    pub(crate) fn kill(&self) {
        self.doom();
        self.process.kill();
        self.rouse();
    }

    /// Kills a worker for an offence.
    pub(crate) fn condemn(&self, offence: String) {
        let _ = self.offence.set(offence);
        self.kill();
    }

    /// Kills a worker that has closed its end of the socket. That is an offence, unless it turns
    /// out that it was about to end by itself, and only took long.
    pub(crate) fn hang_up(&self) {
        self.hung_up.store(true, Ordering::Relaxed);
        self.kill();
    }

    /// The offence for which it was killed, if it was, given how it ended.
    pub(crate) fn offence(&self, end: End) -> Option<&str> {
        let is_ours = end.is_kill() || end.is_unknown();
        let hung_up = is_ours && self.hung_up.load(Ordering::Relaxed);
        let closed = hung_up.then_some("its worker closed the socket to its parent");
        self.offence.get().map(String::as_str).or(closed)
    }

    /// Ends the group, and returns how the process ended. Memory that it has seen is not reused.
    pub(crate) fn reap(&self) -> End {
        self.kill();
        self.reader.leave();
        let mut chance = Chance::new(&self.process, LOOK);
        while !self.process.has_ended(LOOK) && chance.look(&self.process) < MAX_DYING {}
        self.process.reap()
    }
}
