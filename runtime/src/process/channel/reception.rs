//! Who takes a worker's replies, and how they are notified.
//!
//! Whoever holds the desk takes all replies: a joining thread, or else the dispatcher. In three
//! places two threads could miss each other. Each time, both write first and then check, so at
//! least one of them sees the other:
//! * the worker writes a reply and then checks who listens; a listener announces itself and then
//!   checks for replies;
//! * a thread that finds the desk taken knocks and then tries the desk once more; a thread that
//!   leaves the desk frees it and then checks for knocks;
//! * a joining thread announces that it sleeps before its last check; whoever has news for it
//!   publishes them and wakes it until it no longer sleeps.
//!
//! A joiner sleeps on a word of its worker, which can take its wake-ups or move it to another word.
//! So it never sleeps for long, and nobody goes on waking it for long.
//!
//! `reception/model.rs` checks all three under loom.

use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::sync::{Mutex, MutexGuard, yield_now};

#[cfg(all(test, trine_loom))]
mod model;

/// Who wants to be told of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// Nobody, since somebody is polling.
    Looking = 0,
    /// The dispatcher, by a message on the socket.
    Dispatcher = 1,
    /// A joining thread that sleeps on the reply tail.
    Joiner = 2,
    /// Nobody of items: a thread that reads them comes back by itself. The dispatcher of the end,
    /// since that thread may not come soon.
    Reader = 3,
}

/// How often to wake a joiner that does not sleep yet, or not where it should.
const MAX_WAKES: u32 = 10_000;

/// A word of shared memory that one side writes and both can wait for.
pub(crate) trait Word {
    fn load(&self, order: Ordering) -> u32;
    fn store(&self, value: u32, order: Ordering);
    /// Sleeps while it is `seen`, but not for long; may return early.
    fn wait(&self, seen: u32);
    /// Wakes all sleepers, and returns how many there were.
    fn wake(&self) -> usize;
}

/// The two words through which a worker and those who take its replies notify each other.
pub(crate) struct Rendezvous<W> {
    /// The end of the replies, written by the worker.
    pub(crate) tail: W,
    /// A [`Listener`] and, in the higher bits, how often that has changed; written by the parent.
    pub(crate) listening: W,
}

impl<W: Word> Rendezvous<W> {
    /// Announces who listens from now on. Only called while holding the desk.
    fn announce(&self, listener: Listener) {
        let changes = self.listening.load(Ordering::Relaxed) / 4;
        self.listening.store(changes.wrapping_add(1) * 4 + listener as u32, Ordering::Release);
        // The check for replies comes after this.
        fence(Ordering::SeqCst);
    }

    /// Returns who listens, and the number of that announcement.
    fn listener(&self) -> (Listener, u32) {
        // The reply was written before this.
        fence(Ordering::SeqCst);
        let word = self.listening.load(Ordering::Relaxed);
        let listener = match word % 4 {
            1 => Listener::Dispatcher,
            2 => Listener::Joiner,
            3 => Listener::Reader,
            _ => Listener::Looking,
        };
        (listener, word)
    }

    fn has_replies(&self, head: u32) -> bool {
        self.tail.load(Ordering::Acquire) != head
    }
}

/// The last announcement that a worker has responded to.
#[derive(Debug, Default)]
pub(crate) struct Told(u32);

impl Told {
    /// Tells a listener of these kinds about published replies, once per announcement.
    pub(crate) fn tell<W: Word>(
        &mut self,
        rendezvous: &Rendezvous<W>,
        whom: &[Listener],
        tell: impl FnOnce(Listener, &W),
    ) {
        let (listener, announcement) = rendezvous.listener();
        if whom.contains(&listener) && announcement != self.0 {
            self.0 = announcement;
            tell(listener, &rendezvous.tail);
        }
    }
}

/// What belongs to the desk.
pub(crate) trait Papers {
    /// The start of the next reply.
    fn head(&self) -> u32;

    /// Whether a bell was read from the socket that was meant for the dispatcher, which will not
    /// find it any more. The worker rings once per announcement.
    fn took_bell(&mut self) -> bool;
}

/// The right to take replies, with the announced listener.
pub(crate) struct Desk<P> {
    pub(crate) papers: P,
    listening: Listener,
}

/// Where the replies of one worker are taken.
pub(crate) struct Reception<P> {
    desk: Mutex<Desk<P>>,
    /// Somebody came for replies while the desk was taken.
    knocked: AtomicBool,
    /// A joining thread sleeps on the end of the replies.
    asleep: AtomicBool,
}

impl<P: Papers> Desk<P> {
    /// Announces who listens from now on.
    pub(crate) fn announce<W: Word>(&mut self, rendezvous: &Rendezvous<W>, listener: Listener) {
        self.listening = listener;
        rendezvous.announce(listener);
    }

    /// Whether its last holder has left it to read, and nobody has come since who said otherwise.
    pub(crate) fn is_left_to_reader(&self) -> bool {
        self.listening == Listener::Reader
    }
}

impl<P: Papers> Reception<P> {
    pub(crate) fn new(papers: P) -> Self {
        Self {
            desk: Mutex::new(Desk { papers, listening: Listener::Looking }),
            knocked: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
        }
    }

    /// Takes the desk if it is free.
    pub(crate) fn try_enter(&self) -> Option<MutexGuard<'_, Desk<P>>> {
        self.desk.try_lock()
    }

    /// Waits for the desk. For the end of a worker.
    pub(crate) fn enter(&self) -> MutexGuard<'_, Desk<P>> {
        self.desk.lock()
    }

    /// Takes the desk if it is free; otherwise its holder will know that there are replies.
    pub(crate) fn knock(&self) -> Option<MutexGuard<'_, Desk<P>>> {
        self.try_enter().or_else(|| {
            self.knocked.store(true, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            self.try_enter()
        })
    }

    fn was_knocked(&self) -> bool {
        fence(Ordering::SeqCst);
        self.knocked.load(Ordering::Relaxed) && self.knocked.swap(false, Ordering::SeqCst)
    }

    /// Leaves the desk, and further replies to the dispatcher. Replies that arrive meanwhile are
    /// taken here, unless the worker is finished.
    pub(crate) fn leave<'a, W: Word>(
        &'a self,
        mut desk: MutexGuard<'a, Desk<P>>,
        rendezvous: &Rendezvous<W>,
        mut take: impl FnMut(&mut Desk<P>),
        is_over: impl Fn() -> bool,
    ) {
        loop {
            if desk.papers.took_bell() || desk.listening != Listener::Dispatcher {
                desk.announce(rendezvous, Listener::Dispatcher);
            }
            let head = desk.papers.head();
            drop(desk);
            // Nobody was told of replies that came before the dispatcher was announced. And the
            // dispatcher may have come already and found the desk taken.
            if !self.was_knocked() && !rendezvous.has_replies(head) || is_over() {
                return;
            }
            // With a knock, which passes the one just heard on to the holder.
            match self.knock() {
                Some(again) => desk = again,
                None => return,
            }
            desk.announce(rendezvous, Listener::Looking);
            take(&mut desk);
        }
    }

    /// Leaves the desk to go through the items that were taken, and to come back. Items that arrive
    /// meanwhile may lie there until then, and the worker says so when it is at the end. `runs` is
    /// whether it is not.
    pub(crate) fn leave_to_read<'a, W: Word>(
        &'a self,
        mut desk: MutexGuard<'a, Desk<P>>,
        rendezvous: &Rendezvous<W>,
        mut take: impl FnMut(&mut Desk<P>),
        runs: impl Fn() -> bool,
        goes_on: impl Fn() -> bool,
        is_over: impl Fn() -> bool,
    ) {
        while goes_on() && !is_over() {
            if desk.papers.took_bell() || !desk.is_left_to_reader() {
                desk.announce(rendezvous, Listener::Reader);
            }
            // The end may have come before that was announced, and nobody was told of it. More
            // items are left to lie: whoever takes them one by one, as they come, keeps the worker
            // from writing them, and has it wait for what was taken before.
            if !runs() && rendezvous.has_replies(desk.papers.head()) {
                desk.announce(rendezvous, Listener::Looking);
                take(&mut desk);
                continue;
            }
            drop(desk);
            if !self.was_knocked() {
                return;
            }
            match self.knock() {
                Some(again) => desk = again,
                None => return,
            }
            break;
        }
        self.leave(desk, rendezvous, take, is_over);
    }

    /// Sleeps at the desk until there is a reply, or [`rouse`](Self::rouse). `still` is called once
    /// the thread can be woken.
    pub(crate) fn sleep<W: Word>(
        &self,
        desk: &mut Desk<P>,
        rendezvous: &Rendezvous<W>,
        still: impl Fn() -> bool,
    ) {
        let head = desk.papers.head();
        desk.announce(rendezvous, Listener::Joiner);
        self.asleep.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if !rendezvous.has_replies(head) && still() {
            rendezvous.tail.wait(head);
        }
        self.asleep.store(false, Ordering::SeqCst);
        desk.announce(rendezvous, Listener::Looking);
    }

    /// Makes a sleeping joiner check again. What it should see must have been published.
    pub(crate) fn rouse<W: Word>(&self, rendezvous: &Rendezvous<W>) {
        fence(Ordering::SeqCst);
        // It sleeps on a word that only the worker may change, so a wake may fall between its check
        // and its sleep: repeat until it is awake.
        for _ in 0..MAX_WAKES {
            if !self.asleep.load(Ordering::SeqCst) || rendezvous.tail.wake() > 0 {
                return;
            }
            yield_now();
        }
    }
}
