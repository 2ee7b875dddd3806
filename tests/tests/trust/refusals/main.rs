//! What the machine may refuse, when a program starts or while it runs: every call still ends, with
//! its value or with an error that says why, in whatever way it is awaited.
//!
//! No test harness: each case is a program of its own, which this program plays. A case that hangs
//! is killed by its alarm.

use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use trine::{Error, ErrorKind, concurrent, gather};
use trine_tests::checks::{self, Named, output_of, part, wait_until};

mod bounds;
mod calls;
mod forked;
mod limits;
mod shared;
mod untimed;

use calls::{CALLS, WAYS, WHOLE, plain};

/// In seconds; longer than any case takes on a busy machine.
const WATCHDOG: u32 = 60;

fn main() {
    checks::main(PARTS, CHECKS, checks::at_once);
}

const PARTS: &[Named] = &[
    ("case", play),
    ("child-calls", forked::calls_of_a_child),
    ("child-of-calls", forked::calls_of_its_parent),
    ("child-of-streams", forked::streams_of_its_parent),
    ("child-of-workers", forked::workers_of_its_parent),
    ("child-beside-others", forked::while_others_work),
    ("child-in-sequence", forked::in_sequence),
    ("child-in-a-scope", forked::inside_a_scope),
    ("child-of-a-body", forked::a_body_that_forks),
    ("child-in-a-join", forked::inside_a_join),
    ("child-of-long-calls", shared::replies_of_its_parent),
    ("child-with-long-arguments", shared::arguments_of_a_child),
    ("permits-elsewhere", bounds::all_permits_elsewhere),
    ("untimed-drain", untimed::drains),
    ("untimed-deadlines", untimed::deadlines),
    ("untimed-process", untimed::calls_behind_one_that_hangs),
    ("barrier", bounds::barrier),
    ("deep", bounds::deep),
    ("too-deep", bounds::too_deep),
    ("too-deep-elsewhere", bounds::too_deep_elsewhere),
    ("null", bounds::null),
    ("no-stack", bounds::no_stack),
    ("bounded", bounds::bounded),
    ("for-a-while", bounds::refused_for_a_while),
];

const CHECKS: &[Named] = &[
    ("threads at the start", || check("threads", "start")),
    ("threads in the middle", || check("threads", "middle")),
    ("threads before there is a timer", || check("threads", "untimed")),
    ("threads while all wait", || check("threads", "waiting")),
    ("memory at the start", || check("memory", "start")),
    ("memory in the middle", || check("memory", "middle")),
    ("memory while all wait", || check("memory", "waiting")),
    ("files at the start", || check("files", "start")),
    ("files in the middle", || check("files", "middle")),
    ("files while all wait", || check("files", "waiting")),
    ("proc at the start", || check("proc", "start")),
    ("proc in the middle", || check("proc", "middle")),
    ("proc while all wait", || check("proc", "waiting")),
    ("threads where others have all permits", || {
        assert_eq!(said_by("permits-elsewhere", &[]), "all ended\n");
    }),
    ("a drain without a timer", || assert_eq!(said_by("untimed-drain", &[]), "all ended\n")),
    ("processes without a timer", || in_each_way("untimed-process", None)),
    ("deadlines without a timer", || in_each_way("untimed-deadlines", Some("read"))),
    ("a forked child calls", || in_a_fork("child-calls")),
    ("a forked child waits for a call of its parent", || in_a_fork("child-of-calls")),
    ("a forked child reads streams of its parent", || in_a_fork("child-of-streams")),
    ("a forked child calls workers of its parent", || in_a_fork("child-of-workers")),
    ("a fork while others work", || in_a_fork("child-beside-others")),
    ("a forked child calls in sequence", || in_a_fork("child-in-sequence")),
    ("a scope is forked", || in_a_fork("child-in-a-scope")),
    ("a body forks", || in_a_fork("child-of-a-body")),
    ("a join is forked", || in_a_fork("child-in-a-join")),
    ("a forked child takes long replies of its parent", || in_a_fork("child-of-long-calls")),
    ("a forked child makes calls with long arguments", || {
        in_a_fork("child-with-long-arguments");
    }),
    ("more threads than usual, where they wait for each other", || {
        assert_eq!(output_of(part("barrier")), "700 met\n");
    }),
    ("a refusal that passes", || assert_eq!(output_of(part("for-a-while")), "7\n")),
    ("a larger stack", || assert_eq!(output_of(part("deep")), "on deep and deep\n")),
    ("a stack that is too small", bounds::said_of_overflows),
    ("a stack that no machine has", || assert_eq!(output_of(part("no-stack")), "all ended\n")),
    ("a bound of threads", || assert_eq!(output_of(part("bounded")), "4 at once\n")),
];

/// Blocks the thread that drops it.
struct Blocks;

impl Drop for Blocks {
    fn drop(&mut self) {
        loop {
            thread::park();
        }
    }
}

#[concurrent(threads)]
fn keeps(arguments: Blocks) -> u32 {
    std::mem::forget(arguments);
    7
}

/// Runs all cases of one resource and one moment.
fn check(resource: &str, moment: &str) {
    let mut children = Vec::new();
    for way in WAYS.iter().map(|(way, _)| *way).chain(["whole"]) {
        let mut case = part("case");
        case.args([resource, moment, way]).env("TRINE_THREADS", "2");
        children.push((way, case.stderr(Stdio::piped()).spawn().unwrap()));
        // A few at a time, because cases in which all threads wait take a while.
        if children.len() == 16 {
            children.drain(..).for_each(|(way, child)| {
                ended(way, &child.wait_with_output().unwrap());
            });
        }
    }
    for (way, child) in children {
        ended(way, &child.wait_with_output().unwrap());
    }
}

/// What a part says, or what it says if it was not skipped.
fn said_by(name: &str, arguments: &[&str]) -> String {
    let mut part = part(name);
    part.args(arguments).env("TRINE_THREADS", "2").env("TRINE_PROCESSES", "1");
    let said = output_of(part);
    match said.strip_prefix("skipped: ") {
        Some(why) => {
            println!("skipped {name}: {}", why.trim_end());
            "all ended\n".to_owned()
        }
        None => said,
    }
}

fn in_each_way(name: &str, another: Option<&str>) {
    for way in WAYS.iter().map(|(way, _)| *way).chain(another) {
        assert_eq!(said_by(name, &[way]), "all ended\n", "{way}");
    }
}

fn in_a_fork(name: &str) {
    let mut part = part(name);
    part.env("TRINE_THREADS", "2");
    assert_eq!(output_of(part), "all ended\n");
}

fn ended(way: &str, output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    if let Some(why) = said.strip_prefix("skipped: ") {
        println!("skipped {way}: {}", why.trim_end());
        return;
    }
    assert!(output.status.success(), "{way}: {output:?}");
    assert!(said.ends_with("all ended\n"), "{way}: {said}");
}

/// One case; the resource, the moment and the way to wait are the arguments.
fn play() {
    watch();
    let arguments: Vec<_> = std::env::args().skip(2).collect();
    let [resource, moment, way] = &arguments[..] else { panic!("{arguments:?}") };
    let wait = WAYS.iter().find(|(name, _)| name == way).map(|(_, wait)| wait);
    let refuse: fn() -> Result<(), String> = match &**resource {
        "threads" => limits::threads,
        "memory" => limits::memory,
        "files" => limits::files,
        "proc" => limits::proc,
        _ => unreachable!(),
    };
    let mut feeds = Vec::new();
    match &**moment {
        "start" => {}
        "middle" => {
            assert_eq!(gather((0..8).map(|_| plain())).join().unwrap(), [7; 8]);
            assert_eq!(plain().timeout(Duration::from_secs(50)).join().unwrap(), 7);
        }
        "untimed" => assert_eq!(gather((0..8).map(|_| plain())).join().unwrap(), [7; 8]),
        _ => feeds = occupy(),
    }
    let waits = !feeds.is_empty();
    if let Err(why) = refuse() {
        println!("skipped: {why}");
        return;
    }
    if waits && wait.is_some() {
        // If nobody can run it, its arguments are dropped, on no thread that the rest needs.
        let _ = futures::executor::block_on(keeps(Blocks));
    }
    match wait {
        Some(wait) => CALLS.iter().for_each(|(name, call)| expect(name, || wait(name, *call))),
        None => WHOLE.iter().for_each(|(name, call)| expect(name, call)),
    }
    drop(feeds);
    println!("all ended");
}

/// The value, or an error that says what there was not.
fn expect(name: &str, call: impl FnOnce() -> Result<u32, Error>) {
    // The last one of these hangs, if any does.
    eprintln!("{name}");
    match call() {
        Ok(value) => assert_eq!(value, 7, "{name}"),
        Err(error) => {
            let line = error.to_string();
            let is_told = match error.kind() {
                ErrorKind::Worker { .. } if name.starts_with("async") => {
                    line.contains("no tokio runtime to run it on")
                }
                ErrorKind::Worker { .. } => {
                    line.contains("the system will not start another thread")
                }
                ErrorKind::TimedOut { after } => after.as_millis() == 5,
                // For a deadline that nobody could keep.
                ErrorKind::Panicked { message, .. } => message.contains("keeps deadlines"),
                _ => false,
            };
            assert!(is_told, "{name}: {line}");
            println!("{line}");
        }
    }
}

static HELD: AtomicUsize = AtomicUsize::new(0);

#[concurrent(threads)]
fn hold(until: Receiver<()>) {
    HELD.fetch_add(1, Ordering::SeqCst);
    let _ = until.recv();
}

/// Makes every thread that the pool would have by itself wait for something.
fn occupy() -> Vec<Sender<()>> {
    let mut feeds = Vec::new();
    for count in 1..=2 {
        let (feed, until) = channel();
        feeds.push(feed);
        hold(until).detach();
        wait_until(|| HELD.load(Ordering::SeqCst) == count);
    }
    feeds
}

/// Ends this program if it hangs.
fn watch() {
    // SAFETY: a plain system call.
    unsafe { libc::alarm(WATCHDOG) };
}
