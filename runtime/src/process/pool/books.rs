//! The books: which calls wait, which workers there are, and what happens to both.
//!
//! One lock, held for a few dozen instructions and never while foreign code runs; work to do
//! outside of it is collected as [`Chores`]. A call waits in the queue, claimable, until a worker
//! has room for it. Workers are started when calls find all others busy, up to the configured
//! number, and then kept. An idle worker gets half of the unstarted requests of the busiest one, so
//! a long call does not delay others for long.

use std::sync::Arc;

use super::dispatcher;
use super::link::Link;
use super::outbox::{Answer, Brought, Outbox};
use super::queue::{Queue, Waiting};
use super::request::Request;
use super::residence::Part;
use super::waits::Waits;
use crate::panic::drop_quietly;
use crate::process::address::{Address, WorkerKey};
use crate::process::job::{AnyCall, worker_error};
use crate::process::platform::{self, Identity};
use crate::sync::{Guard, Lock};
use crate::{observe, relay, wait};

/// The workers for one kind of function.
pub(crate) struct Pool {
    pub(super) memory: Option<u64>,
    /// Each worker gets one call.
    pub(super) fresh: bool,
    /// What its calls may wait for. If they may, each has a worker to itself. There are as many
    /// workers as there are streams at a time; where calls wait for ends, as many as there are
    /// cores beside those that wait.
    pub(super) waits: Waits,
    /// The name that its functions give it, if they do.
    pub(super) name: Option<&'static str>,
    pub(super) workers_max: usize,
    /// Each worker keeps one value and gets the calls of that, see `residents`. There are as many
    /// workers as there are values.
    pub(super) keeps: bool,
    state: Lock<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) queue: Queue,
    /// How many calls have gone to workers before the first one of the queue.
    pub(super) overtaken: usize,
    pub(super) outboxes: Vec<Outbox>,
    /// Workers that are being started in this era and have no outbox yet.
    pub(super) starting: usize,
    /// How often the rights of whoever calls have changed.
    pub(super) era: u32,
    /// The rights of whoever called last, and of the workers that may get calls.
    pub(super) identity: Option<Identity>,
    /// The last one could not be started: the existing ones must do, until one ends.
    pub(super) no_more: bool,
}

/// Work to do without the lock.
#[derive(Default)]
pub(super) struct Chores {
    list: Vec<Chore>,
    /// Another worker is wanted.
    pub(super) start: bool,
    /// It is the only one, so it is started right here.
    is_first: bool,
    /// The era in which those are counted that are to be started.
    era: u32,
    /// Another worker is wanted that was counted as `starting`.
    pub(super) replace: bool,
    /// There is something to do for workers.
    pub(super) attend: bool,
}

pub(super) enum Chore {
    Wake(Arc<Link>),
    Rouse(Arc<Link>),
    Kill(Arc<Link>),
    Condemn(Arc<Link>, &'static str),
    /// The call with this number has gone to an idle worker.
    StartClock(Arc<dyn AnyCall>, u64),
    Fail(Box<Request>, String),
    /// It goes back to the line before its worker with state.
    Displace(Box<Request>),
    /// Its destructors may run foreign code.
    Drop(Box<Request>),
}

impl Chores {
    pub(super) fn add(&mut self, chore: Chore) {
        self.list.push(chore);
    }
}

impl State {
    pub(super) fn outbox(&mut self, key: WorkerKey) -> Option<&mut Outbox> {
        self.outboxes.iter_mut().find(|outbox| outbox.link.key == key)
    }

    /// Puts requests back at the front of the queue, the last first.
    pub(super) fn put_back(&mut self, requests: Vec<Request>) {
        for request in requests {
            self.queue.push_front(Waiting::Request(Box::new(request)));
        }
    }

    /// Without a worker now or later, nothing that waits would ever run.
    fn fail_all(&mut self, chores: &mut Chores, why: &str) {
        // One that is retired takes none, and may be busy for long.
        let is_served = self.outboxes.iter().any(|outbox| !outbox.link.is_retired());
        if !is_served && self.starting == 0 {
            while let Some(waiting) = self.queue.remove(0) {
                if let Some(request) = Pool::claim(waiting, chores) {
                    chores.add(Chore::Fail(Box::new(request), why.to_owned()));
                }
            }
        }
    }
}

impl Pool {
    pub(super) fn new(
        memory: Option<u64>,
        fresh: bool,
        waits: Waits,
        name: Option<&'static str>,
        workers_max: usize,
    ) -> Self {
        platform::watch_forks();
        let (keeps, state) = (false, Lock::default());
        Self { memory, fresh, waits, name, workers_max, keeps, state }
    }

    /// A pool for workers with state.
    pub(super) fn keeping(memory: Option<u64>) -> Self {
        Self { keeps: true, ..Self::new(memory, false, Waits::Never, None, usize::MAX) }
    }

    pub(super) fn lock(&self) -> Guard<'_, State> {
        wait::attempt(|| self.state.try_lock()).unwrap_or_else(|| self.state.lock())
    }

    /// Changes the books, and then does what follows; a subscriber may block, or come here again.
    pub(super) fn change<R>(&'static self, change: impl FnOnce(&mut State, &mut Chores) -> R) -> R {
        let mut chores = Chores::default();
        let (result, untold) = observe::untold(|| {
            let mut state = self.lock();
            let result = change(&mut state, &mut chores);
            self.count_start(&mut state, &mut chores);
            result
        });
        self.run(chores);
        untold.tell();
        result
    }

    /// Accepts a call.
    pub(crate) fn submit(&'static self, call: Arc<dyn AnyCall>) {
        // A call of a worker with state was made earlier, maybe by another thread.
        let is_made_now = !self.keeps || call.stay().is_none_or(|(_, part)| part == Part::Makes);
        let identity = is_made_now.then(Identity::current);
        let shells = self.change(|state, chores| {
            if let Some(identity) = identity {
                self.allow_only(state, identity, chores);
            }
            self.place(state, call, chores)
        });
        drop_quietly(shells);
    }

    /// Does the deferred work.
    pub(super) fn run(&'static self, chores: Chores) {
        if !chores.list.is_empty() {
            self.run_all(chores.list);
        }
        if chores.start && chores.is_first {
            self.start_counted_worker(chores.era);
        } else if chores.start {
            dispatcher::start_worker(self, chores.era);
        }
        if chores.replace {
            dispatcher::start_worker(self, chores.era);
        }
        if chores.attend {
            dispatcher::attend();
        }
    }

    fn run_all(&'static self, chores: Vec<Chore>) {
        for chore in chores {
            match chore {
                Chore::Wake(link) => link.channel.wake_worker(),
                Chore::Rouse(link) => link.rouse(),
                Chore::Kill(link) => link.kill(),
                Chore::Condemn(link, why) => link.condemn(why.to_owned()),
                Chore::StartClock(call, number) => self.start_clock(call, number),
                Chore::Fail(request, why) => {
                    let error = worker_error(request.call.function().name(), why);
                    // Of any caller, on the thread of another.
                    relay::as_bystander(|| request.call.fail(error));
                }
                Chore::Displace(request) => self.displace(*request),
                Chore::Drop(request) => drop(request),
            }
        }
    }

    /// Starts the deadline of a call that has just gone to an idle worker.
    fn start_clock(&self, call: Arc<dyn AnyCall>, number: u64) {
        let (address, alarm) = (call.address().load(), Arc::clone(&call).start_clock());
        let mut state = self.lock();
        let request = state
            .outbox(address.worker())
            .filter(|outbox| Address::new(outbox.link.key, number) == address)
            .and_then(|outbox| outbox.sent(number)?.request.as_mut());
        // If the call is gone it has ended, and the alarm is dropped without the lock.
        let left = match request {
            Some(request) => request.set_alarm(alarm),
            None => alarm,
        };
        drop(state);
        drop(left);
    }

    /// Counts the worker that is wanted, before anybody else sees that it is.
    fn count_start(&self, state: &mut State, chores: &mut Chores) {
        chores.era = state.era;
        chores.start = chores.start && self.wants_more(state);
        if chores.start {
            state.starting += 1;
            let nobody = state.outboxes.iter().all(|outbox| outbox.link.is_retired());
            chores.is_first = nobody && state.starting == 1;
        }
    }

    /// Starts all workers that there may be.
    pub(super) fn start_all(&'static self) {
        if platform::is_forked_child() {
            return;
        }
        let mut state = self.lock();
        let mut missing = 0;
        while self.wants_more(&state) {
            state.starting += 1;
            missing += 1;
        }
        let era = state.era;
        drop(state);
        (0..missing).for_each(|_| dispatcher::start_worker(self, era));
    }

    /// Starts a worker that was counted as `starting` in that era.
    pub(super) fn start_counted_worker(&'static self, era: u32) {
        let started = platform::may_start_workers().and_then(|()| {
            let link = Link::start(self.memory.unwrap_or(0)).map_err(|error| error.to_string())?;
            let link = Arc::new(link);
            match dispatcher::watch(&link, self) {
                Ok(()) => Ok(link),
                Err(error) => {
                    // Nobody else would hear of its end.
                    link.reap();
                    Err(error.to_string())
                }
            }
        });
        if let Ok(link) = &started {
            observe::worker_started(link.process.id());
        }
        self.note_start(started, era);
    }

    /// Enters a worker that has been started into the books, or that it could not be.
    pub(super) fn note_start(&'static self, started: Result<Arc<Link>, String>, era: u32) {
        self.change(|state, chores| {
            let started = started.and_then(|link| state.check_rights(link, era, chores));
            let started = started.and_then(Link::unless_struck_out);
            if state.era != era {
                return;
            }
            state.starting -= 1;
            match started {
                Ok(link) => {
                    let mut outbox = Outbox::new(link);
                    state.settle(&mut outbox);
                    state.outboxes.push(outbox);
                    self.hand_out(state, chores);
                    // What it could take from others.
                    self.share(state, chores);
                }
                Err(why) if self.keeps => state.fail_maker(chores, &why),
                Err(why) => {
                    state.keep_old();
                    state.no_more = true;
                    state.fail_all(chores, &why);
                }
            }
        });
    }

    /// The worker that a call was sent to, and whether that is its only call.
    pub(super) fn link_of(&self, address: Address) -> Option<(Arc<Link>, bool)> {
        if platform::is_forked_child() {
            // The worker is its parent's, and their shared memory is not mapped here.
            return None;
        }
        let mut state = self.lock();
        let outbox = state.outbox(address.worker())?;
        Some((Arc::clone(&outbox.link), outbox.unanswered.len() == 1))
    }

    /// Removes the calls that these replies answer, and hands out more. Returns false if a reply is
    /// for another call than the next one; then it and all later ones have no answer.
    pub(super) fn answered(&'static self, link: &Link, replies: &mut [Brought]) -> bool {
        self.change(|state, chores| {
            let is_crowded = state.outboxes.len() > self.workers_max;
            let Some(outbox) = state.outbox(link.key) else { return false };
            let mut has_to_go = false;
            for reply in replies {
                if reply.is_item {
                    let Some(call) = outbox.yielded(reply.number) else { return false };
                    reply.answer = Some(Answer::Item(call));
                    continue;
                }
                let Some(request) = outbox.answered(reply.number) else { return false };
                if self.keeps
                    && let Some((residence, _)) = request.as_ref().and_then(|sent| sent.call.stay())
                {
                    residence.count(reply.is_grown);
                }
                has_to_go |= outbox.has_to_go(request.as_ref(), reply.is_grown);
                reply.answer = Some(Answer::Whole(request));
            }
            let idle = outbox.unanswered.is_empty();
            let is_spare = self.waits != Waits::Never && is_crowded;
            if idle && (self.fresh || is_spare || outbox.link.is_retired()) {
                outbox.link.doom();
                chores.add(Chore::Kill(Arc::clone(&outbox.link)));
            } else if has_to_go && !self.keeps {
                state.renew(link, chores);
            }
            if !state.queue.is_empty() {
                self.hand_out(state, chores);
            } else if idle {
                self.share(state, chores);
            }
            true
        })
    }

    /// Puts back a call that its worker skipped although somebody wants it.
    pub(super) fn resubmit(&'static self, mut request: Request) {
        request.come_back();
        self.change(|state, chores| {
            if request.is_shut_out() || request.suspect() {
                state.put_back(vec![request]);
            } else {
                let why = "its workers took it but did not run it".to_owned();
                chores.add(Chore::Fail(Box::new(request), why));
            }
            self.hand_out(state, chores);
        });
    }

    /// Removes a dead worker from the books. Its unanswered calls go back to the queue, or fail if
    /// it never served, except for those that had begun: they are returned to be blamed, and never
    /// run again.
    pub(super) fn strike_out(&'static self, link: &Arc<Link>, why: &str) -> Vec<Request> {
        self.change(|state, chores| {
            link.strike_out();
            let is_it = |outbox: &Outbox| outbox.link.key == link.key;
            let Some(index) = state.outboxes.iter().position(is_it) else { return Vec::new() };
            let outbox = state.outboxes.remove(index);
            let served = link.has_served();
            let begun = if served { outbox.begun() } else { 0 };
            let mut requests = outbox.unanswered.into_iter().map(|sent| sent.request);
            let blamed = requests.by_ref().take(begun).flatten().collect();
            state.no_more = !served;
            if !served {
                state.keep_old();
            }
            let mut back: Vec<_> = requests.flatten().collect();
            back.iter().for_each(Request::come_back);
            let may_go_on = served || !self.keeps && !state.outboxes.is_empty();
            let is_suspect = begun == 0 && back.first_mut().is_some_and(|next| !next.suspect());
            let failing = if may_go_on { usize::from(is_suspect) } else { back.len() };
            for request in back.drain(..failing) {
                chores.add(Chore::Fail(Box::new(request), why.to_owned()));
            }
            back.reverse();
            state.put_back(back);
            if !served && !self.keeps {
                state.fail_all(chores, why);
            }
            self.hand_out(state, chores);
            // Hand out what waited because this worker still counted.
            self.share(state, chores);
            blamed
        })
    }
}
