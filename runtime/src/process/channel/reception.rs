//! Who takes a worker's replies, and how they are told.
//!
//! Whoever sits at the desk takes all replies: a thread that joins, else the dispatcher. Three can
//! miss each other there, and each time one of two writes first and then looks, while the other
//! does it the other way round, so one of them sees the other:
//! * the worker writes a reply and then looks who listens; whoever begins to listen says so and
//!   then looks for replies;
//! * whoever finds the desk taken knocks and then tries the desk once more; whoever leaves the desk
//!   frees it and then looks whether somebody knocked;
//! * a joining thread that sleeps says so before it looks for the last time; whoever has news for
//!   it makes them visible and wakes it until it no longer sleeps.
//!
//! `reception/model.rs` checks all three under loom.

use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::sync::{Mutex, MutexGuard, yield_now};

#[cfg(all(test, trine_loom))]
mod model;

/// Who wants to hear of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// Nobody: somebody is looking.
    Looking = 0,
    /// The dispatcher, by a message on the socket.
    Dispatcher = 1,
    /// A joining thread that sleeps on the end of the replies.
    Joiner = 2,
}

/// A word of shared memory that one side writes and both can wait for.
pub(crate) trait Word {
    fn load(&self, order: Ordering) -> u32;
    fn store(&self, value: u32, order: Ordering);
    /// Sleeps while it is `seen`, or less long.
    fn wait(&self, seen: u32);
    /// Wakes all who sleep, and says how many there were.
    fn wake(&self) -> usize;
}

/// The two words through which a worker and those who take its replies find each other.
pub(crate) struct Rendezvous<'a, W> {
    /// The end of the replies: the worker's.
    pub(crate) tail: &'a W,
    /// A [`Listener`] and, above it, how often that has changed: the parent's.
    pub(crate) listening: &'a W,
}

impl<W: Word> Rendezvous<'_, W> {
    /// Says who listens from now on. Only who sits at the desk does.
    fn announce(&self, listener: Listener) {
        let changes = self.listening.load(Ordering::Relaxed) / 4;
        self.listening.store(changes.wrapping_add(1) * 4 + listener as u32, Ordering::Release);
        // Then we look for replies.
        fence(Ordering::SeqCst);
    }

    /// Who listens, and the number of that announcement.
    fn listener(&self) -> (Listener, u32) {
        // What we wrote before was the reply.
        fence(Ordering::SeqCst);
        let word = self.listening.load(Ordering::Relaxed);
        let listener = match word % 4 {
            1 => Listener::Dispatcher,
            2 => Listener::Joiner,
            _ => Listener::Looking,
        };
        (listener, word)
    }

    fn has_replies(&self, head: u32) -> bool {
        self.tail.load(Ordering::Acquire) != head
    }
}

/// What a worker remembers of whom it told.
#[derive(Debug, Default)]
pub(crate) struct Told(u32);

impl Told {
    /// Tells whoever listens in that way of replies that were published, once each time that
    /// somebody begins to.
    pub(crate) fn tell<W: Word>(
        &mut self,
        rendezvous: &Rendezvous<'_, W>,
        whom: Listener,
        tell: impl FnOnce(&W),
    ) {
        let (listener, announcement) = rendezvous.listener();
        if listener == whom && announcement != self.0 {
            self.0 = announcement;
            tell(rendezvous.tail);
        }
    }
}

/// What lies on the desk.
pub(crate) trait Papers {
    /// The start of the next reply.
    fn head(&self) -> u32;

    /// Whether a bell was taken off the socket that was meant for the dispatcher, which will not
    /// find it now. The worker rings once for an announcement.
    fn took_bell(&mut self) -> bool;
}

/// The desk, with who is announced there.
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
    /// Says who listens from now on.
    pub(crate) fn announce<W: Word>(&mut self, rendezvous: &Rendezvous<'_, W>, listener: Listener) {
        self.listening = listener;
        rendezvous.announce(listener);
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

    /// The desk, if nobody is there.
    pub(crate) fn try_enter(&self) -> Option<MutexGuard<'_, Desk<P>>> {
        self.desk.try_lock()
    }

    /// The desk, when whoever is there is done. For the end of a worker.
    pub(crate) fn enter(&self) -> MutexGuard<'_, Desk<P>> {
        self.desk.lock()
    }

    /// The desk, if nobody is there; else whoever is there will know that there are replies.
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

    /// Leaves the desk, and further replies to the dispatcher. What comes in between is taken
    /// here, unless all is over.
    pub(crate) fn leave<'a, W: Word>(
        &'a self,
        mut desk: MutexGuard<'a, Desk<P>>,
        rendezvous: &Rendezvous<'_, W>,
        mut take: impl FnMut(&mut Desk<P>),
        is_over: impl Fn() -> bool,
    ) {
        loop {
            if desk.papers.took_bell() || desk.listening != Listener::Dispatcher {
                desk.announce(rendezvous, Listener::Dispatcher);
            }
            let head = desk.papers.head();
            drop(desk);
            // What came before the dispatcher was announced has been announced to nobody; and it
            // may have come, heard, and found the desk taken.
            if !self.was_knocked() && !rendezvous.has_replies(head) || is_over() {
                return;
            }
            // By a knock, since the one just heard is then passed on to whoever is there.
            match self.knock() {
                Some(again) => desk = again,
                None => return,
            }
            desk.announce(rendezvous, Listener::Looking);
            take(&mut desk);
        }
    }

    /// Sleeps at the desk until there is a reply, or [`rouse`](Self::rouse). `still` is asked after
    /// the thread can be woken.
    pub(crate) fn sleep<W: Word>(
        &self,
        desk: &mut Desk<P>,
        rendezvous: &Rendezvous<'_, W>,
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

    /// Has a joining thread that sleeps look again. What it is to see must be there already.
    pub(crate) fn rouse<W: Word>(&self, rendezvous: &Rendezvous<'_, W>) {
        fence(Ordering::SeqCst);
        // It sleeps on a word that only the worker may change, so a wake could come between its
        // look and its sleep: again, then, until it is awake.
        while self.asleep.load(Ordering::SeqCst) && rendezvous.tail.wake() == 0 {
            yield_now();
        }
    }
}
