//! The only thread that serves the workers: it is told of deaths and of replies that nobody joins,
//! and lets the owners of the workers handle them.
//!
//! It sleeps until a worker rings, a process ends or an owner wants another worker. If replies come
//! frequently, it polls again after a moment instead of being woken for each, as network drivers
//! do; for an occasional reply it is woken at once. As long as workers have something to do, it
//! also checks from time to time that they do it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::chance::{Chance, LOOK, ROUND};
use super::link::Link;
use crate::process::address::WorkerKey;
use crate::process::channel::Listener;
use crate::process::platform::{Event, Watcher};
use crate::relay::{self, aside};
use crate::sync::{Guard, Lock};

/// How long a process may have the chance to become a worker.
const MAX_START: Duration = Duration::from_secs(10);
/// How long a process may have the chance to end after its files are closed.
const MAX_ENDING: Duration = Duration::from_millis(500);
/// How long one waits for that before one does something else.
const MOMENT: Duration = Duration::from_millis(1);
const NAP: Duration = Duration::from_micros(100);
/// So many rounds in a row without any such worker end the checks. Most calls end before a round
/// begins; if that ended the checks, every call would have to ask for them again.
const IDLE_ROUNDS: u32 = 3;

/// The owner of watched workers.
pub(crate) trait Owner: Sync {
    /// Starts a worker that was counted as about to start, in that era.
    fn start_worker(&'static self, era: u32);
    /// Takes a worker's replies if nobody else does. Returns true if there were so many that it is
    /// better to poll again soon than to be woken.
    fn take_replies(&'static self, link: &Arc<Link>) -> bool;
    /// Checks that the worker does its work; called once per second while it has any.
    fn look_after(&'static self, link: &Arc<Link>);
    /// Cleans up a worker that has died or has to.
    fn bury(&'static self, link: &Arc<Link>);
}

type Watched = (Arc<Link>, &'static dyn Owner);

/// One that does not serve yet, and its chance to.
type Starting = (Arc<Link>, Chance);

/// The checks of workers that have something to do.
#[derive(Default)]
struct Rounds {
    /// When the next one is due; `None` if nobody asks for one.
    next: Option<Instant>,
    /// How many in a row found no such worker.
    idle: u32,
}

impl Rounds {
    /// Plans the next round after one that found work, or none; returns how long until then.
    fn plan(&mut self, now: Instant, is_asked: bool, found_work: bool) -> Option<Duration> {
        let is_first = self.next.is_none();
        self.idle = if is_first || found_work { 0 } else { self.idle + 1 };
        let goes_on = found_work || if is_first { is_asked } else { self.idle < IDLE_ROUNDS };
        self.next = goes_on.then(|| now + ROUND);
        goes_on.then_some(ROUND)
    }
}

struct Dispatcher {
    watcher: Watcher,
    register: Lock<Register>,
    /// It will check the workers within a second.
    attends: AtomicBool,
}

#[derive(Default)]
struct Register {
    watched: HashMap<WorkerKey, Watched>,
    starting: Vec<Starting>,
    /// Those that have closed their files, and their chance to end.
    closing: Vec<(Watched, Chance)>,
    wanted: Vec<(&'static dyn Owner, u32)>,
}

/// Watches a new worker, from before its first call.
pub(crate) fn watch(link: &Arc<Link>, owner: &'static dyn Owner) -> io::Result<()> {
    let dispatcher = dispatcher()?;
    let mut register = dispatcher.register();
    register.watched.insert(link.key, (Arc::clone(link), owner));
    register.starting.push((Arc::clone(link), Chance::new(&link.process, ROUND)));
    drop(register);
    if let Err(error) = dispatcher.watcher.add(link.key.0, &link.process, &link.socket) {
        dispatcher.forget(link);
        return Err(error);
    }
    dispatcher.watcher.wake();
    link.announce(&mut link.desk(), Listener::Dispatcher);
    Ok(())
}

/// Starts another worker for an owner that has already counted it.
pub(crate) fn start_worker(owner: &'static dyn Owner, era: u32) {
    match dispatcher() {
        Ok(dispatcher) => {
            dispatcher.register().wanted.push((owner, era));
            dispatcher.watcher.wake();
        }
        // This will fail, and report why.
        Err(_) => owner.start_worker(era),
    }
}

/// Makes sure that the workers are checked, now that they have something to do.
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
        aside::prepare();
        let thread = thread::Builder::new().name("trine-process".into());
        thread
            .spawn(|| relay::hold(|| dispatcher.run()))
            .map(drop)
            .map_err(|error| format!("a thread: {error}"))
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
        let mut rounds = Rounds::default();
        loop {
            events.clear();
            // Foreign code must not run on this thread, so it holds all such steps.
            relay::settle();
            if !busy.is_empty() {
                thread::sleep(NAP);
            }
            let next = self.see_to_what_is_due(&mut rounds);
            let timeout = if busy.is_empty() { next } else { Some(Duration::ZERO) };
            self.watcher.wait(&mut events, timeout);
            let mut to_serve: Vec<_> = busy.drain(..).map(|watched| (watched, false)).collect();
            for &Event { key, hung_up } in &events {
                // If it is not found any more, it has been cleaned up.
                let Some(watched) = self.find(WorkerKey(key)) else { continue };
                match to_serve.iter_mut().find(|((link, _), _)| link.key == watched.0.key) {
                    Some((_, known)) => *known |= hung_up,
                    None => to_serve.push((watched, hung_up)),
                }
            }
            for (watched, hung_up) in to_serve {
                if self.serve(&watched, hung_up) {
                    busy.push(watched);
                }
            }
        }
    }

    /// Does what is due before it sleeps; returns how long it may.
    fn see_to_what_is_due(&self, rounds: &mut Rounds) -> Option<Duration> {
        let next = [self.see_to_starts(), self.see_to_ends(), self.go_round(rounds)];
        // What followed from that must not wait for the next event.
        relay::settle();
        next.into_iter().flatten().min()
    }

    fn find(&self, key: WorkerKey) -> Option<Watched> {
        self.register().watched.get(&key).cloned()
    }

    /// Starts requested workers and ends those that do not become ready; returns when to check
    /// again.
    fn see_to_starts(&self) -> Option<Duration> {
        let mut register = self.register();
        let wanted = std::mem::take(&mut register.wanted);
        register.starting.retain(|(link, _)| !link.has_served() && !link.is_doomed());
        let is_late = |(link, chance): &mut Starting| chance.look(&link.process) >= MAX_START;
        let late: Vec<_> = register.starting.extract_if(.., is_late).collect();
        let next = register.starting.iter().map(|(_, chance)| chance.next()).min();
        let next = next.map(|next| next.saturating_duration_since(Instant::now()));
        drop(register);
        for (link, _) in late {
            link.condemn(format!("its worker was not ready within {MAX_START:?}"));
        }
        if wanted.is_empty() {
            return next;
        }
        for (owner, era) in wanted {
            owner.start_worker(era);
        }
        // They are registered now.
        Some(Duration::ZERO)
    }

    /// Cleans up workers that have closed their files, once they are dead or could be; returns when
    /// to check again.
    fn see_to_ends(&self) -> Option<Duration> {
        let mut register = self.register();
        let is_over = |((link, _), chance): &mut (Watched, Chance)| {
            link.process.has_ended(Duration::ZERO) || chance.look(&link.process) >= MAX_ENDING
        };
        let over: Vec<_> = register.closing.extract_if(.., is_over).collect();
        let next = register.closing.iter().map(|(_, chance)| chance.next()).min();
        drop(register);
        for (watched, _) in &over {
            if !watched.0.process.has_ended(Duration::ZERO) {
                watched.0.hang_up();
            }
            self.bury(watched);
        }
        next.map(|next| next.saturating_duration_since(Instant::now()))
    }

    /// Checks the workers that have something to do, if it is time; returns the next time.
    fn go_round(&self, rounds: &mut Rounds) -> Option<Duration> {
        let now = Instant::now();
        if let Some(next) = rounds.next.filter(|next| *next > now) {
            return Some(next.duration_since(now));
        }
        // Anybody who sends something from here on asks again.
        let is_asked = self.attends.swap(false, Ordering::SeqCst);
        std::sync::atomic::fence(Ordering::SeqCst);
        let mut busy: Vec<_> = self.register().watched.values().cloned().collect();
        busy.retain(|(link, _)| link.unanswered.load(Ordering::Relaxed) > 0);
        let next = rounds.plan(now, is_asked, !busy.is_empty());
        self.attends.fetch_or(next.is_some(), Ordering::Relaxed);
        for watched @ (link, owner) in &busy {
            if link.process.has_ended(Duration::ZERO) {
                // No event says so without a pidfd, as long as a child of its holds the socket.
                self.bury(watched);
            } else {
                owner.look_after(link);
            }
        }
        next
    }

    /// Takes a worker's replies, or cleans it up. Returns true if it should be served again soon.
    fn serve(&self, watched: &Watched, hung_up: bool) -> bool {
        let (link, owner) = watched;
        if hung_up {
            // It gets no more calls, which would be sent to nobody.
            link.retire();
        }
        // A process that ends closes its files a moment before it is dead.
        let ended = link.process.has_ended(if hung_up { MOMENT } else { Duration::ZERO });
        if hung_up && !ended && !link.is_doomed() {
            self.await_end(watched);
            return false;
        }
        let is_over = ended || link.is_doomed();
        let soon = !is_over && owner.take_replies(link);
        if is_over || link.is_doomed() {
            self.bury(watched);
            return false;
        }
        soon
    }

    /// Lets a worker that has closed its files end, and judges it if it does not.
    fn await_end(&self, watched: &Watched) {
        let (link, _) = watched;
        let mut register = self.register();
        if register.closing.iter().all(|((closing, _), _)| closing.key != link.key) {
            register.closing.push((watched.clone(), Chance::new(&link.process, LOOK)));
        }
    }

    /// Has a worker cleaned up, unless that was done already.
    fn bury(&self, (link, owner): &Watched) {
        if self.find(link.key).is_some() {
            owner.bury(link);
            self.forget(link);
        }
    }

    fn forget(&self, link: &Link) {
        self.watcher.remove(&link.process, &link.socket);
        let mut register = self.register();
        register.watched.remove(&link.key);
        register.starting.retain(|(starting, _)| starting.key != link.key);
        register.closing.retain(|((closing, _), _)| closing.key != link.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;
    use crate::relay::Step;
    use crate::sync::Mutex;

    /// An owner whose refused worker ends a call, which somebody is told of.
    struct Tells(Mutex<Option<Sender<thread::ThreadId>>>);

    impl Owner for Tells {
        fn start_worker(&'static self, _: u32) {
            let told = self.0.lock().take().unwrap();
            relay::take(Step::Run(Box::new(move || _ = told.send(thread::current().id()))));
        }
        fn take_replies(&'static self, _: &Arc<Link>) -> bool {
            unreachable!("it has no worker");
        }
        fn look_after(&'static self, _: &Arc<Link>) {}
        fn bury(&'static self, _: &Arc<Link>) {}
    }

    #[test]
    fn what_follows_from_what_is_due_does_not_wait_for_an_event() {
        let (told, by) = channel();
        let owner: &Tells = Box::leak(Box::new(Tells(Mutex::new(Some(told)))));
        let dispatcher = Dispatcher::new().unwrap();
        dispatcher.register().wanted.push((owner, 0));
        // No event will come: it is told by then, or never.
        let here = relay::hold(|| {
            dispatcher.see_to_what_is_due(&mut Rounds::default());
            thread::current().id()
        });
        assert!(relay::drain().is_empty(), "it sleeps on what it holds");
        assert_ne!(by.recv().unwrap(), here, "foreign code runs on the dispatcher's thread");
    }

    #[test]
    fn rounds_go_on_for_a_while_after_each_work_and_each_request() {
        let mut rounds = Rounds::default();
        let mut plan =
            |is_asked, found_work| rounds.plan(Instant::now(), is_asked, found_work).is_some();
        assert!(!plan(false, false), "nobody asked");
        for _ in 0..2 {
            assert!(plan(true, false));
            // Its own request still stands.
            assert!((1..IDLE_ROUNDS).all(|_| plan(true, false)));
            assert!(!plan(true, false), "without work they end");
        }
        assert!(plan(true, true));
        assert!((1..IDLE_ROUNDS).all(|_| plan(true, false)));
        assert!(plan(true, true), "work starts the count anew");
        assert!((1..IDLE_ROUNDS).all(|_| plan(true, false)));
        assert!(!plan(true, false));
    }
}
