//! Unusual surroundings: programs with somebody else's rights, without SIGCHLD, on a terminal, as
//! process 1, on one core, or refused what a worker needs. A worker inherits what the chapter names
//! and no more, and what it does or suffers stays in it.
//!
//! No test harness: this program also plays the programs in such surroundings.

use std::io::Read;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use trine::concurrent;
use trine_tests::checks::{self, Named, part};

mod children;
mod filters;
mod inheritance;
mod oddities;
mod printing;
mod refusals;
mod rights;

use children::{
    blocks_signals, bodies_fork, crashes_with_children, forked, ignores_signals, no_children,
    process_1, strays, terminated,
};
use inheritance::{
    allocator_reserves, file_limit, listener, masks_files, moves, no_standard_files, pinned,
    reserves, stands_nowhere, tiny_file_limit, works_quietly,
};
use printing::{asks, c_output, on_terminal, overflows, says};
use rights::{
    gives_up, gives_up_capabilities, gives_up_groups, gives_up_its_last, gives_up_kept, secure,
    secure_starts_nothing,
};

fn main() {
    // All they do is wait for programs, in one case for long.
    let parts = [PARTS, refusals::PARTS, filters::PARTS, oddities::PARTS].concat();
    let checks = [CHECKS, refusals::CHECKS, filters::CHECKS, oddities::CHECKS].concat();
    checks::main(&parts, &checks, checks::at_once);
}

const PARTS: &[Named] = &[
    ("secure", secure),
    ("gives-up", gives_up),
    ("gives-up-kept", gives_up_kept),
    ("gives-up-its-last", gives_up_its_last),
    ("gives-up-groups", gives_up_groups),
    ("gives-up-capabilities", gives_up_capabilities),
    ("says", || {
        println!("{}", says("hello").join().map_or_else(|e| e.to_string(), |()| "said".into()))
    }),
    ("asks", || println!("{:?}", asks().join().map_err(|error| error.to_string()))),
    ("file-limit", file_limit),
    ("tiny-file-limit", tiny_file_limit),
    ("listener", listener),
    ("strays", strays),
    ("crashes-with-children", crashes_with_children),
    ("terminated", terminated),
    ("blocks-signals", blocks_signals),
    ("ignores-signals", ignores_signals),
    ("process-1", process_1),
    ("no-children", no_children),
    ("c-output", c_output),
    ("overflows", overflows),
    ("pinned", pinned),
    ("forked", forked),
    ("bodies-fork", bodies_fork),
    ("moves", moves),
    ("reserves", reserves),
    ("works-quietly", works_quietly),
    ("stands-nowhere", stands_nowhere),
    ("masks-files", masks_files),
];

const CHECKS: &[Named] = &[
    ("a program with rights of others starts nothing", secure_starts_nothing),
    ("rights that are given up are gone", || said("gives-up", "ok\n")),
    ("rights that workers with state have", || said("gives-up-kept", "ok\n")),
    ("rights of the only worker, where no other can start", || {
        let mut last = part("gives-up-its-last");
        last.env("TRINE_PROCESSES", "1");
        said_by(last, "ok\n");
    }),
    ("groups that only this thread gives up", || said("gives-up-groups", "ok\n")),
    // They are Linux's own.
    #[cfg(not(trine_platform = "unix"))]
    ("capabilities that only this thread gives up", || said("gives-up-capabilities", "ok\n")),
    ("a terminal that stops its background", || assert!(on_terminal("says", "").contains("said"))),
    ("a question on the terminal", || assert!(on_terminal("asks", "word\n").contains("rr("))),
    ("a limit of file sizes", || said("file-limit", "ok\n")),
    ("a limit of file sizes below all that is needed", || said("tiny-file-limit", "ok\n")),
    ("a file that nobody closes", || said("listener", "ok\n")),
    // A kill reaches the worker's group there.
    #[cfg(not(trine_platform = "unix"))]
    ("a grandchild in a session of its own", || said("strays", "ok\n")),
    ("a crash ends the worker's group", || said("crashes-with-children", "ok\n")),
    ("signals to everybody", || said("terminated", "ok\n")),
    ("a thread that blocks all signals", || said("blocks-signals", "ok\n")),
    ("a program that ignores all signals", || said("ignores-signals", "ok\n")),
    ("no standard files", no_standard_files),
    ("a folder that is gone", || said("stands-nowhere", "ok\n")),
    ("permission to do nothing with new files", || said("masks-files", "ok\n")),
    ("process 1 has no zombies", || said_in_namespace("process-1", "ok\n")),
    ("nobody hears of children", || said("no-children", "ok\n")),
    ("what c printed is out", || said("c-output", "from rust, from c, joined\n")),
    ("a stack overflow is told", || said("overflows", "ok\n")),
    // Nobody says there which cores a program had.
    #[cfg(not(trine_platform = "unix"))]
    ("a thread on one core", || said("pinned", "ok\n")),
    ("a forked child that drops a task", || said("forked", "ok\n")),
    ("children of bodies, however they end", || said("bodies-fork", "ok\n")),
    ("folder and environment are those of a worker's start", || said("moves", "ok\n")),
    ("an allocator that reserves much", allocator_reserves),
];

/// What a part prints, which must succeed, and in time.
fn said(name: &str, expected: &str) {
    said_by(part(name), expected);
}

fn said_by(part: Command, expected: &str) {
    let name = format!("{part:?}");
    let said = output(part);
    match said.strip_prefix("skipped: ") {
        Some(why) => println!("skipped {name}: {}", why.trim_end()),
        None => assert_eq!(said, expected, "{name}"),
    }
}

fn output(mut command: Command) -> String {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let mut said = String::new();
        stdout.read_to_string(&mut said).map(|_| said)
    });
    let start = Instant::now();
    while !reader.is_finished() || child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(60) {
            let _ = child.kill();
            panic!("it hangs: {command:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
    let status = child.wait().unwrap();
    let said = reader.join().unwrap().unwrap();
    assert!(status.success(), "{command:?}: {status:?} {said}");
    said
}

fn skip(why: &str) {
    println!("skipped: {why} ({})", std::io::Error::last_os_error());
}

fn is_root() -> bool {
    // SAFETY: it only asks.
    unsafe { libc::geteuid() == 0 }
}

/// Comes to a gate, and waits until it may go on.
fn pass(port: u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let _ = stream.read(&mut [0]);
}

#[concurrent(process)]
fn passes(port: u16) -> u32 {
    pass(port);
    std::process::id()
}

/// Plays a part as the first process of a new namespace.
fn said_in_namespace(name: &str, expected: &str) {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc"]).arg(std::env::current_exe().unwrap());
    command.arg(name).stdin(Stdio::null());
    if !is_root() {
        return println!("skipped {name}: needs the superuser");
    }
    assert_eq!(output(command), expected);
}

#[concurrent(process, memory = 64MiB)]
fn wants(bytes: usize) -> usize {
    std::hint::black_box(vec![1_u8; bytes]).len()
}

#[concurrent(process)]
fn ends(how: &str) {
    end_here(how);
}

fn end_here(how: &str) {
    match how {
        "abort" => std::process::abort(),
        "overflow" => assert!(deep(1) > 1),
        // SAFETY: there is nothing at that address, which is the point.
        "segfault" => unsafe { std::ptr::null_mut::<u8>().write_volatile(1) },
        // SAFETY: it ends this process, unless that is ignored.
        "raise" => _ = unsafe { libc::raise(libc::SIGFPE) },
        how => panic!("{how}"),
    }
}

#[allow(unconditional_recursion)]
fn deep(number: u64) -> u64 {
    let room = std::hint::black_box([number; 512]);
    deep(number + 1) + std::hint::black_box(&room)[7]
}
