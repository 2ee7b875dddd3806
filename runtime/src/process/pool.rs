//! The pool: which calls wait, which workers there are, and who gets what.
//!
//! One lock, held for a few dozen instructions and never while other people's code runs; what
//! has to be done outside of it is gathered as [`Chores`]. A call waits in the queue, claimable,
//! until a worker has room for it. Workers are started as calls find all others busy, up to the
//! number configured, and then kept. A worker that has nothing to do gets half of what lies
//! unstarted with the busiest one, so a long call holds up nobody for long.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use crate::config;
use crate::function::Function;
use crate::options::Options;
use crate::process::call::{NUMBER, Pending, sent, worker_error};
use crate::process::linux::forks;
use crate::process::linux::startup;
use crate::process::pool::link::Link;
use crate::process::pool::outbox::{Claimed, Entry, GivenUp, Slot};
use crate::stats;
use crate::sync::{Guard, Lock};

mod choice;
pub(crate) mod dispatcher;
pub(crate) mod harvest;
pub(crate) mod link;
pub(crate) mod outbox;

/// How often a call is sent again that no worker lived to run.
const RETURNS_MAX: u32 = 5;

/// The workers for one kind of function.
pub(crate) struct Pool {
    memory: Option<u64>,
    /// Each worker gets one call.
    fresh: bool,
    workers_max: usize,
    state: Lock<State>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Waiting>,
    slots: Vec<Slot>,
    /// Workers that are about to have a slot.
    starting: usize,
    /// The last one could not be started: those that are there must do, until one ends.
    no_more: bool,
}

enum Waiting {
    Queued(Arc<dyn Pending>),
    /// It was with a worker already, or nearly.
    Claimed(Box<Claimed>),
}

/// What is to be done without the lock.
#[derive(Default)]
pub(crate) struct Chores {
    list: Vec<Chore>,
    /// Another worker is wanted.
    start: bool,
}

enum Chore {
    Wake(Arc<Link>),
    Rouse(Arc<Link>),
    Kill(Arc<Link>),
    /// The call with that number has gone to an idle worker.
    StartClock(Arc<dyn Pending>, u64),
    Fail(Box<Claimed>, String),
    Drop(Box<Claimed>),
    LetGo(GivenUp),
}

impl Chores {
    fn add(&mut self, chore: Chore) {
        self.list.push(chore);
    }
}

/// The pool for a function.
pub(crate) fn pool_of(function: &Function) -> &'static Pool {
    static PLAIN: OnceLock<Pool> = OnceLock::new();
    let &Options { memory, fresh, .. } = function.options();
    if memory.is_none() && !fresh {
        return PLAIN.get_or_init(|| Pool::new(None, false));
    }
    static OTHERS: Lock<Vec<&'static Pool>> = Lock::new(Vec::new());
    let mut others = OTHERS.lock();
    if let Some(pool) = others.iter().find(|pool| pool.memory == memory && pool.fresh == fresh) {
        return pool;
    }
    // There are as many as there are limits in the program's text.
    let pool: &'static Pool = Box::leak(Box::new(Pool::new(memory, fresh)));
    others.push(pool);
    pool
}

impl Pool {
    fn new(memory: Option<u64>, fresh: bool) -> Self {
        forks::watch();
        // The cores are taken by the workers beside this one, unless somebody says otherwise.
        let nested = startup::depth() > 0 && std::env::var_os("TRINE_PROCESSES").is_none();
        let workers_max = if nested { 1 } else { config::processes() };
        Self { memory, fresh, workers_max, state: Lock::default() }
    }

    /// In bytes; 0 for none.
    pub(crate) fn memory_limit(&self) -> u64 {
        self.memory.unwrap_or(0)
    }

    fn lock(&self) -> Guard<'_, State> {
        self.state.lock()
    }

    /// Takes a call in.
    pub(crate) fn submit(&'static self, call: Arc<dyn Pending>) {
        let mut chores = Chores::default();
        let mut state = self.lock();
        state.queue.push_back(Waiting::Queued(call));
        self.hand_out(&mut state, &mut chores);
        drop(state);
        self.run(chores);
    }

    /// Does what was put off.
    fn run(&'static self, chores: Chores) {
        for chore in chores.list {
            match chore {
                Chore::Wake(link) => link.channel.wake_worker(),
                Chore::Rouse(link) => link.rouse(),
                Chore::Kill(link) => link.kill(),
                Chore::StartClock(call, number) => self.start_clock(call, number),
                Chore::Fail(claimed, why) => {
                    let error = worker_error(claimed.call.function().name(), why);
                    claimed.call.fail(error);
                }
                Chore::Drop(claimed) => drop(claimed),
                Chore::LetGo(given_up) => drop(given_up),
            }
        }
        if chores.start {
            self.ask_for_worker();
        }
    }

    /// Sets the deadline of a call that has just gone to an idle worker.
    fn start_clock(&self, call: Arc<dyn Pending>, number: u64) {
        let key_and_number = call.sent().load(std::sync::atomic::Ordering::Acquire);
        let alarm = Arc::clone(&call).start_clock();
        let mut state = self.lock();
        let entry = state.slots.iter_mut().find_map(|slot| {
            (sent(slot.link.key, number) == key_and_number).then(|| slot.entry(number)).flatten()
        });
        // If it is not there it has ended, and the alarm is dropped, without the lock.
        let left = match entry {
            Some(entry) => entry.set_alarm(alarm),
            None => alarm,
        };
        drop(state);
        drop(left);
    }

    /// Starts a worker: right here if there is none, or else beside.
    fn ask_for_worker(&'static self) {
        let mut state = self.lock();
        if !self.wants_more(&state) {
            return;
        }
        state.starting += 1;
        let nobody = state.slots.iter().all(|slot| slot.link.is_doomed());
        let first = nobody && state.starting == 1;
        drop(state);
        if first {
            self.start_worker();
        } else {
            dispatcher::start_worker(self);
        }
    }

    /// Starts a worker that was counted as `starting`.
    pub(crate) fn start_worker(&'static self) {
        let started = startup::may_spawn().and_then(|()| {
            let link = Arc::new(Link::start(self).map_err(|error| error.to_string())?);
            dispatcher::watch(&link).map_err(|error| error.to_string()).map(|()| link)
        });
        let mut chores = Chores::default();
        let mut state = self.lock();
        state.starting -= 1;
        match started {
            Ok(link) => {
                stats::worker_started();
                state.slots.push(Slot::new(link));
                self.hand_out(&mut state, &mut chores);
                // What it could take from others.
                self.share(&mut state, &mut chores);
            }
            Err(why) => {
                state.no_more = true;
                Self::fail_all(&mut state, &mut chores, &why);
            }
        }
        drop(state);
        self.run(chores);
    }

    /// Without a worker, and without one to come, nothing that waits would ever run.
    fn fail_all(state: &mut State, chores: &mut Chores, why: &str) {
        if state.slots.is_empty() && state.starting == 0 {
            while let Some(waiting) = state.queue.pop_front() {
                if let Some(claimed) = Self::claim(waiting, chores) {
                    chores.add(Chore::Fail(Box::new(claimed), why.to_owned()));
                }
            }
        }
    }

    /// The worker that a call was sent to, and whether it has nothing else to do.
    pub(crate) fn link_of(&self, place: u64) -> Option<(Arc<Link>, bool)> {
        let state = self.lock();
        let slot = state.slots.iter().find(|slot| u64::from(slot.link.key) == place >> 40)?;
        Some((Arc::clone(&slot.link), slot.pending.len() == 1))
    }

    /// Takes the entries that these replies answer, and hands out again. False if a reply is for
    /// another call than the one whose turn it is; then it and those after it have no entry.
    pub(crate) fn answered(
        &'static self,
        link: &Link,
        numbers: impl Iterator<Item = u64>,
        entries: &mut Vec<Entry>,
    ) -> bool {
        let mut chores = Chores::default();
        let mut state = self.lock();
        let Some(slot) = state.slots.iter_mut().find(|slot| slot.link.key == link.key) else {
            return false;
        };
        for number in numbers {
            let Some(entry) = slot.answered(number) else { return false };
            entries.push(entry);
        }
        let idle = slot.pending.is_empty();
        if self.fresh && idle {
            slot.link.doom();
            chores.add(Chore::Kill(Arc::clone(&slot.link)));
        } else if !state.queue.is_empty() {
            self.hand_out(&mut state, &mut chores);
        } else if idle {
            self.share(&mut state, &mut chores);
        }
        drop(state);
        self.run(chores);
        true
    }

    /// Puts back a call that its worker skipped though nobody wanted that any more.
    pub(crate) fn resubmit(&'static self, claimed: Claimed) {
        let mut chores = Chores::default();
        let mut state = self.lock();
        state.queue.push_front(Waiting::Claimed(Box::new(claimed)));
        self.hand_out(&mut state, &mut chores);
        drop(state);
        self.run(chores);
    }

    /// Ends a call that was claimed: takes it back, or kills the worker that runs it.
    pub(crate) fn recall(&'static self, place: u64, finish: impl FnOnce()) {
        let mut chores = Chores::default();
        let mut state = self.lock();
        let slots = &mut state.slots;
        if let Some(slot) = slots.iter_mut().find(|slot| u64::from(slot.link.key) == place >> 40) {
            let first = slot.first;
            let number = first + (place.wrapping_sub(first) & NUMBER);
            let runs = |slot: &Slot| slot.link.channel.running() == number * 2 + 1;
            if slot.withdraw(number) {
                // Its answer is still to come; for the books nobody waits there any more.
                chores.list.extend(slot.entry(number).map(|entry| Chore::LetGo(entry.give_up())));
            } else if slot.entry(number).is_some() && runs(slot) {
                // First what is behind it, or the kill could hit a call that has just begun.
                let behind = slot.withdraw_after(number, usize::MAX);
                if runs(slot) {
                    slot.link.doom();
                    chores.add(Chore::Kill(Arc::clone(&slot.link)));
                }
                for claimed in behind {
                    state.queue.push_front(Waiting::Claimed(Box::new(claimed)));
                }
            }
        }
        drop(state);
        finish();
        self.run(chores);
        // What was behind it, when the kill is on its way.
        let mut chores = Chores::default();
        self.hand_out(&mut self.lock(), &mut chores);
        self.run(chores);
    }

    /// Takes a dead worker out of the books: its unanswered calls, the first of which is blamed
    /// if it ran; the others go back to the queue. `started` says whether it ever served.
    pub(crate) fn bury(&'static self, link: &Arc<Link>, ran: bool, why: &str) -> Option<Entry> {
        let mut chores = Chores::default();
        let mut state = self.lock();
        let index = state.slots.iter().position(|slot| slot.link.key == link.key)?;
        stats::worker_ended();
        let mut entries = state.slots.remove(index).into_pending();
        let blamed = if ran { entries.next() } else { None };
        let served = link.channel.is_ready();
        state.no_more = !served;
        let back: Vec<_> = entries.filter_map(|mut entry| entry.reclaim(link)).collect();
        for claimed in back.into_iter().rev() {
            if (served || !state.slots.is_empty()) && claimed.returned < RETURNS_MAX {
                state.queue.push_front(Waiting::Claimed(Box::new(claimed)));
            } else {
                chores.add(Chore::Fail(Box::new(claimed), why.to_owned()));
            }
        }
        if !served {
            Self::fail_all(&mut state, &mut chores, why);
        }
        self.hand_out(&mut state, &mut chores);
        // What lay with the others while this one still counted.
        self.share(&mut state, &mut chores);
        drop(state);
        self.run(chores);
        blamed
    }
}
