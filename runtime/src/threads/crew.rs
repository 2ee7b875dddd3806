//! Who may run, who looks for work, who sleeps: the queue-and-park protocol.
//!
//! There are P *permits*. A worker runs tasks, or looks for one, only with a permit. The hot path
//! needs a single word:
//!
//! | field | meaning |
//! | --- | --- |
//! | available | permits that nobody holds; negative if more were taken than there were |
//! | searching | workers that look for work, including those being woken |
//! | returning | workers that have finished a wait and queue for a permit |
//! | lent | permits beyond P, withdrawn when the next one is given back |
//! | watched | the monitor is awake |
//!
//! No wake-up is lost, because two threads cannot both miss each other: whoever publishes work does
//! so *before* it reads the word, and whoever stops searching changes the word *before* it checks
//! the queues a last time (with a sequentially consistent fence in between, on both sides). Waking
//! is a chain: a publisher wakes one worker if none is searching, and the last searcher that finds
//! something wakes the next. So a burst of tasks costs its publisher one system call.
//!
//! This file refers to no queue and no thread, so the loom models can run it unchanged.

use std::collections::VecDeque;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering, fence};

const AVAILABLE: u64 = 1;
const ZERO: u64 = 1 << 15;
const SEARCHING: u64 = 1 << 16;
const RETURNING: u64 = 1 << 32;
const LENT: u64 = 1 << 48;
const WATCHED: u64 = 1 << 63;
const FIELD: u64 = 0xffff;

/// The maximum number of lent permits.
const MAX_LENT: u64 = 1 << 10;

/// One reading of the word.
#[derive(Clone, Copy)]
struct Reading(u64);

impl Reading {
    fn available(self) -> i64 {
        (self.0 & FIELD) as i64 - ZERO as i64
    }
    fn searching(self) -> u64 {
        (self.0 / SEARCHING) & FIELD
    }
    fn returning(self) -> u64 {
        (self.0 / RETURNING) & FIELD
    }
    fn lent(self) -> u64 {
        (self.0 & !WATCHED) / LENT
    }
    fn watched(self) -> bool {
        self.0 & WATCHED != 0
    }
    /// The word with one permit given back.
    fn given_back(self) -> u64 {
        if self.lent() > 0 { self.0 - LENT } else { self.0 + AVAILABLE }
    }
}

/// A worker, as the protocol sees it.
pub(crate) trait Member: Copy + PartialEq {
    /// Wakes this member, which has been granted a permit.
    fn wake(self);
}

/// What a thread that published work must do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Somebody will find it.
    Nothing,
    /// A permit is free and nobody searches: [`Crew::summon`].
    Summon,
    /// All permits are taken and nobody watches whether their holders run: wake the monitor.
    Watch,
}

struct Roster<M> {
    /// Workers asleep without a permit; the last to fall asleep is the first to be woken.
    asleep: Vec<M>,
    /// Workers that have finished a wait, in order of arrival.
    returning: VecDeque<M>,
    threads: usize,
    /// The maximum number of threads: the current one, and the usual one.
    limit: usize,
    usual_limit: usize,
}

/// The permits and the workers that share them.
pub(crate) struct Crew<M> {
    word: AtomicU64,
    roster: Mutex<Roster<M>>,
}

impl<M: Member> Crew<M> {
    /// A crew with `permits` permits and at most `limit` threads, but none yet.
    pub(crate) fn new(permits: usize, limit: usize) -> Self {
        let roster = Roster {
            asleep: Vec::new(),
            returning: VecDeque::new(),
            threads: 0,
            limit,
            usual_limit: limit,
        };
        Crew { word: AtomicU64::new(ZERO + permits as u64), roster: Mutex::new(roster) }
    }

    /// Call this after making work visible, followed by a sequentially consistent fence.
    #[inline]
    pub(crate) fn published(&self) -> Duty {
        let now = Reading(self.word.load(Ordering::Relaxed));
        if now.searching() > 0 {
            Duty::Nothing
        } else if now.available() > 0 {
            Duty::Summon
        } else if now.watched() {
            Duty::Nothing
        } else {
            Duty::Watch
        }
    }

    /// Gives a free permit to a sleeping worker, or to a new one from `start`. The worker begins as
    /// a searcher. Returns false if there is none and none could be made. With `eager`, it does so
    /// even if somebody is searching, because there is more work than one will do.
    pub(crate) fn summon(&self, eager: bool, start: impl FnOnce() -> bool) -> bool {
        let taken = self.update(|now| {
            let wanted = now.available() > 0 && (eager || now.searching() == 0);
            wanted.then(|| now.0 - AVAILABLE + SEARCHING)
        });
        if !taken {
            return true;
        }
        let mut roster = self.lock();
        if let Some(member) = roster.asleep.pop() {
            drop(roster);
            member.wake();
            return true;
        }
        if roster.threads < roster.limit {
            roster.threads += 1;
            drop(roster);
            if start() {
                return true;
            }
            roster = self.lock();
            roster.threads -= 1;
            if let Some(member) = roster.asleep.pop() {
                drop(roster);
                member.wake();
                return true;
            }
        }
        // Under the lock: a worker that is just falling asleep was either seen above, or will see
        // that nobody searches.
        self.word.fetch_sub(SEARCHING, Ordering::SeqCst);
        let next = self.give_back(&mut roster);
        drop(roster);
        if let Some(member) = next {
            member.wake();
        }
        false
    }

    /// Wakes a sleeper without a permit, for work that needs none, or makes a worker for it. `tell`
    /// is called before the sleeper wakes. Returns false if there is neither.
    pub(crate) fn dispatch(&self, tell: impl FnOnce(M), start: impl FnOnce() -> bool) -> bool {
        let mut roster = self.lock();
        if let Some(member) = roster.asleep.pop() {
            drop(roster);
            tell(member);
            member.wake();
            return true;
        }
        if roster.threads == roster.limit {
            return false;
        }
        roster.threads += 1;
        drop(roster);
        let started = start();
        if !started {
            self.lock().threads -= 1;
        }
        started
    }

    /// A worker with a permit starts to look for work.
    pub(crate) fn start_search(&self) {
        self.word.fetch_add(SEARCHING, Ordering::SeqCst);
    }

    /// A searcher found something. Returns whether it was the last one searching: then it must
    /// check for more work, and treat that as if it had published it.
    pub(crate) fn found(&self) -> bool {
        let before = Reading(self.word.fetch_sub(SEARCHING, Ordering::SeqCst));
        fence(Ordering::SeqCst);
        before.searching() == 1
    }

    /// A worker goes to sleep. It must check the queues once more before that, and treat what it
    /// finds as if it had published it. `with_permit`: it was searching. Returns the number of
    /// threads.
    pub(crate) fn lie_down(&self, member: M, with_permit: bool) -> usize {
        let mut roster = self.lock();
        roster.asleep.push(member);
        let threads = roster.threads;
        let mut next = None;
        if with_permit {
            self.word.fetch_sub(SEARCHING, Ordering::SeqCst);
            next = self.give_back(&mut roster);
        }
        drop(roster);
        if let Some(member) = next {
            member.wake();
        }
        fence(Ordering::SeqCst);
        threads
    }

    /// A sleeper that has slept for long ends, if it is still asleep and there are more than `keep`
    /// threads.
    pub(crate) fn discharge(&self, member: M, keep: usize) -> bool {
        let mut roster = self.lock();
        let position = roster.asleep.iter().position(|&other| other == member);
        let Some(position) = position.filter(|_| roster.threads > keep) else { return false };
        roster.asleep.remove(position);
        roster.threads -= 1;
        roster.limit = roster.limit.min(roster.usual_limit.max(roster.threads));
        true
    }

    /// Allows some more threads, until as many have ended.
    pub(crate) fn stretch(&self, by: usize, most: usize) {
        let mut roster = self.lock();
        roster.limit = (roster.threads + by).min(most).max(roster.limit);
    }

    /// The number of threads.
    pub(crate) fn threads(&self) -> usize {
        self.lock().threads
    }

    /// Gives up a permit: to the first worker that returns from a wait, or else to anybody. Returns
    /// true in the latter case; then the caller must treat queued work as if it had published it.
    pub(crate) fn release(&self) -> bool {
        let freed = self.update(|now| (now.returning() == 0).then(|| now.given_back()));
        fence(Ordering::SeqCst);
        if freed {
            return true;
        }
        let mut roster = self.lock();
        let next = self.give_back(&mut roster);
        drop(roster);
        fence(Ordering::SeqCst);
        next.inspect(|member| member.wake()).is_none()
    }

    /// Takes a permit if one is free.
    pub(crate) fn try_take(&self) -> bool {
        self.update(|now| (now.available() > 0).then(|| now.0 - AVAILABLE))
    }

    /// Takes a permit, or queues for one ahead of all new work: then it returns `false`, and
    /// `member` is woken when it has been granted one.
    pub(crate) fn take_or_queue(&self, member: M) -> bool {
        if self.try_take() {
            return true;
        }
        let mut roster = self.lock();
        let mut taken = false;
        self.update(|now| {
            taken = now.available() > 0;
            Some(if taken { now.0 - AVAILABLE } else { now.0 + RETURNING })
        });
        if !taken {
            roster.returning.push_back(member);
        }
        taken
    }

    /// Takes a permit whether or not one is free. A worker between two tasks compensates for it.
    pub(crate) fn borrow(&self) {
        self.word.fetch_sub(AVAILABLE, Ordering::SeqCst);
    }

    /// Makes a permit beyond P.
    pub(crate) fn lend(&self) {
        self.update(|now| (now.lent() < MAX_LENT).then(|| now.0 + LENT + AVAILABLE));
        fence(Ordering::SeqCst);
    }

    /// Leaves the queue for permits. Returns false if `member` has been granted one meanwhile.
    pub(crate) fn leave_queue(&self, member: M) -> bool {
        let mut roster = self.lock();
        let position = roster.returning.iter().position(|&other| other == member);
        let Some(position) = position else { return false };
        roster.returning.remove(position);
        self.word.fetch_sub(RETURNING, Ordering::SeqCst);
        true
    }

    /// Whether a worker between two tasks should give up its permit: somebody has returned from a
    /// wait, or too many permits are taken.
    #[inline]
    pub(crate) fn is_overdrawn(&self) -> bool {
        let now = Reading(self.word.load(Ordering::Relaxed));
        now.returning() > 0 || now.available() < 0 || now.lent() > 0
    }

    /// Whether a permit is free.
    pub(crate) fn has_idle(&self) -> bool {
        Reading(self.word.load(Ordering::SeqCst)).available() > 0
    }

    /// Whether somebody queues for a permit.
    pub(crate) fn has_returning(&self) -> bool {
        Reading(self.word.load(Ordering::SeqCst)).returning() > 0
    }

    /// Marks the monitor as awake. Returns true if it was not; then the caller wakes it.
    pub(crate) fn watch(&self) -> bool {
        !Reading(self.word.fetch_or(WATCHED, Ordering::SeqCst)).watched()
    }

    /// Marks the monitor as asleep; it checks once more whether it is needed before it sleeps.
    pub(crate) fn unwatch(&self) {
        self.word.fetch_and(!WATCHED, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    fn lock(&self) -> impl std::ops::DerefMut<Target = Roster<M>> {
        self.roster.lock()
    }

    /// Passes a permit on, under the lock: to the first that returns, if any.
    fn give_back(&self, roster: &mut Roster<M>) -> Option<M> {
        let next = roster.returning.pop_front();
        match next {
            Some(_) => {
                self.word.fetch_sub(RETURNING, Ordering::SeqCst);
            }
            None => {
                self.update(|now| Some(now.given_back()));
            }
        }
        next
    }

    fn update(&self, mut change: impl FnMut(Reading) -> Option<u64>) -> bool {
        let mut now = self.word.load(Ordering::SeqCst);
        while let Some(next) = change(Reading(now)) {
            let swapped = self.word.compare_exchange(now, next, Ordering::SeqCst, Ordering::SeqCst);
            match swapped {
                Ok(_) => return true,
                Err(actual) => now = actual,
            }
        }
        false
    }
}
