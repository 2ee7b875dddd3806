//! Who polls the bodies of calls: tokio's tasks, each of which runs one call after the other.
//!
//! A tokio task for each call would cost more than most calls do. So a call enters a line of its
//! runtime, and a *host*, a tokio task that stays, takes the call that is first by then: it polls
//! the body, with its own waker and budget, and once that has ended, takes the next. A body that
//! has to wait keeps its host until its end, and another host goes on with the line. So a body that
//! waits is a tokio task, as if it had one of its own; it may block, or call `block_in_place`.
//!
//! No call waits for a body that keeps its thread while another thread of the runtime is free:
//! while there are calls in line, a host is *ready*, that is, where any thread takes it from. A
//! task that a thread of tokio makes ready comes into a slot of that thread, from which no other
//! takes it, until the next one is made ready there. So such a host does not count.
//!
//! Each thread of a runtime has its own line, so that they do not wait for each other. Once a
//! function with a priority has been called, all use the first, where the order is that of
//! `priority.rs`.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use ::tokio::runtime::{Handle, Id, worker_index};
use ::tokio::task::coop;

use super::running::{Running, Runs};
use crate::function::Function;
use crate::options::Priority;
use crate::panic::{drop_quietly, quietly};
use crate::sync::Lock;
use crate::tokio;

/// How many calls a host begins before it is another task's turn.
const AT_ONCE: usize = 16;
/// How many hosts of a line stay when there is nothing to do.
const MAX_IDLE: usize = 256;

/// Whether any function has a priority, as far as is known.
static IS_RANKED: AtomicBool = AtomicBool::new(false);

/// Those of each runtime on which there are calls.
static ALL: Lock<Vec<Arc<Hosts>>> = Lock::new(Vec::new());

thread_local! {
    /// Those that were used here last.
    static LATEST: RefCell<Option<Arc<Hosts>>> = const { RefCell::new(None) };
}

/// Has a call run on this runtime.
pub(super) fn run(runtime: &Handle, function: &Function, call: Arc<dyn Runs>) {
    let priority = function.options().priority;
    if priority != Priority::Usual {
        IS_RANKED.store(true, Ordering::Relaxed);
    }
    let mut call = Some(call);
    let next = LATEST.try_with(|latest| match &*latest.borrow() {
        Some(hosts) if hosts.id == runtime.id() => hosts.enter(priority, &mut call),
        _ => None,
    });
    let next = next.ok().flatten();
    next.unwrap_or_else(|| enter_anew(runtime, priority, &mut call)).go(runtime);
}

/// Finds the hosts of this runtime, or those that it gets now.
#[cold]
fn enter_anew(runtime: &Handle, priority: Priority, call: &mut Option<Arc<dyn Runs>>) -> Next {
    loop {
        let hosts = Hosts::of(runtime);
        let earlier = LATEST.try_with(|latest| latest.replace(Some(Arc::clone(&hosts))));
        drop(earlier);
        if let Some(next) = hosts.enter(priority, call) {
            return next;
        }
    }
}

/// The hosts of a runtime.
struct Hosts {
    id: Id,
    /// How many threads it has.
    threads: usize,
    /// Whether a thread may be taken over by another while it blocks.
    is_multi_thread: bool,
    is_closed: AtomicBool,
    /// That of threads elsewhere, and one for each thread of the runtime.
    lines: Box<[Lock<Line>]>,
}

/// The calls that wait, and the hosts that do.
#[derive(Default)]
struct Line {
    /// Those of high priority, usual ones, and those of low priority.
    calls: [VecDeque<Arc<dyn Runs>>; 3],
    idle: Vec<Arc<Pager>>,
    /// So many hosts are ready.
    ready: usize,
    /// The one that came into the slot of a thread last, and that thread.
    in_slot: Option<(usize, u64)>,
    /// How many hosts it has had.
    hosts: u64,
    /// The runtime ends.
    is_closed: bool,
}

/// What an idle host is woken by.
struct Pager {
    host: u64,
    waker: Waker,
    /// Whether it is with the idle ones; changes under the lock of its line.
    is_idle: AtomicBool,
}

impl Pager {
    fn new(host: u64, waker: &Waker) -> Arc<Self> {
        Arc::new(Self { host, waker: waker.clone(), is_idle: AtomicBool::new(false) })
    }
}

impl Line {
    fn push(&mut self, priority: Priority, call: Arc<dyn Runs>) {
        let rank = match priority {
            Priority::High => 0,
            Priority::Usual => 1,
            Priority::Low => 2,
        };
        self.calls[rank].push_back(call);
    }

    fn pop(&mut self) -> Option<Arc<dyn Runs>> {
        self.calls.iter_mut().find_map(VecDeque::pop_front)
    }

    fn len(&self) -> usize {
        self.calls.iter().map(VecDeque::len).sum()
    }

    /// How many hosts would find something to do.
    fn wanted(&self, hosts: &Hosts) -> usize {
        self.len().min(hosts.threads)
    }

    /// Has one more host come, which `thread` makes ready.
    fn call_up(&mut self, hosts: &Arc<Hosts>, at: usize, thread: Option<usize>) -> Next {
        let (next, host) = match self.idle.pop() {
            Some(pager) => {
                pager.is_idle.store(false, Ordering::Relaxed);
                let host = pager.host;
                (Next::Idle(pager), host)
            }
            None => {
                self.hosts += 1;
                (Next::New(Arc::clone(hosts), at, self.hosts), self.hosts)
            }
        };
        match thread {
            None => self.ready += 1,
            Some(thread) => {
                let earlier = self.in_slot.replace((thread, host));
                self.ready += usize::from(earlier.is_some_and(|earlier| earlier.0 == thread));
            }
        }
        next
    }

    /// This one has come.
    fn arrive(&mut self, host: u64) {
        if self.in_slot.is_some_and(|in_slot| in_slot.1 == host) {
            self.in_slot = None;
        } else {
            self.ready = self.ready.saturating_sub(1);
        }
    }
}

/// The host that is to be made ready.
enum Next {
    None,
    Idle(Arc<Pager>),
    New(Arc<Hosts>, usize, u64),
}

impl Next {
    /// On the runtime of this very task.
    fn go_on(self) {
        match self {
            Self::New(..) => self.go(&Handle::current()),
            Self::Idle(pager) => pager.waker.wake_by_ref(),
            Self::None => {}
        }
    }

    /// Not while the line is locked.
    fn go(self, runtime: &Handle) {
        match self {
            Self::None => {}
            Self::Idle(pager) => pager.waker.wake_by_ref(),
            Self::New(hosts, at, host) => drop(runtime.spawn(Host::new(hosts, at, host))),
        }
    }
}

impl Hosts {
    fn of(runtime: &Handle) -> Arc<Self> {
        let id = runtime.id();
        let mut all = ALL.lock();
        if let Some(hosts) = all.iter().find(|hosts| hosts.id == id) {
            return Arc::clone(hosts);
        }
        let threads = runtime.metrics().num_workers();
        let is_multi_thread = tokio::is_multi_thread(runtime);
        let lines = (0..=threads).map(|_| Lock::default()).collect();
        let is_closed = AtomicBool::new(false);
        let hosts = Arc::new(Self { id, threads, is_multi_thread, is_closed, lines });
        all.push(Arc::clone(&hosts));
        hosts
    }

    /// Puts the call in line, unless the runtime ends.
    fn enter(
        self: &Arc<Self>,
        priority: Priority,
        call: &mut Option<Arc<dyn Runs>>,
    ) -> Option<Next> {
        let thread = worker_index();
        let is_ranked = IS_RANKED.load(Ordering::Relaxed);
        let at = thread.filter(|_| !is_ranked).map_or(0, |thread| 1 + thread % self.threads);
        let mut line = self.lines[at].lock();
        if line.is_closed {
            return None;
        }
        line.push(priority, call.take()?);
        let is_wanted = line.ready < line.wanted(self);
        Some(if is_wanted { line.call_up(self, at, thread) } else { Next::None })
    }

    /// The runtime ends, and all calls in line with it.
    fn close(&self) {
        if self.is_closed.swap(true, Ordering::Relaxed) {
            return;
        }
        ALL.lock().retain(|hosts| hosts.id != self.id);
        for line in &self.lines {
            let closed = Line { is_closed: true, ..Line::default() };
            let mut line = std::mem::replace(&mut *line.lock(), closed);
            while let Some(call) = line.pop() {
                quietly(|| call.give_up());
                drop_quietly(call);
            }
        }
    }
}

/// A tokio task that runs calls.
struct Host {
    hosts: Arc<Hosts>,
    at: usize,
    number: u64,
    running: Option<Running>,
    pager: Option<Arc<Pager>>,
    /// Whether it ends because there are enough.
    is_over: bool,
}

impl Host {
    fn new(hosts: Arc<Hosts>, at: usize, number: u64) -> Self {
        Self { hosts, at, number, running: None, pager: None, is_over: false }
    }

    /// Takes the first call. If there is none, it is idle from now on, or over.
    fn take(&mut self, arrives: bool, context: &Context<'_>) -> Option<Arc<dyn Runs>> {
        let mut line = self.hosts.lines[self.at].lock();
        if arrives {
            line.arrive(self.number);
        }
        let Some(call) = line.pop() else {
            self.is_over = !line.is_closed && line.idle.len() >= MAX_IDLE;
            if !line.is_closed && !self.is_over {
                let new = || Pager::new(self.number, context.waker());
                let pager = self.pager.get_or_insert_with(new);
                pager.is_idle.store(true, Ordering::Relaxed);
                line.idle.push(Arc::clone(pager));
            }
            return None;
        };
        // The body may keep this thread, and with it what is in its slot: the second one pushes the
        // first one out of there.
        let mut next = [Next::None, Next::None];
        if self.hosts.is_multi_thread && line.ready == 0 && line.len() > 0 {
            for next in &mut next {
                if line.ready == 0 {
                    *next = line.call_up(&self.hosts, self.at, worker_index());
                }
            }
        }
        drop(line);
        next.into_iter().for_each(Next::go_on);
        Some(call)
    }

    /// Polls the body of its call, and lets that go if it has ended.
    #[inline]
    fn poll_body(&mut self, call: Option<Arc<dyn Runs>>, context: &mut Context<'_>) -> Poll<()> {
        let running = &mut self.running;
        let polled = quietly(|| {
            if let Some(call) = call {
                *running = call.claim();
            }
            let polled = running.as_mut().map_or(Poll::Ready(()), |it| it.poll(context));
            if polled.is_ready() {
                *running = None;
            }
            polled
        });
        polled.unwrap_or_else(|| {
            // Something of the body panicked beside it.
            quietly(|| *running = None);
            Poll::Ready(())
        })
    }

    /// Its call waits: another one goes on with the line.
    fn hand_over(&self) {
        let mut line = self.hosts.lines[self.at].lock();
        let thread = worker_index();
        // What is in the slot of this thread has its turn now.
        let comes = line.in_slot.is_some_and(|in_slot| Some(in_slot.0) == thread);
        if line.ready + usize::from(comes) < line.wanted(&self.hosts) {
            let next = line.call_up(&self.hosts, self.at, thread);
            drop(line);
            next.go_on();
        }
    }

    /// Lets other tasks have their turn.
    fn pause(&self, context: &Context<'_>) {
        self.hosts.lines[self.at].lock().ready += 1;
        context.waker().wake_by_ref();
    }
}

impl Future for Host {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut arrives = self.running.is_none();
        if arrives {
            // By a waker of an earlier body.
            let is_idle = |pager: &Arc<Pager>| pager.is_idle.load(Ordering::Relaxed);
            if self.pager.as_ref().is_some_and(is_idle) {
                return Poll::Pending;
            }
        } else if self.poll_body(None, context).is_pending() {
            return Poll::Pending;
        }
        for _ in 0..AT_ONCE {
            let Some(call) = self.take(arrives, context) else {
                return if self.is_over { Poll::Ready(()) } else { Poll::Pending };
            };
            arrives = false;
            if self.poll_body(Some(call), context).is_pending() {
                self.hand_over();
                return Poll::Pending;
            }
            if !coop::has_budget_remaining() {
                break;
            }
        }
        self.pause(context);
        Poll::Pending
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if !self.is_over {
            // tokio drops a task that has not ended if its runtime ends.
            self.hosts.close();
            quietly(|| self.running = None);
        }
    }
}
