//! Every way in which a process task can end: each can be told from the others, and the next call
//! works.
//!
//! This is in a library because the same must hold in a test and in an ordinary program: Cargo
//! builds tests with unwinding whatever the profile says, and programs with LTO and `panic =
//! "abort"`.

use std::process::Command;
use std::time::Duration;

use trine::{Error, ErrorKind, concurrent, gather};

use crate::checks::{self, Named, output_of, part, wait_until};
use crate::process::double;
use crate::system::bounds_memory;

mod files;

/// Runs the whole table, or what the arguments name.
pub fn main() {
    checks::main(PARTS, CHECKS, checks::in_turn);
}

const PARTS: &[Named] = &[
    ("panics", || say(&boom("it").join().unwrap_err())),
    ("panics-deep", || say(&panics_at_depth(2_000).join().unwrap_err())),
    ("panics-limited", panics_limited),
    ("overruns", || println!("{}", allocate(1 << 30).join().unwrap_err())),
    ("garbage", || assert_eq!(files::writes_garbage().join().unwrap(), 3)),
];

const CHECKS: &[Named] = &[
    ("values cross", values_cross),
    ("every death is told apart and the next call works", every_death),
    ("only the call that ran is blamed", only_the_call_that_ran),
    ("a panic comes back with message and place", panic_with_message_and_place),
    ("a panic that aborts comes back as a panic", panic_that_aborts),
    ("a long panic that aborts comes back as well", long_panic_that_aborts),
    ("a panic brings its backtrace if asked to", || brings_backtrace("panics", "go_off")),
    ("a deep panic that aborts brings its backtrace", || {
        brings_backtrace("panics-deep", "descend")
    }),
    ("a panic below a memory limit brings its backtrace", limited_panic_brings_backtrace),
    ("a memory limit holds", memory_limit),
    ("a memory limit is told without stderr", memory_limit_without_stderr),
    ("a memory limit is told with backtraces on", memory_limit_with_backtraces),
    ("a panic with an allocation that fails is a panic", panic_without_memory),
    ("what never ends is ended", what_never_ends),
    ("a body that forks", || assert_eq!(forks_and_returns_twice().join().unwrap(), 2)),
    ("a body that forks and leaves", forks_and_leaves),
    ("a body that closes all files", files::closed),
    ("a body that closes all files and dies later", files::closed_before_the_end),
    ("garbage on stdout", files::garbage_on_stdout),
];

#[concurrent(process)]
fn repeated<T>(value: T, times: usize) -> Vec<T>
where
    T: Clone + Send + 'static + serde::Serialize + serde::de::DeserializeOwned,
{
    vec![value; times]
}

#[concurrent(process)]
fn doubled_below(number: u32) -> Result<u32, String> {
    double(number).join().map_err(|error| error.to_string())
}

fn values_cross() {
    let all = gather((0..1000).map(double)).join().unwrap();
    assert!(all.into_iter().eq((0..1000).map(|number| number * 2)));
    assert_eq!(repeated("text".to_owned(), 3).join().unwrap(), ["text"; 3]);
    assert!(repeated(1.5, 1 << 20).join().unwrap() == vec![1.5; 1 << 20]);
    assert_eq!(doubled_below(4).join().unwrap(), Ok(8));
}

#[concurrent(process)]
fn end(how: &str) {
    match how {
        "abort" => std::process::abort(),
        // SAFETY: there is nothing at that address, which is the point.
        "segfault" => unsafe { std::ptr::null_mut::<u8>().write_volatile(1) },
        "overflow" => assert!(deep(1) > 1),
        // SAFETY: ends the process.
        "killed" => unsafe { assert_eq!(libc::raise(libc::SIGKILL), 0) },
        // SAFETY: ends the process.
        "_exit" => unsafe { libc::_exit(3) },
        code => std::process::exit(code.parse().unwrap()),
    }
}

#[allow(unconditional_recursion)]
fn deep(number: u64) -> u64 {
    let room = std::hint::black_box([number; 512]);
    deep(number + 1) + std::hint::black_box(&room)[7]
}

fn every_death() {
    let died = |signal| ErrorKind::Crashed { signal: Some(signal), code: None };
    let left = |code| ErrorKind::Crashed { signal: None, code: Some(code) };
    let outcomes = [
        ("abort", died(libc::SIGABRT)),
        ("segfault", died(libc::SIGSEGV)),
        ("overflow", ErrorKind::StackOverflow),
        ("killed", died(libc::SIGKILL)),
        ("_exit", left(3)),
        ("0", left(0)),
        ("7", left(7)),
    ];
    for (how, outcome) in outcomes {
        let error = end(how).join().unwrap_err();
        assert_eq!(*error.kind(), outcome, "{how}");
        assert_eq!(double(4).join().unwrap(), 8);
    }
}

fn only_the_call_that_ran() {
    for _ in 0..10 {
        let before: Vec<_> = (0..500).map(double).collect();
        let crash = end("9");
        let after: Vec<_> = (0..500).map(double).collect();
        assert!(crash.join().unwrap_err().is_crash());
        assert_eq!(gather(before).join().unwrap().len(), 500);
        assert_eq!(gather(after).join().unwrap().len(), 500);
    }
}

#[concurrent(process)]
fn boom(why: &str) {
    go_off(why);
}

/// A backtrace shows this name: a body is a closure, which may be merged with its callers.
#[inline(never)]
fn go_off(why: &str) {
    assert!(std::hint::black_box(false), "{why} went off");
}

#[concurrent(process)]
fn boom_with_a_number() {
    std::panic::panic_any(7_u8)
}

/// The message and the location of a panic in this file.
fn message_of(error: &Error) -> &str {
    let ErrorKind::Panicked { message, location } = error.kind() else { panic!("{error}") };
    assert!(location.as_deref().is_some_and(|l| l.contains("src/outcomes.rs:")), "{location:?}");
    message
}

fn panic_with_message_and_place() {
    assert_eq!(message_of(&boom("it").join().unwrap_err()), "it went off");
    assert_eq!(message_of(&boom_with_a_number().join().unwrap_err()), "Box<dyn Any>");
    assert_eq!(double(4).join().unwrap(), 8);
}

#[concurrent(process)]
fn aborts_while_unwinding() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("second");
        }
    }
    let _bomb = Bomb;
    panic!("first");
}

fn panic_that_aborts() {
    let error = aborts_while_unwinding().join().unwrap_err();
    assert!(error.is_panic(), "{error}");
}

/// Panics where nothing can unwind, so that the process aborts in every build.
extern "C" fn cannot_unwind() {
    assert!(std::hint::black_box(false), "no way out");
}

#[concurrent(process)]
fn panics_at_depth(depth: u32) {
    descend(depth);
}

#[inline(never)]
fn descend(depth: u32) -> u32 {
    if depth == 0 {
        cannot_unwind();
        return 0;
    }
    std::hint::black_box(descend(std::hint::black_box(depth - 1))) + 1
}

fn long_panic_that_aborts() {
    let long = "long ".repeat(50_000);
    let message = boom(&long).join().unwrap_err();
    let message = message_of(&message);
    // If it aborts, there is room for the beginning only.
    assert!(message.starts_with("long long ") && message.len() > 1000, "{}", message.len());
    assert!(cfg!(panic = "abort") || message == format!("{long} went off"));
}

/// Describes an error in one line, with its backtrace.
fn say(error: &Error) {
    assert!(error.is_panic(), "{error}");
    let backtrace = error.backtrace().unwrap_or("none");
    println!("{error}\n{backtrace}");
}

fn asking_for_backtraces(name: &str) -> Command {
    let mut command = part(name);
    command.env("RUST_BACKTRACE", "1").env_remove("RUST_LIB_BACKTRACE");
    command
}

/// Checks that there is a backtrace down to the function of that name if one is asked for, and none
/// otherwise.
fn brings_backtrace(name: &str, function: &str) {
    let said = output_of(asking_for_backtraces(name));
    let (_, backtrace) = said.split_once('\n').unwrap();
    assert!(backtrace.contains(function) && backtrace.lines().count() > 5, "{said}");
    let mut command = part(name);
    command.env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE");
    let said = output_of(command);
    assert!(said.ends_with("\nnone\n"), "{said}");
}

#[concurrent(process, memory = 64MiB)]
fn boom_limited(why: &str) {
    go_off(why);
}

#[concurrent(process, memory = 64MiB)]
fn allocate_limited(bytes: usize) -> usize {
    std::hint::black_box(vec![1_u8; bytes]).len()
}

/// Many times in one worker: what a backtrace uses must not be missing for the bodies.
fn panics_limited() {
    for _ in 0..3 {
        say(&boom_limited("it").join().unwrap_err());
        assert_eq!(allocate_limited(40 << 20).join().unwrap(), 40 << 20);
    }
    assert!(allocate_limited(1 << 30).join().unwrap_err().is_memory_limit());
}

fn limited_panic_brings_backtrace() {
    if !bounds_memory() {
        return;
    }
    brings_backtrace("panics-limited", "go_off");
}

#[concurrent(process, memory = 256MiB)]
fn allocate(bytes: usize) -> usize {
    std::hint::black_box(vec![1_u8; bytes]).len()
}

fn memory_limit() {
    if !bounds_memory() {
        return;
    }
    assert_eq!(allocate(1 << 20).join().unwrap(), 1 << 20);
    let error = allocate(1 << 30).join().unwrap_err();
    assert!(error.is_memory_limit(), "{error}");
    assert_eq!(allocate(1 << 20).join().unwrap(), 1 << 20);
}

#[concurrent(process, memory = 256MiB)]
fn allocate_without_stderr(bytes: usize) -> usize {
    // SAFETY: it belongs to this process; from now on writing there fails with an error of its own.
    unsafe { libc::close(2) };
    std::hint::black_box(vec![1_u8; bytes]).len()
}

fn memory_limit_without_stderr() {
    if !bounds_memory() {
        return;
    }
    let error = allocate_without_stderr(1 << 30).join().unwrap_err();
    assert!(error.is_memory_limit(), "{error}");
}

/// A worker without memory does not symbolize anything.
fn memory_limit_with_backtraces() {
    if !bounds_memory() {
        return;
    }
    let mut command = asking_for_backtraces("overruns");
    let output = command.stderr(std::process::Stdio::piped()).output().unwrap();
    let [said, warned] = [&output.stdout, &output.stderr].map(|s| String::from_utf8_lossy(s));
    assert_eq!(said, "task `allocate` went over its memory limit\n", "{warned}");
    assert!(warned.contains("memory allocation of"), "{warned}");
    assert!(!warned.contains("stack backtrace:"), "{warned}");
}

/// Panics, and during the abort an allocation fails as well, as one for a long message may.
#[concurrent(process, memory = 256MiB)]
fn panics_without_memory() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        previous(info);
        assert!(Vec::<u8>::new().try_reserve(1 << 30).is_err());
    }));
    cannot_unwind();
}

fn panic_without_memory() {
    if !bounds_memory() {
        return;
    }
    let error = panics_without_memory().join().unwrap_err();
    assert!(error.is_panic(), "{error}");
}

#[concurrent(process)]
fn forever() {
    loop {
        std::thread::park();
    }
}

#[concurrent(process, timeout = 30ms)]
fn too_long() {
    loop {
        std::hint::spin_loop();
    }
}

fn what_never_ends() {
    let task = forever();
    task.cancel();
    assert!(task.join().unwrap_err().is_cancelled());
    assert!(too_long().join().unwrap_err().is_timeout());
    let limited = forever().timeout(Duration::from_millis(20));
    assert!(limited.join().unwrap_err().is_timeout());
    drop(forever());
    assert_eq!(double(1).join().unwrap(), 2);
}

#[concurrent(process)]
fn forks_and_returns_twice() -> u32 {
    // SAFETY: a worker has one thread.
    let child = unsafe { libc::fork() };
    if child == 0 { 1 } else { 2 }
}

/// The worker leaves, but its child, which has all its files, stays.
#[concurrent(process)]
fn forks_and_is_gone(path: &str) {
    // SAFETY: a worker has one thread.
    let child = unsafe { libc::fork() };
    if child != 0 {
        std::fs::write(path, child.to_string()).unwrap();
        // SAFETY: ends the process.
        unsafe { libc::_exit(5) };
    }
    loop {
        std::thread::park();
    }
}

fn forks_and_leaves() {
    let path = std::env::temp_dir().join(format!("trine-fork-{}", std::process::id()));
    let error = forks_and_is_gone(path.to_str().unwrap()).join().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Crashed { signal: None, code: Some(5) });
    let child = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    std::fs::remove_file(&path).unwrap();
    wait_until(|| !crate::system::is_alive(child));
    assert_eq!(double(2).join().unwrap(), 4);
}
