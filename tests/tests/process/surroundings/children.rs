//! Other processes: a worker's children, signals to all processes, and who learns of a worker's
//! end.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread;

use trine::{Sender, Task, channel, concurrent};
use trine_tests::checks::wait_until;
use trine_tests::gate::Gate;
use trine_tests::process::double;

use super::{end_here, ends, pass, passes, wants};

/// Starts processes that leave its session: a child, a child's child, and one whose parent has
/// ended.
#[expect(clippy::zombie_processes, reason = "they are to be there when it is killed")]
fn start_strays(port: u16) {
    for script in ["exec setsid sleep 1000", "setsid sleep 1000; true"] {
        Command::new("sh").args(["-c", script]).stdin(Stdio::null()).spawn().unwrap();
    }
    Command::new("sh").args(["-c", "(setsid sleep 1000 &)"]).stdin(Stdio::null()).status().unwrap();
    pass(port);
}

#[concurrent(process)]
pub(super) fn stray(port: u16) {
    start_strays(port);
}

#[concurrent(process, timeout = 2s)]
fn timed_stray(port: u16) {
    start_strays(port);
}

/// A body that has started them all, and what became of its task.
fn with_strays(call: fn(u16) -> Task<()>, end: impl FnOnce(Task<()>)) {
    let gate = Gate::new();
    let task = call(gate.port());
    let _stream = gate.entered();
    wait_until(|| sleepers().len() == 3);
    end(task);
    wait_until(|| sleepers().is_empty());
}

pub(super) fn strays() {
    with_strays(stray, |task| task.cancel());
    with_strays(stray, drop);
    with_strays(timed_stray, |task| assert!(task.join().unwrap_err().is_timeout()));
    println!("ok");
}

/// Processes that sleep and have the same stdout as this one.
pub(super) fn sleepers() -> Vec<i32> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    ids.filter(|id| {
        let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let stdout = fs::read_link(format!("/proc/{id}/fd/1")).ok();
        command == b"sleep\x001000\0"
            && stdout.is_some()
            && stdout == fs::read_link("/proc/self/fd/1").ok()
    })
    .collect()
}

/// How a child that this worker starts treats the signal.
#[concurrent(process)]
pub(super) fn masks_of_a_child() -> String {
    let output = Command::new("grep").args(["Sig[ICB]", "/proc/self/status"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// What asks a program for something: to end, to read its settings anew, to open its logs again.
const ASKING: [i32; 6] =
    [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];

/// A supervisor may signal every process; what that means is for the program to decide.
pub(super) fn terminated() {
    let gate = Gate::new();
    let task = passes(gate.port());
    let stream = gate.entered();
    let threads = fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
    let all: String = threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .collect();
    for id in all.split_whitespace() {
        for signal in ASKING {
            // SAFETY: to a child of ours.
            unsafe { libc::kill(id.parse().unwrap(), signal) };
        }
    }
    drop(stream);
    task.join().unwrap();
    let masks = masks_of_a_child().join().unwrap();
    let all = |name: &str| {
        let line = masks.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    let terminate = 1_u64 << (libc::SIGTERM - 1);
    assert_eq!((all("SigIgn:") | all("SigCgt:")) & terminate, 0, "{masks}");
    println!("ok");
}

/// A program that takes its signals by `sigwait` blocks them in all of its threads.
pub(super) fn blocks_signals() {
    // SAFETY: a set with all signals, for this thread.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
    }
    let masks = masks_of_a_child().join().unwrap();
    assert!(masks.contains("SigBlk:\t0000000000000000"), "{masks}");
    let error = ends("overflow").join().unwrap_err();
    assert!(error.to_string().contains("overflowed its stack"), "{error}");
    println!("ok");
}

/// A child in the worker's group, and one that has left it for a session of its own, when the
/// worker dies by itself.
pub(super) fn crashes_with_children() {
    for how in ["abort", "segfault", "exit"] {
        let gate = Gate::new();
        let task = crashes_with_strays(gate.port(), how);
        let stream = gate.entered();
        wait_until(|| sleepers().len() == 2);
        drop(stream);
        assert!(task.join().unwrap_err().is_crash());
        // Nobody kills the one that has left.
        wait_until(|| sleepers().len() == 1);
        for id in sleepers() {
            // SAFETY: a process that sleeps, and that this test has started.
            unsafe { libc::kill(id, libc::SIGKILL) };
        }
        wait_until(|| sleepers().is_empty());
    }
    println!("ok");
}

#[concurrent(process)]
#[expect(clippy::zombie_processes, reason = "they are to be there when it dies")]
fn crashes_with_strays(port: u16, how: &str) {
    Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
    Command::new("sh").args(["-c", "(setsid sleep 1000 &)"]).stdin(Stdio::null()).status().unwrap();
    pass(port);
    if how == "exit" {
        std::process::exit(3);
    }
    end_here(how);
}

#[concurrent(process, timeout = 100ms)]
#[expect(clippy::zombie_processes, reason = "it is to be there when this process is killed")]
pub(super) fn sleeps_with_a_child() {
    let _child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
    loop {
        thread::park();
    }
}

pub(super) fn process_1() {
    assert_eq!(std::process::id(), 1);
    for _ in 0..5 {
        assert!(sleeps_with_a_child().join().unwrap_err().is_timeout());
    }
    assert_eq!(double(1).join().unwrap(), 2);
    wait_until(|| zombies() == 0);
    println!("ok");
}

/// Sooner or later every process is a child of this one here.
pub(super) fn zombies() -> usize {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let stats = processes.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z"))).count()
}

#[concurrent(process)]
pub(super) fn aborts_in_a_panic() {
    no_way_out();
}

extern "C" fn no_way_out() {
    panic!("no way out");
}

/// The kernel reaps children here, and nobody learns how they ended.
pub(super) fn no_children() {
    // SAFETY: the signal is ignored.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    for _ in 0..3 {
        let error = wants(1 << 30).join().unwrap_err();
        assert!(error.is_memory_limit(), "{error}");
        let error = aborts_in_a_panic().join().unwrap_err();
        assert!(error.is_panic(), "{error}");
        let error = ends("abort").join().unwrap_err();
        assert!(error.is_crash(), "{error}");
        assert_eq!(double(1).join().unwrap(), 2);
    }
    println!("ok");
}

#[concurrent(process)]
fn waits_for_a_child() -> bool {
    std::process::Command::new("true").status().unwrap().success()
}

/// A program that ignores all signals: its workers can wait for their children, and errors say
/// what ended them.
pub(super) fn ignores_signals() {
    for signal in 1..65 {
        // SAFETY: the signal is ignored, if it can be.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    assert!(waits_for_a_child().join().unwrap());
    let error = ends("overflow").join().unwrap_err();
    assert!(error.to_string().contains("overflowed its stack"), "{error}");
    // SAFETY: the default, so that this program hears how its children end.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    for (how, signal) in [("abort", "SIGABRT"), ("segfault", "SIGSEGV"), ("raise", "SIGFPE")] {
        let error = ends(how).join().unwrap_err();
        assert!(error.is_crash() && error.to_string().contains(signal), "{how}: {error}");
    }
    println!("ok");
}

/// In a part of its own, because a child of a program with threads may find any lock held.
pub(super) fn forked() {
    let gate = Gate::new();
    let running = passes(gate.port());
    let stream = gate.entered();
    let waiting: Vec<_> = (0..50).map(double).collect();
    // SAFETY: the child drops tasks, joins one and exits.
    let child = unsafe { libc::fork() };
    if child == 0 {
        drop(running);
        drop(waiting);
        let code = i32::from(double(1).join().is_ok());
        // SAFETY: ends the child without the parent's handlers.
        unsafe { libc::_exit(code) }
    }
    let mut status = 0;
    // SAFETY: waits for our own child.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    let status = std::process::ExitStatus::from_raw(status);
    assert!(status.success(), "{status:?}");
    drop(stream);
    running.join().unwrap();
    for (number, task) in waiting.into_iter().enumerate() {
        assert_eq!(task.join().unwrap() as usize, number * 2);
    }
    println!("ok");
}

/// How a child ends that a body forks.
#[concurrent(process)]
fn child_that(how: &str, feed: Sender<u32>) -> i32 {
    in_a_child(how, feed)
}

#[concurrent(process, memory = 100MiB)]
fn bounded_child_that(how: &str) -> i32 {
    in_a_child(how, channel(1).0)
}

/// What a child does, and how it ends then.
const HOW: [(&str, i32); 6] = [
    ("returns", 0),
    ("panics", 101 << 8),
    ("cannot unwind", libc::SIGABRT),
    ("overflow", libc::SIGSEGV),
    ("allocates", libc::SIGABRT),
    ("waits", 0),
];

fn in_a_child(how: &str, feed: Sender<u32>) -> i32 {
    // SAFETY: a child of a process whose other threads do nothing.
    let child = unsafe { libc::fork() };
    if child != 0 {
        let mut status = 0;
        // SAFETY: a child of this process.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        return status;
    }
    // It has memory of its own where the worker has what it shares with its parent.
    let filled: Vec<_> = (0..8).map(|_| std::hint::black_box(vec![0_u8; 300 << 10])).collect();
    let check = move || {
        let is_filled = std::hint::black_box(&filled).iter().flatten().all(|byte| *byte == 0);
        if !is_filled {
            // SAFETY: ends the child.
            unsafe { libc::_exit(77) };
        }
    };
    let after_hooks = check.clone();
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        previous(info);
        after_hooks();
    }));
    match how {
        "panics" => panic!("in the child"),
        "cannot unwind" => no_way_out(),
        "allocates" => drop(std::hint::black_box(vec![1_u8; 1 << 30])),
        "waits" => trine::blocking(|| drop(feed)),
        "returns" => {}
        _ => end_here(how),
    }
    check();
    0
}

/// Whatever a child does, it does nothing in the name of its worker.
pub(super) fn bodies_fork() {
    for (how, status) in HOW {
        if how != "allocates" {
            let (feed, _items) = channel(1);
            assert_eq!(child_that(how, feed).join().unwrap(), status, "{how}");
        }
        assert_eq!(bounded_child_that(how).join().unwrap(), status, "{how}, bounded");
    }
    println!("ok");
}
