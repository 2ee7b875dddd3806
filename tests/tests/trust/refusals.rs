//! What the machine may refuse, when a program starts or while it runs: every call still ends, with
//! its value or with an error that says why, in whatever way it is awaited.
//!
//! No test harness: each case is a program of its own, which this program plays. A case that hangs
//! is killed by its alarm.

use std::fs::File;
use std::pin::Pin;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use trine::{Error, ErrorKind, Task, concurrent, gather};
use trine_tests::checks::{self, Named, output_of, part, wait_until};

mod forked;

/// In seconds; longer than any case takes on a busy machine.
const WATCHDOG: u32 = 60;

fn main() {
    checks::main(PARTS, CHECKS, checks::at_once);
}

const PARTS: &[Named] = &[
    ("case", play),
    ("child-calls", forked::calls_of_a_child),
    ("child-of-calls", forked::calls_of_its_parent),
    ("child-of-a-body", forked::a_body_that_forks),
    ("child-in-a-join", forked::inside_a_join),
    ("barrier", || meet(700)),
    ("deep", || {
        trine::Config::new().thread_stack(1 << 30).thread_name("deep").apply().unwrap();
        // Awaited, so that the joiner does not run it.
        let name = futures::executor::block_on(descend_and_name(50_000)).unwrap();
        println!("on {name}");
    }),
    ("no-stack", || {
        watch();
        trine::Config::new().thread_stack(usize::MAX / 2).apply().unwrap();
        for (name, wait) in WAYS {
            for result in [plain, with_retries, first].map(|call| wait(name, call)) {
                let is_told = result.as_ref().err().is_none_or(|error| {
                    matches!(error.kind(), ErrorKind::Worker { .. }) || error.is_timeout()
                });
                assert!(is_told, "{name}: {result:?}");
            }
        }
        println!("all ended");
    }),
    ("bounded", || {
        trine::Config::new().threads(2).max_threads(4).apply().unwrap();
        bounded();
    }),
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
    ("a forked child calls", || in_a_fork("child-calls")),
    ("a forked child waits for a call of its parent", || in_a_fork("child-of-calls")),
    ("a body forks", || in_a_fork("child-of-a-body")),
    ("a join is forked", || in_a_fork("child-in-a-join")),
    ("more threads than usual, where they wait for each other", || {
        assert_eq!(output_of(part("barrier")), "700 met\n");
    }),
    ("a larger stack", || assert_eq!(output_of(part("deep")), "on deep\n")),
    ("a stack that no machine has", || assert_eq!(output_of(part("no-stack")), "all ended\n")),
    ("a bound of threads", || assert_eq!(output_of(part("bounded")), "4 at once\n")),
];

/// How a call is made, and how it is awaited.
type Call = fn() -> Task<u32>;
type Wait = fn(&'static str, Call) -> Result<u32, Error>;

const WAYS: &[(&str, Wait)] = &[
    ("join", |_, call| call().join()),
    ("await", |_, call| futures::executor::block_on(call())),
    ("poll", |_, call| {
        let mut task = call();
        futures::executor::block_on(futures::future::poll_fn(|context| {
            Pin::new(&mut task).poll(context)
        }))
    }),
    ("join_timeout", |name, call| {
        let waited = call().join_timeout(Duration::from_secs(u64::from(WATCHDOG)));
        waited.unwrap_or_else(|_| panic!("{name} did not end"))
    }),
    ("timeout", |_, call| call().timeout(Duration::from_millis(5)).join()),
    ("timeout_await", |_, call| {
        futures::executor::block_on(call().timeout(Duration::from_millis(5)))
    }),
    ("gather", |_, call| gather((0..3).map(|_| call())).join().map(|values| values[0])),
    ("gather_await", |_, call| {
        futures::executor::block_on(gather((0..3).map(|_| call()))).map(|values| values[0])
    }),
    ("map", |_, call| futures::executor::block_on(call().map(|value| value))),
    ("race", |_, call| futures::executor::block_on(trine::race([call(), call()]))),
];

#[concurrent(threads)]
fn plain() -> u32 {
    7
}

#[concurrent(threads, timeout = 50s)]
fn with_timeout() -> u32 {
    7
}

#[concurrent(threads, retries = 1)]
fn with_retries() -> u32 {
    7
}

#[concurrent(threads, priority = high)]
fn first() -> u32 {
    7
}

#[concurrent(threads, priority = low)]
fn last() -> u32 {
    7
}

#[concurrent(threads, limit = 1)]
fn with_limit() -> u32 {
    7
}

#[concurrent(async)]
async fn asynchronous() -> u32 {
    7
}

#[concurrent(async, timeout = 50s, retries = 1)]
async fn asynchronous_with_options() -> u32 {
    7
}

const CALLS: &[(&str, Call)] = &[
    ("async", asynchronous),
    ("async with options", asynchronous_with_options),
    ("plain", plain),
    ("timeout", with_timeout),
    ("retries", with_retries),
    ("limit", with_limit),
    ("high priority", first),
    ("low priority", last),
    ("behind a limit", || {
        // It has the place, and nobody joins it.
        std::mem::forget(with_limit());
        with_limit()
    }),
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
    for (way, _) in WAYS {
        let mut case = part("case");
        case.args([resource, moment, way]).env("TRINE_THREADS", "2");
        children.push((way, case.stderr(Stdio::piped()).spawn().unwrap()));
        // A few at a time, because cases in which all threads wait take a while.
        if children.len() == 8 {
            children.drain(..).for_each(|(way, child)| {
                ended(way, &child.wait_with_output().unwrap());
            });
        }
    }
    for (way, child) in children {
        ended(way, &child.wait_with_output().unwrap());
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
    let wait = WAYS.iter().find(|(name, _)| name == way).unwrap().1;
    let refuse: fn() -> Result<(), String> = match &**resource {
        "threads" => refuse_threads,
        "memory" => refuse_memory,
        "files" => refuse_files,
        "proc" => refuse_proc,
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
    if waits {
        // If nobody can run it, its arguments are dropped, on no thread that the rest needs.
        let _ = futures::executor::block_on(keeps(Blocks));
    }
    for (name, call) in CALLS {
        match wait(name, *call) {
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
    drop(feeds);
    println!("all ended");
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

#[concurrent(threads)]
fn arrive(barrier: Arc<Barrier>) {
    barrier.wait();
}

fn meet(count: usize) {
    watch();
    let barrier = Arc::new(Barrier::new(count));
    gather((0..count).map(|_| arrive(Arc::clone(&barrier)))).join().unwrap();
    println!("{count} met");
}

#[concurrent(threads)]
fn descend(levels: u32) -> u32 {
    if levels == 0 { 0 } else { descend(levels - 1).join().unwrap() + 1 }
}

#[concurrent(threads)]
fn descend_and_name(levels: u32) -> String {
    assert_eq!(descend(levels).join().unwrap(), levels);
    thread::current().name().unwrap().to_owned()
}

static AT_ONCE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[concurrent(threads)]
fn stay_a_while() {
    let now = AT_ONCE.fetch_add(1, Ordering::SeqCst) + 1;
    MOST.fetch_max(now, Ordering::SeqCst);
    thread::sleep(Duration::from_millis(5));
    AT_ONCE.fetch_sub(1, Ordering::SeqCst);
}

fn bounded() {
    watch();
    let calls: Vec<_> = (0..200).map(|_| stay_a_while()).collect();
    for call in calls {
        // Awaited, so that the joiner does not run it.
        futures::executor::block_on(call).unwrap();
    }
    println!("{} at once", MOST.load(Ordering::SeqCst));
}

/// Ends this program if it hangs.
fn watch() {
    // SAFETY: a plain system call.
    unsafe { libc::alarm(WATCHDOG) };
}

/// Allows no more threads, through the limit of a user that has no other process.
fn refuse_threads() -> Result<(), String> {
    const NOBODY_ELSE: libc::uid_t = 1_999_999_999;
    let one = libc::rlimit { rlim_cur: 1, rlim_max: 1 };
    // SAFETY: plain system calls.
    unsafe {
        if libc::getuid() == 0 {
            assert_eq!(libc::setgid(NOBODY_ELSE), 0);
            assert_eq!(libc::setuid(NOBODY_ELSE), 0);
        }
        assert_eq!(libc::setrlimit(libc::RLIMIT_NPROC, &raw const one), 0);
    }
    match thread::Builder::new().spawn(|| ()) {
        Ok(_) => Err("the limit of threads does not hold here".into()),
        Err(_) => Ok(()),
    }
}

/// Leaves too little memory for a thread's stack.
fn refuse_memory() -> Result<(), String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|why| why.to_string())?;
    let size = status.lines().find(|line| line.starts_with("VmSize:")).unwrap();
    let kibibytes: u64 = size.split_whitespace().nth(1).unwrap().parse().unwrap();
    let bytes = (kibibytes + 768) << 10;
    let tight = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: a plain system call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const tight) }, 0);
    assert!(thread::Builder::new().spawn(|| ()).is_err());
    Ok(())
}

/// Allows no more descriptors.
fn refuse_files() -> Result<(), String> {
    let few = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
    // SAFETY: a plain system call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const few) }, 0);
    while let Ok(file) = File::open("/dev/null") {
        std::mem::forget(file);
    }
    Ok(())
}

/// Hides `/proc`, as in a bare chroot.
fn refuse_proc() -> Result<(), String> {
    // SAFETY: a plain system call.
    match unsafe { libc::chroot(c"/proc/self/fdinfo".as_ptr()) } {
        0 => Ok(()),
        _ => Err("this user may not change the root".into()),
    }
}
