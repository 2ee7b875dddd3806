//! The one thread beside the workers: it hears of replies that nobody joins and of deaths, and has
//! the owners of the workers see to them.
//!
//! It sleeps until a worker rings, a process ends or an owner wants another worker. Where replies
//! come in numbers it looks again after a moment instead of having itself woken for each, as
//! network drivers do; with a reply now and then it is woken at once. As long as a worker has
//! something to do, it also looks now and then whether the worker does it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::aside;
use super::link::Link;
use crate::process::channel::Listener;
use crate::process::job::WorkerKey;
use crate::process::platform::{Event, Watcher};
use crate::relay;
use crate::sync::{Guard, Lock};

/// How long a process may take to become a worker.
const START_MAX: Duration = Duration::from_secs(10);
/// How long the end of a process may take from the closing of its files on.
const LAST_MOMENT: Duration = Duration::from_millis(100);
const NAP: Duration = Duration::from_micros(100);
/// How often it looks whether workers that have something to do are doing it.
const ROUND: Duration = Duration::from_secs(1);

/// Whose workers are watched.
pub(crate) trait Owner: Sync {
    /// Starts a worker that was counted as about to start.
    fn start_worker(&'static self);
    /// Takes a worker's replies, if nobody else does. True if there were so many that it is better
    /// to come back soon than to be called.
    fn take_replies(&'static self, link: &Arc<Link>) -> bool;
    /// Looks whether the worker does what it has to do; called once each second while it has.
    fn look_after(&'static self, link: &Arc<Link>);
    /// Ends what is left of a worker that has died or is to.
    fn bury(&'static self, link: &Arc<Link>);
}

type Watched = (Arc<Link>, &'static dyn Owner);

struct Dispatcher {
    watcher: Watcher,
    register: Lock<Register>,
    /// It will look after the workers within a second.
    attends: AtomicBool,
}

#[derive(Default)]
struct Register {
    watched: HashMap<WorkerKey, Watched>,
    /// Those that have not yet begun to serve, and until when they may take.
    starting: Vec<(Arc<Link>, Instant)>,
    wanted: Vec<&'static dyn Owner>,
}

/// Watches a new worker, from before its first call.
pub(crate) fn watch(link: &Arc<Link>, owner: &'static dyn Owner) -> io::Result<()> {
    let dispatcher = dispatcher()?;
    let mut register = dispatcher.register();
    register.watched.insert(link.key, (Arc::clone(link), owner));
    register.starting.push((Arc::clone(link), Instant::now() + START_MAX));
    drop(register);
    dispatcher.watcher.add(link.key.0, &link.process, &link.socket)?;
    dispatcher.watcher.wake();
    link.announce(&mut link.desk(), Listener::Dispatcher);
    Ok(())
}

/// Has another worker started for an owner that has counted it already.
pub(crate) fn start_worker(owner: &'static dyn Owner) {
    match dispatcher() {
        Ok(dispatcher) => {
            dispatcher.register().wanted.push(owner);
            dispatcher.watcher.wake();
        }
        // Which it will not be able to, and say why.
        Err(_) => owner.start_worker(),
    }
}

/// Has the workers looked after, now that there is something for them to do.
pub(crate) fn attend() {
    if let Ok(dispatcher) = dispatcher()
        && !dispatcher.attends.load(Ordering::Relaxed)
        && !dispatcher.attends.swap(true, Ordering::AcqRel)
    {
        dispatcher.watcher.wake();
    }
}

fn dispatcher() -> io::Result<&'static Dispatcher> {
    static DISPATCHER: OnceLock<Result<Dispatcher, String>> = OnceLock::new();
    let made = DISPATCHER.get_or_init(|| Dispatcher::new().map_err(|error| error.to_string()));
    static RUNS: OnceLock<Result<(), String>> = OnceLock::new();
    let dispatcher = made.as_ref().map_err(|error| io::Error::other(error.clone()))?;
    let runs = RUNS.get_or_init(|| {
        let thread = thread::Builder::new().name("trine-process".into());
        thread
            .spawn(|| relay::hold(|| dispatcher.run()))
            .map(drop)
            .map_err(|error| error.to_string())
    });
    runs.as_ref().map_err(|error| io::Error::other(error.clone()))?;
    Ok(dispatcher)
}

impl Dispatcher {
    fn new() -> io::Result<Self> {
        let watcher = Watcher::new()?;
        Ok(Self { watcher, register: Lock::default(), attends: AtomicBool::new(false) })
    }

    fn register(&self) -> Guard<'_, Register> {
        self.register.lock()
    }

    fn run(&self) {
        let mut events = Vec::with_capacity(32);
        let mut busy: Vec<Watched> = Vec::new();
        let mut next_round = None;
        let mut begun = 0;
        loop {
            events.clear();
            // Other people's code is not for this thread, which holds all such steps.
            aside::take(relay::drain());
            let aside = aside::look_after(&mut begun);
            if busy.is_empty() {
                let timeout = [aside, self.see_to_starts(), self.go_round(&mut next_round)];
                self.watcher.wait(&mut events, timeout.into_iter().flatten().min());
            } else {
                thread::sleep(NAP);
                self.see_to_starts();
                self.go_round(&mut next_round);
                self.watcher.wait(&mut events, Some(Duration::ZERO));
            }
            let mut turns: Vec<_> = busy.drain(..).map(|watched| (watched, false)).collect();
            for &Event { key, hung_up } in &events {
                // What is not found any more was buried.
                let Some(watched) = self.find(WorkerKey(key)) else { continue };
                match turns.iter_mut().find(|((link, _), _)| link.key == watched.0.key) {
                    Some((_, known)) => *known |= hung_up,
                    None => turns.push((watched, hung_up)),
                }
            }
            for (watched, hung_up) in turns {
                if self.serve(&watched, hung_up) {
                    busy.push(watched);
                }
            }
        }
    }

    fn find(&self, key: WorkerKey) -> Option<Watched> {
        self.register().watched.get(&key).cloned()
    }

    /// Starts wanted workers and ends those that do not become any; returns when to look again.
    fn see_to_starts(&self) -> Option<Duration> {
        let mut register = self.register();
        let wanted = std::mem::take(&mut register.wanted);
        register.starting.retain(|(link, _)| !link.has_served() && !link.is_doomed());
        let now = Instant::now();
        let late = register.starting.extract_if(.., |(_, until)| *until <= now);
        let late: Vec<_> = late.map(|(link, _)| link).collect();
        let next = register.starting.iter().map(|(_, until)| until.duration_since(now)).min();
        drop(register);
        for link in late {
            link.condemn(format!("the worker did not start within {START_MAX:?}"));
        }
        if wanted.is_empty() {
            return next;
        }
        for owner in wanted {
            owner.start_worker();
        }
        // They are in the register now.
        Some(Duration::ZERO)
    }

    /// Has those looked after that have something to do, if it is time; returns when it is again.
    fn go_round(&self, next: &mut Option<Instant>) -> Option<Duration> {
        let now = Instant::now();
        if let Some(next) = next.filter(|next| *next > now) {
            return Some(next.duration_since(now));
        }
        // Whoever sends something from here on asks again.
        self.attends.store(false, Ordering::SeqCst);
        std::sync::atomic::fence(Ordering::SeqCst);
        let mut busy: Vec<_> = self.register().watched.values().cloned().collect();
        busy.retain(|(link, _)| link.unanswered.load(Ordering::Relaxed) > 0);
        if busy.is_empty() {
            *next = None;
            return None;
        }
        self.attends.store(true, Ordering::Relaxed);
        busy.iter().for_each(|(link, owner)| owner.look_after(link));
        *next = Some(now + ROUND);
        Some(ROUND)
    }

    /// Has a worker's replies taken, or buries it. True if it is to be served again soon.
    fn serve(&self, watched: &Watched, hung_up: bool) -> bool {
        let (link, owner) = watched;
        // A process that ends closes its files a moment before it is dead.
        let ended = link.process.has_ended(if hung_up { LAST_MOMENT } else { Duration::ZERO });
        if hung_up && !ended {
            link.condemn("its worker closed the socket to its parent".into());
        }
        let is_over = hung_up || ended || link.is_doomed();
        let soon = !is_over && owner.take_replies(link);
        if is_over || link.is_doomed() {
            owner.bury(link);
            self.forget(link);
            return false;
        }
        soon
    }

    fn forget(&self, link: &Link) {
        self.watcher.remove(&link.process, &link.socket);
        let mut register = self.register();
        register.watched.remove(&link.key);
        register.starting.retain(|(starting, _)| starting.key != link.key);
    }
}
