//! The one thread beside the workers: takes replies that nobody joins, sees deaths, buries.
//!
//! It sleeps in epoll until a worker rings, a process ends or a pool wants another worker. Where
//! replies come in numbers it looks again after a moment instead of having itself woken for each,
//! as network drivers do; with a reply now and then it is woken at once.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{io, thread};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd};

use super::Pool;
use super::harvest::{harvest, leave, read_socket};
use super::link::{Link, signal_and_code};
use crate::error::{Error, ErrorKind};
use crate::panic::quietly;
use crate::process::call::codec;
use crate::process::channel::Listener;
use crate::process::worker::report::Panic;
use crate::sync::Lock;

/// How long a process may take to become a worker.
const START_MAX: Duration = Duration::from_secs(10);
/// From how many replies at a time on they are not waited for one by one.
const MANY: usize = 8;
/// How long the end of a process may take from the closing of its files on.
const LAST_MOMENT: Duration = Duration::from_millis(100);
const NAP: Duration = Duration::from_micros(100);

const WAKE: u64 = u64::MAX;

struct Dispatcher {
    epoll: OwnedFd,
    wake: OwnedFd,
    desk: Lock<Desk>,
}

#[derive(Default)]
struct Desk {
    links: HashMap<u64, Arc<Link>>,
    /// Those that have not yet begun to serve, and until when they may take.
    starting: Vec<(Arc<Link>, Instant)>,
    wanted: Vec<&'static Pool>,
}

/// Watches a new worker, from before its first call.
pub(crate) fn watch(link: &Arc<Link>) -> io::Result<()> {
    let dispatcher = dispatcher()?;
    let key = u64::from(link.key);
    let mut desk = dispatcher.desk.lock();
    desk.links.insert(key, Arc::clone(link));
    desk.starting.push((Arc::clone(link), Instant::now() + START_MAX));
    drop(desk);
    let data = EventData::new_u64(key);
    epoll::add(&dispatcher.epoll, &link.control, data, EventFlags::IN | EventFlags::ET)?;
    if let Some(pidfd) = &link.pidfd {
        epoll::add(&dispatcher.epoll, pidfd, data, EventFlags::IN | EventFlags::ET)?;
    }
    dispatcher.wake_up();
    link.inbox().listen(link, Listener::Dispatcher);
    Ok(())
}

/// Has another worker started for a pool that has counted it already.
pub(crate) fn start_worker(pool: &'static Pool) {
    match dispatcher() {
        Ok(dispatcher) => {
            dispatcher.desk.lock().wanted.push(pool);
            dispatcher.wake_up();
        }
        // Which it will not be able to, and say why.
        Err(_) => pool.start_worker(),
    }
}

fn dispatcher() -> io::Result<&'static Dispatcher> {
    static DISPATCHER: OnceLock<Result<Dispatcher, String>> = OnceLock::new();
    let made = DISPATCHER.get_or_init(|| Dispatcher::new().map_err(|error| error.to_string()));
    static RUNS: OnceLock<Result<(), String>> = OnceLock::new();
    let dispatcher = made.as_ref().map_err(|error| io::Error::other(error.clone()))?;
    let runs = RUNS.get_or_init(|| {
        let thread = thread::Builder::new().name("trine-process".into());
        thread.spawn(|| dispatcher.run()).map(drop).map_err(|error| error.to_string())
    });
    runs.as_ref().map_err(|error| io::Error::other(error.clone()))?;
    Ok(dispatcher)
}

impl Dispatcher {
    fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let data = EventData::new_u64(WAKE);
        epoll::add(&epoll, &wake, data, EventFlags::IN | EventFlags::ET)?;
        Ok(Self { epoll, wake, desk: Lock::default() })
    }

    fn wake_up(&self) {
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    fn run(&self) {
        let mut events = Vec::with_capacity(32);
        let mut busy: Vec<Arc<Link>> = Vec::new();
        loop {
            events.clear();
            if busy.is_empty() {
                let timeout = self.look_at_desk();
                self.wait(&mut events, timeout);
            } else {
                thread::sleep(NAP);
                self.wait(&mut events, Some(Duration::ZERO));
            }
            let mut links: Vec<_> = busy.drain(..).map(|link| (link, false)).collect();
            for event in &events {
                let flags = event.flags;
                let hung_up = flags.contains(EventFlags::HUP);
                // What is not found any more was buried.
                let Some(link) = self.find(event.data.u64()) else { continue };
                match links.iter_mut().find(|(known, _)| known.key == link.key) {
                    Some((_, known)) => *known |= hung_up,
                    None => links.push((link, hung_up)),
                }
            }
            for (link, hung_up) in links {
                // What went wrong with one worker's calls must not end the others'.
                if quietly(|| self.serve(&link, hung_up)).unwrap_or(true) {
                    busy.push(link);
                }
            }
            if !busy.is_empty() {
                self.look_at_desk();
            }
        }
    }

    fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) {
        let timeout = timeout.map(timespec);
        let space = rustix::buffer::spare_capacity(events);
        // An interruption brings no events; then there is another round.
        let _ = epoll::wait(&self.epoll, space, timeout.as_ref());
    }

    fn find(&self, key: u64) -> Option<Arc<Link>> {
        let desk = self.desk.lock();
        desk.links.get(&key).cloned()
    }

    /// Starts wanted workers and ends those that do not become any; returns when to look again.
    fn look_at_desk(&self) -> Option<Duration> {
        let mut desk = self.desk.lock();
        let wanted = std::mem::take(&mut desk.wanted);
        desk.starting.retain(|(link, _)| !link.channel.is_ready() && !link.is_doomed());
        let now = Instant::now();
        let late = desk.starting.extract_if(.., |(_, until)| *until <= now);
        let late: Vec<_> = late.map(|(link, _)| link).collect();
        let next = desk.starting.iter().map(|(_, until)| until.duration_since(now)).min();
        drop(desk);
        for link in late {
            link.condemn(format!("the worker did not start within {START_MAX:?}"));
        }
        if wanted.is_empty() {
            return next;
        }
        for pool in wanted {
            pool.start_worker();
        }
        // They are on the desk now.
        Some(Duration::ZERO)
    }

    /// Takes a worker's replies, or buries it. True if there were so many that it is better to
    /// come back soon than to be called.
    fn serve(&self, link: &Arc<Link>, hung_up: bool) -> bool {
        // A process that ends closes its files a moment before it is dead.
        let ended = has_ended(link, if hung_up { LAST_MOMENT } else { Duration::ZERO });
        if hung_up && !ended {
            link.condemn("its worker closed the socket to its parent".into());
        }
        if hung_up || ended || link.is_doomed() {
            self.bury(link);
            return false;
        }
        // A joining thread is at it, and leaves the worker as it should be.
        let Some(mut inbox) = link.knock() else { return false };
        inbox.listen(link, Listener::Looking);
        read_socket(link, &mut inbox);
        let taken = harvest(link, &mut inbox);
        if link.is_doomed() {
            drop(inbox);
            self.bury(link);
            return false;
        }
        if taken < MANY {
            leave(link, inbox);
        }
        taken >= MANY
    }

    /// Ends what is left of a worker: its replies are taken, its group killed, its calls sent
    /// elsewhere, but for the one that ran.
    fn bury(&self, link: &Arc<Link>) {
        link.kill();
        let status = link.reap();
        let mut inbox = link.inbox();
        if link.offence().is_none() {
            harvest(link, &mut inbox);
        }
        drop(inbox);
        if let Some(pidfd) = &link.pidfd {
            let _ = epoll::delete(&self.epoll, pidfd.as_fd());
        }
        let _ = epoll::delete(&self.epoll, link.control.as_fd());
        let mut desk = self.desk.lock();
        desk.links.remove(&u64::from(link.key));
        desk.starting.retain(|(starting, _)| starting.key != link.key);
        drop(desk);
        let (signal, code) = signal_and_code(status);
        let why = link.offence().map_or_else(|| never_served(signal, code), str::to_owned);
        let ran = link.channel.running() % 2 == 1 || link.offence().is_some();
        if let Some(mut entry) = link.pool.bury(link, ran && link.channel.is_ready(), &why)
            && let Some(call) = entry.call.take()
        {
            let error = blame(link, call.function().name(), signal, code);
            call.fail(error);
        }
    }
}

/// Whether the process has ended, or does so within that time.
fn has_ended(link: &Link, within: Duration) -> bool {
    let Some(pidfd) = &link.pidfd else { return false };
    let mut ends = [PollFd::new(pidfd, PollFlags::IN)];
    rustix::event::poll(&mut ends, Some(&timespec(within))).unwrap_or(0) > 0
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs().cast_signed(), tv_nsec: duration.subsec_nanos().into() }
}

fn never_served(signal: Option<i32>, code: Option<i32>) -> String {
    match (signal, code) {
        (Some(signal), _) => format!("its worker was killed by signal {signal} as it started"),
        (_, Some(code)) => format!("its worker exited with code {code} as it started"),
        _ => "its worker ended as it started".into(),
    }
}

/// What the death of a worker means for the call that it ran.
fn blame(link: &Link, name: &'static str, signal: Option<i32>, code: Option<i32>) -> Error {
    if let Some(offence) = link.offence() {
        return codec(name, offence);
    }
    if signal == Some(libc::SIGABRT) {
        // A panic first: it may be over an allocation that failed, but has more to tell.
        if let Some(panic) = link.channel.report().and_then(|report| Panic::decode(&report)) {
            return panic.into_error(name);
        }
        if link.channel.is_over_limit() {
            return Error::new(name, ErrorKind::MemoryLimit);
        }
    }
    Error::new(name, ErrorKind::Crashed { signal, code })
}
