//! The run as a timeline: with `TRINE_TIMELINE=run.json`, each call becomes an event in the format
//! that Perfetto and `chrome://tracing` open.
//!
//! There is a lane for each thread that runs bodies and for each worker process, and a track for
//! the queue and for tasks on tokio, which share threads. `tracing-chrome` shows one process, by
//! thread, so it would leave out the workers.
//!
//! Events are written when calls end, with one system call each, so a program that crashes or calls
//! `exit` loses none. Therefore the file has no closing bracket, which the format allows.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;
use std::{env, thread};

use crate::error::Error;
use crate::sync::Lock;

/// The file to write. Worker processes have none, since their parent records their bodies.
pub(crate) const VARIABLE: &str = "TRINE_TIMELINE";

/// A position in the timeline: a lane of a process.
#[derive(Clone, Copy)]
struct Position {
    process: u32,
    thread: u64,
}

/// The timeline process for this program.
const PROGRAM: Position = Position { process: 1, thread: 0 };

/// The lane of a worker process.
fn worker_position(worker: u32) -> Position {
    Position { process: worker, thread: worker.into() }
}

struct Timeline {
    file: Lock<File>,
    began: Instant,
    /// When each worker process ended its last body: the next one began then.
    free: Lock<HashMap<u32, Instant>>,
}

/// Whether calls are drawn.
#[inline]
pub(crate) fn is_on() -> bool {
    timeline().is_some()
}

#[inline]
fn timeline() -> Option<&'static Timeline> {
    static TIMELINE: OnceLock<Option<Timeline>> = OnceLock::new();
    TIMELINE.get_or_init(Timeline::open).as_ref()
}

impl Timeline {
    fn open() -> Option<Self> {
        let path = env::var_os(VARIABLE).filter(|path| !path.is_empty())?;
        let file = match File::create(&path) {
            Ok(file) => file,
            Err(error) => {
                eprintln!("trine: cannot write the timeline to {}: {error}", path.display());
                return None;
            }
        };
        let timeline = Self { file: Lock::new(file), began: Instant::now(), free: Lock::default() };
        timeline.write("[\n");
        timeline.name("process_name", PROGRAM, "program");
        Some(timeline)
    }

    /// Writes whole lines of the file. If the disk is full, only the timeline suffers.
    fn write(&self, lines: &str) {
        let _ = self.file.lock().write_all(lines.as_bytes());
    }

    /// In microseconds, as the format requires.
    fn at(&self, moment: Instant) -> f64 {
        moment.saturating_duration_since(self.began).as_secs_f64() * 1e6
    }
}

/// A recorded call. Empty if there is no timeline.
pub(crate) struct Drawn(Option<Box<Call>>);

struct Call {
    number: u64,
    function: &'static str,
    mode: &'static str,
    made: Instant,
    /// When its body started, and on which thread or in which worker.
    started: Lock<Option<(Instant, Lane)>>,
}

#[derive(Clone, Copy)]
enum Lane {
    Thread(u64),
    /// By its process id.
    Worker(u32),
    /// Beside others on the same threads.
    Between,
}

impl Drawn {
    /// A call that is being made.
    pub(crate) fn made(function: &'static str, mode: &'static str) -> Self {
        if timeline().is_some() { Self::with_events(function, mode) } else { Self(None) }
    }

    #[cold]
    fn with_events(function: &'static str, mode: &'static str) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        let number = NUMBERS.fetch_add(1, Relaxed);
        let made = Instant::now();
        Self(Some(Box::new(Call { number, function, mode, made, started: Lock::default() })))
    }

    #[inline]
    pub(crate) fn started(&self) {
        if let Some(call) = &self.0
            && let Some(timeline) = timeline()
        {
            let lane = match call.mode {
                "threads" => Lane::Thread(timeline.this_thread()),
                _ => Lane::Between,
            };
            *call.started.lock() = Some((Instant::now(), lane));
        }
    }

    /// Its body runs in the worker process of this id.
    #[inline]
    pub(crate) fn goes_to(&self, worker: u32) {
        if let Some(call) = &self.0
            && let Some((_, lane)) = &mut *call.started.lock()
        {
            *lane = Lane::Worker(worker);
        }
    }

    pub(crate) fn ended<T>(&self, result: &Result<T, Error>) {
        if let Some(call) = &self.0
            && let Some(timeline) = timeline()
        {
            timeline.write(&call.events(timeline, result.as_ref().err()));
        }
    }
}

impl Call {
    fn events(&self, timeline: &Timeline, error: Option<&Error>) -> String {
        let now = Instant::now();
        let (mut started, lane) = self.started.lock().unwrap_or((now, Lane::Between));
        if let Lane::Worker(worker) = lane
            && let Some(free) = timeline.free.lock().insert(worker, now)
        {
            // It was sent ahead, and waited there until the previous one ended.
            started = started.max(free);
        }
        let outcome = error.map_or("value".to_owned(), ToString::to_string);
        let queued = self.span(timeline, "queued", self.made, started, "");
        let position = match lane {
            Lane::Thread(thread) => Position { thread, ..PROGRAM },
            Lane::Worker(worker) => worker_position(worker),
            Lane::Between => {
                return queued + &self.span(timeline, self.mode, started, now, &outcome);
            }
        };
        queued + &self.slice(timeline, position, started, now, &outcome)
    }

    /// An event that fills its lane.
    fn slice(
        &self,
        timeline: &Timeline,
        position: Position,
        from: Instant,
        to: Instant,
        end: &str,
    ) -> String {
        let took = (timeline.at(to) - timeline.at(from)).max(0.0);
        let (mode, end) = (self.mode, Escaped(end));
        let more = format!(r#","dur":{took:.3},"cat":"{mode}","args":{{"outcome":"{end}"}}"#);
        event("X", self.function, position, timeline.at(from), &more)
    }

    /// An event that overlaps others of its kind.
    fn span(
        &self,
        timeline: &Timeline,
        kind: &str,
        from: Instant,
        to: Instant,
        end: &str,
    ) -> String {
        let (number, end) = (self.number, Escaped(end));
        let more = format!(r#","cat":"{kind}","id":{number},"args":{{"outcome":"{end}"}}"#);
        let at = |phase, moment| event(phase, self.function, PROGRAM, timeline.at(moment), &more);
        at("b", from) + &at("e", to)
    }
}

impl Timeline {
    /// The number of this thread's lane; names the lane on first use.
    fn this_thread(&self) -> u64 {
        static THREADS: AtomicU64 = AtomicU64::new(1);
        thread_local! {
            static THREAD: OnceLock<u64> = const { OnceLock::new() };
        }
        let name_it = || {
            let number = THREADS.fetch_add(1, Relaxed);
            let current = thread::current();
            let name = current.name().unwrap_or("a thread").to_owned();
            let position = Position { thread: number, ..PROGRAM };
            self.name("thread_name", position, &format!("{name} {number}"));
            number
        };
        // A thread that is ending has no lane any more; it uses the program's.
        THREAD.try_with(|thread| *thread.get_or_init(name_it)).unwrap_or(0)
    }

    /// An instant in a lane.
    fn moment(&self, position: Position, name: &str) {
        self.write(&event("i", name, position, self.at(Instant::now()), r#","s":"t""#));
    }

    /// Names a lane, or a process with all of its lanes.
    fn name(&self, what: &str, position: Position, name: &str) {
        let more = format!(r#","args":{{"name":"{}"}}"#, Escaped(name));
        self.write(&event("M", what, position, 0.0, &more));
    }
}

/// One line of the file.
fn event(phase: &str, name: &str, position: Position, moment: f64, more: &str) -> String {
    let (Position { process, thread }, name) = (position, Escaped(name));
    let head = format!(r#"{{"ph":"{phase}","name":"{name}","pid":{process},"tid":{thread}"#);
    format!("{head},\"ts\":{moment:.3}{more}}},\n")
}

/// A call is retried.
pub(crate) fn retried(function: &str) {
    if let Some(timeline) = timeline() {
        timeline.moment(PROGRAM, &format!("retry of {function}"));
    }
}

pub(crate) fn worker_started(worker: u32) {
    if let Some(timeline) = timeline() {
        timeline.name("process_name", worker_position(worker), &format!("worker {worker}"));
        timeline.moment(worker_position(worker), "started");
    }
}

pub(crate) fn worker_ended(worker: u32, how: &str) {
    if let Some(timeline) = timeline() {
        timeline.free.lock().remove(&worker);
        timeline.moment(worker_position(worker), how);
    }
}

/// A JSON string without its quotes.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                control if control < ' ' => write!(f, "\\u{:04x}", u32::from(control))?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}
