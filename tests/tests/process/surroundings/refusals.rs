//! What can keep a worker from starting: each is an error that says so, at once or within the time
//! allowed for a start, for every call, and leaves no process behind.

use std::ffi::CStr;
use std::io::Error as SystemError;
use std::process::Command;
use std::time::Duration;

use trine::{Error, ErrorKind, concurrent};
use trine_tests::checks::{Named, output_of, part};
use trine_tests::process::{EXECUTES, IS_POSIX, MAKES_MEMORY, double};

use super::skip;

/// Runs before the runtime's constructor. It spoils what that looks for, so that the worker runs
/// `main`, or it keeps the worker from ever reaching the constructor.
#[used]
// SAFETY: the loader calls it as such a function.
#[unsafe(link_section = ".init_array.00001")]
static SPOILER: extern "C" fn() = {
    extern "C" fn spoil() {
        let worker = c"TRINE_WORKER".as_ptr();
        // SAFETY: no other thread exists before `main`.
        unsafe {
            if libc::getenv(worker).is_null() {
                return;
            }
            if !libc::getenv(c"SPOIL".as_ptr()).is_null() {
                libc::setenv(worker, c"spoiled".as_ptr(), 1);
            }
            if !libc::getenv(c"SLOW".as_ptr()).is_null() {
                libc::sleep(3);
            }
            if !libc::getenv(c"PARK".as_ptr()).is_null() {
                assert_eq!(libc::write(1, c"parked\n".as_ptr().cast(), 7), 7);
                // The worker has not reached the point where the runtime ties it to its parent's
                // life.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                // That does not cover a parent that is already gone. Its number comes first in the
                // variable.
                if libc::getppid() != libc::atoi(libc::getenv(worker)) {
                    libc::_exit(1);
                }
                loop {
                    libc::pause();
                }
            }
        }
    }
    spoil
};

pub(super) const PARTS: &[Named] = &[
    ("calls", calls),
    // The argument that a worker is started with. Here it gets as far as `main`, which calls again.
    ("trine-worker", calls),
    ("forks", forks),
    ("few-files", || with_limit(libc::RLIMIT_NOFILE, 4)),
    ("little-memory", || with_limit(libc::RLIMIT_AS, address_space() + (256 << 10))),
    ("few-processes", few_processes),
    ("no-proc", no_proc),
    ("parks", parks),
    ("has-no-room", has_no_room),
    ("starts-slowly", starts_slowly),
];

pub(super) const CHECKS: &[Named] = &[
    ("without its constructor a program bombs nobody", no_constructor_no_bomb),
    ("a forked child is refused", forked_child_is_refused),
    ("a limit of open files", || {
        refused("few-files", &[&format!("{MAKES_MEMORY}: Too many open files")]);
    }),
    ("a limit of memory", || refused("little-memory", &["mmap: Cannot allocate memory"])),
    ("a limit of processes", || {
        refused("few-processes", &[&format!("{EXECUTES}Resource temporarily unavailable")]);
    }),
    ("no proc", || {
        refused("no-proc", &[if IS_POSIX { "the path of this program: " } else { EXECUTES }]);
    }),
    ("a worker that has no room for what arrives", || {
        for (way, resource) in (0..3).flat_map(|way| [(way, "memory"), (way, "files")]) {
            let mut command = part("has-no-room");
            command.args([&way.to_string(), resource]).env("TRINE_PROCESSES", "1");
            assert_eq!(output_of(command), "ok\n", "{way}, {resource}");
        }
    }),
    ("a worker that never gets ready", never_ready),
    ("a worker that starts slowly", || {
        let mut command = part("starts-slowly");
        command.env("SLOW", "1");
        assert_eq!(output_of(command), "ok\n");
    }),
];

/// Plays a part in which no worker can start, and looks for these words in its errors.
fn refused(name: &str, words: &[&str]) {
    refused_to(part(name), name, words);
}

pub(super) fn refused_to(part: Command, name: &str, words: &[&str]) {
    let said = output_of(part);
    if let Some(why) = said.strip_prefix("skipped: ") {
        println!("skipped {name}: {}", why.trim_end());
        return;
    }
    let is_told = |line: &str| {
        line.starts_with("task `double` could not start: ")
            && words.iter().all(|word| line.contains(word))
    };
    assert!(said.lines().count() > 2 && said.lines().all(is_told), "{name}: {said}");
}

/// Calls again and again, and many times at once; each call must be refused. Warming up is refused
/// without a word, before the first call and after it.
pub(super) fn say_refusals() {
    trine::process::warm_up();
    let alone = (0..3).map(|number| double(number).join());
    let many: Vec<_> = (0..100).map(double).collect();
    for result in alone.chain(many.into_iter().map(|task| task.join())) {
        let error = result.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Worker { .. }), "{error}");
        println!("{error}");
        trine::process::warm_up();
    }
    trine_tests::checks::wait_until(|| !has_children());
}

/// Whether this process has a child, dead or alive.
fn has_children() -> bool {
    // SAFETY: any bits are such a record, and this takes nothing from whoever waits for children.
    let waited = unsafe {
        let mut found = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        libc::waitid(libc::P_ALL, 0, &raw mut found, flags)
    };
    waited == 0 || SystemError::last_os_error().raw_os_error() != Some(libc::ECHILD)
}

fn with_limit(resource: trine_tests::limits::Resource, most: libc::rlim_t) {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: a valid limit.
    assert_eq!(unsafe { libc::setrlimit(resource, &raw const limit) }, 0);
    say_refusals();
}

/// In bytes.
fn address_space() -> libc::rlim_t {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').next().unwrap().parse::<libc::rlim_t>().unwrap() * 4096
}

/// The limit does not bind the superuser, so become somebody else.
fn few_processes() {
    const NOBODY: libc::uid_t = 65_534;
    // SAFETY: only for this process, which has one thread.
    let is_bound = unsafe { libc::geteuid() != 0 || libc::setresuid(NOBODY, NOBODY, NOBODY) == 0 };
    if !is_bound {
        return skip("nobody to become");
    }
    with_limit(libc::RLIMIT_NPROC, 1);
}

/// Hides `/proc` from this process only.
fn no_proc() {
    if hides(c"/proc") { say_refusals() } else { skip("no mounts here") }
}

/// Puts an empty folder in a folder's place, for this process only.
pub(super) fn hides(folder: &CStr) -> bool {
    let (none, root, tmpfs) = (c"none".as_ptr(), c"/".as_ptr(), c"tmpfs".as_ptr());
    let null = std::ptr::null();
    // SAFETY: strings that end in a zero, and mounts that only this process sees.
    unsafe {
        (libc::unshare(libc::CLONE_NEWNS) == 0
            || libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) == 0)
            && libc::mount(none, root, null, libc::MS_REC | libc::MS_PRIVATE, null.cast()) == 0
            && libc::mount(tmpfs, folder.as_ptr(), tmpfs, 0, null.cast()) == 0
    }
}

#[concurrent(process, timeout = 2s)]
fn timed(number: u32) -> u32 {
    number + 1
}

#[concurrent(process, fresh, timeout = 2s)]
fn timed_and_fresh(number: u32) -> u32 {
    number + 1
}

/// A function's time counts from the start of its body, however long its worker takes to start.
fn starts_slowly() {
    let tasks = [timed(1), timed_and_fresh(1), timed(1).map(|number| number)];
    let [joined, fresh, polled] = tasks;
    assert_eq!(trine::block_on(polled).unwrap(), 2);
    assert_eq!(joined.join().unwrap(), 2);
    assert_eq!(fresh.join().unwrap(), 2);
    println!("ok");
}

/// One worker for these calls, and another for the last call, which does not wait for it.
fn parks() {
    for task in [double(1), double(2), timed(3)] {
        let error = task.join().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Worker { .. }), "{error}");
        println!("{error}");
    }
    assert!(!has_children());
    let error = double(3).timeout(Duration::from_millis(1)).join().unwrap_err();
    assert!(error.is_timeout(), "{error}");
}

#[concurrent(process)]
fn tighten(memory: bool) {
    tighten_here(memory);
}

/// Those that yield have workers of their own.
#[concurrent(process)]
fn tighten_first(memory: bool) -> impl Iterator<Item = ()> {
    tighten_here(memory);
    std::iter::once(())
}

fn tighten_here(memory: bool) {
    let resource = if memory { libc::RLIMIT_AS } else { libc::RLIMIT_NOFILE };
    let most = if memory { address_space() + (256 << 10) } else { 0 };
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: a valid limit.
    assert_eq!(unsafe { libc::setrlimit(resource, &raw const limit) }, 0);
}

#[concurrent(process)]
fn length(bytes: Vec<u8>) -> usize {
    bytes.len()
}

#[concurrent(process)]
fn lengths(bytes: Vec<u8>) -> impl Iterator<Item = usize> {
    std::iter::once(bytes.len())
}

#[concurrent(process)]
fn long(length: usize) -> Vec<u8> {
    vec![1; length]
}

/// A body has taken what its worker needs for the next call. That call says so, and the worker
/// ends.
fn has_no_room() {
    const LONG: usize = 4 << 20;
    type Way = fn(usize) -> Result<usize, Error>;
    const WAYS: &[Way] = &[
        |long| length(vec![1; long]).join(),
        |long| trine::block_on(length(vec![1; long])),
        |long| lengths(vec![1; long]).gather().map(|all| all[0]).join(),
    ];
    let argument = |at| std::env::args().nth(at).unwrap();
    let memory = argument(3) == "memory";
    let why = if memory { "mmap: Cannot allocate" } else { "recvmsg: Too many open" };
    let way: usize = argument(2).parse().unwrap();
    let call = WAYS[way];
    match way {
        2 => assert_eq!(tighten_first(memory).gather().join().unwrap(), [()]),
        _ => tighten(memory).join().unwrap(),
    }
    let error = call(LONG).unwrap_err().to_string();
    assert!(error.contains(&format!("its arguments: {why}")), "{error}");
    assert_eq!(call(LONG).unwrap(), LONG);
    // What only a result needs is asked for again, and the worker stays.
    tighten(false).join().unwrap();
    let error = long(LONG).join().unwrap_err().to_string();
    assert!(error.contains(&format!("its result: {MAKES_MEMORY}: Too many open")), "{error}");
    assert_eq!(double(1).join().unwrap(), 2);
    println!("ok");
}

fn never_ready() {
    let mut command = part("parks");
    command.env("PARK", "1").env("TRINE_PROCESSES", "1");
    let said = output_of(command);
    let count = |words: &str| said.lines().filter(|line| line.contains(words)).count();
    assert_eq!(count("could not start: its worker was not ready within 10s"), 3, "{said}");
    assert!((1..=2).contains(&count("parked")), "{said}");
}

fn calls() {
    println!("{}", double(1).join().unwrap_err());
}

fn no_constructor_no_bomb() {
    let mut command = part("calls");
    command.env("SPOIL", "1");
    let said = output_of(command);
    // The worker was this program again. It played this part again, was refused, and ended.
    assert!(said.contains("was started as a worker, but"), "{said}");
    assert!(said.contains("exited with code 0 as it started"), "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
}

/// In a part of its own, because a child of a program with many threads may find any lock held.
fn forks() {
    assert_eq!(double(2).join().unwrap(), 4);
    // SAFETY: the child calls only what is safe there: this program's other thread holds no lock
    // for long that the child needs.
    let child = unsafe { libc::fork() };
    if child == 0 {
        trine::process::warm_up();
        println!("{}", double(2).join().unwrap_err());
        // SAFETY: ends the child without the parent's handlers.
        unsafe { libc::_exit(0) }
    }
    // SAFETY: waits for our own child.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
}

fn forked_child_is_refused() {
    let said = output_of(part("forks"));
    assert!(said.contains("could not start: this process was forked and"), "{said}");
}
