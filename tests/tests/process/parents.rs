//! Parents: how they end, what they leave behind, and what their workers inherit from them.
//!
//! No test harness: this program also plays the parents, so that each can be killed. It also shows
//! that a program with a `main` of its own needs nothing special for its workers.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use trine::{Config, concurrent, gather};
use trine_tests::checks::{self, Named, output_of, part, wait_until};
use trine_tests::process::{IS_POSIX, double};
use trine_tests::system::is_alive;

#[concurrent(process)]
fn forever() {
    loop {
        thread::park();
    }
}

/// Starts a child that stays behind, and prints both numbers.
#[concurrent(process)]
#[expect(clippy::zombie_processes, reason = "it is to be there when this process is killed")]
fn forever_with_a_child() {
    let child = Command::new("sleep").arg("1000").spawn().unwrap();
    println!("{} {}", std::process::id(), child.id());
    loop {
        thread::park();
    }
}

/// The same with one that leaves the worker's group.
#[concurrent(process)]
#[expect(clippy::zombie_processes, reason = "it is to be there when this process is killed")]
fn forever_with_a_daemon() {
    let mut command = Command::new("sleep");
    // SAFETY: only a system call, before the program is replaced.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            Ok(())
        });
    }
    let child = command.arg("1000").stdout(Stdio::null()).spawn().unwrap();
    println!("{} {}", std::process::id(), child.id());
    loop {
        thread::park();
    }
}

#[concurrent(process)]
fn what_is_there() -> (String, Vec<String>, Vec<String>) {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    let files = fs::read_dir("/proc/self/fd").unwrap();
    let names = files.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let variables = std::env::vars().map(|(name, _)| name).filter(|n| n.starts_with("TRINE"));
    (input, names.collect(), variables.collect())
}

#[concurrent(process)]
fn prints_without_a_newline() {
    print!("to the end");
}

#[concurrent(process, fresh)]
fn prints_in_a_new_worker() {
    print!("to the end");
}

#[concurrent(process)]
fn spawned_by_a_constructor() -> usize {
    CONSTRUCTED.load(Ordering::Relaxed)
}

static CONSTRUCTED: AtomicUsize = AtomicUsize::new(0);

/// A constructor, as registries have it: a worker must have run it, wherever the linker puts it.
#[used]
// SAFETY: the loader calls it as such a function.
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = {
    extern "C" fn construct() {
        CONSTRUCTED.fetch_add(1, Ordering::Relaxed);
    }
    construct
};

fn main() {
    // Calls are made beside one that never ends, on a machine with one core too.
    Config::new().processes(2).apply().unwrap();
    checks::main(PARTS, CHECKS, checks::in_turn);
}

const PARTS: &[Named] = &[
    ("serves", serves),
    ("waits", waits),
    ("waits-in-thread", waits_in_thread),
    ("prints", prints),
    ("prints-anew", prints_anew),
    ("waits-with-a-daemon", || _ = forever_with_a_daemon().join()),
];

const CHECKS: &[Named] = &[
    ("a main of its own needs nothing", serves_plainly),
    ("a killed parent leaves nobody", || killed_parent_leaves_nobody("waits", libc::SIGKILL)),
    ("the thread that called may be gone", || {
        killed_parent_leaves_nobody("waits-in-thread", libc::SIGKILL);
    }),
    ("ctrl-c leaves nobody", || killed_parent_leaves_nobody("waits", libc::SIGINT)),
    ("only a daemon outlives a killed parent", only_a_daemon_lives_on),
    ("the executable may be replaced", replaced_executable),
    ("what is inherited", inherited),
    ("all constructors run", || assert_eq!(spawned_by_a_constructor().join().unwrap(), 1)),
    ("output is there when the call is over", output_is_there),
    ("replaced workers leave nothing", replaced_workers_leave_nothing),
];

fn serves() {
    let all = gather((0..100).map(double)).join().unwrap();
    println!("{}", all.iter().sum::<u32>());
}

fn serves_plainly() {
    assert_eq!(output_of(part("serves")), "9900\n");
}

fn waits() {
    // Shells make background commands ignore it, and children inherit that. SAFETY: this installs
    // no handler; it restores the default.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    let _other = forever();
    let _ = forever_with_a_child().join();
}

fn waits_in_thread() {
    let task = thread::spawn(forever_with_a_child).join().unwrap();
    let _other = thread::spawn(forever).join().unwrap();
    let _ = task.join();
}

fn killed_parent_leaves_nobody(name: &str, signal: i32) {
    let mut parent = part(name).process_group(0).spawn().unwrap();
    let ids = read_line(&mut parent);
    let ids: Vec<i32> = ids.split_whitespace().map(|id| id.parse().unwrap()).collect();
    assert!(ids.len() == 2 && ids.iter().all(|&id| is_alive(id)), "{ids:?}");
    // To the group, as a terminal sends it; workers are in groups of their own. SAFETY: a signal to
    // a group that we made.
    unsafe { libc::kill(-(parent.id().cast_signed()), signal) };
    assert_eq!(parent.wait().unwrap().signal(), Some(signal));
    // The pipe ends once nobody holds it any more: worker and grandchild have it as stdout.
    parent.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
    for id in ids {
        wait_until(|| !is_alive(id));
    }
}

/// A process in a session of its own has left the group that ends with its parent.
fn only_a_daemon_lives_on() {
    let mut parent = part("waits-with-a-daemon").spawn().unwrap();
    let ids = read_line(&mut parent);
    let ids: Vec<i32> = ids.split_whitespace().map(|id| id.parse().unwrap()).collect();
    let [worker, daemon] = ids[..] else { panic!("{ids:?}") };
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_until(|| !is_alive(worker));
    assert!(is_alive(daemon));
    // SAFETY: a signal to a process of ours.
    unsafe { libc::kill(daemon, libc::SIGKILL) };
}

fn read_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line
}

/// By one that is no worker of it, before the first worker has started or after that; by another
/// build of it, which has every function at the same place; and by a copy of itself.
fn replaced_executable() {
    let own = fs::read(std::env::current_exe().unwrap()).unwrap();
    let none = fs::read("/bin/true").unwrap();
    let other = another_build(own.clone());
    assert!(other.is_some() || !cfg!(target_env = "gnu"), "the linker writes no number of a build");
    let other = other.map(|other| ("prints-anew", other, false));
    let cases = [("prints", none.clone(), false), ("prints-anew", none, false)];
    let cases = cases.into_iter().chain(other).chain([("prints-anew", own.clone(), true)]);
    let copy = std::env::temp_dir().join(format!("trine-copy-{}", std::process::id()));
    for (part, new, is_same) in cases {
        write_program(&copy, &own);
        let mut child = Command::new(&copy)
            .arg(part)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        assert_eq!(read_line(&mut child), "ready\n");
        write_program(&copy, &new);
        writeln!(child.stdin.take().unwrap(), "go").unwrap();
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success());
        if IS_POSIX && !is_same {
            // Workers are started by the path of the program.
            assert!(said.contains("could not start"), "{said}");
        } else {
            assert_eq!(said, "to the end");
        }
    }
    fs::remove_file(&copy).unwrap();
}

/// In place of the one that there may be, which may run.
fn write_program(path: &Path, bytes: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// This program with another number of its build, if it has one: in a note named GNU, of the third
/// kind, with 20 bytes.
fn another_build(mut program: Vec<u8>) -> Option<Vec<u8>> {
    let words = [4_u32, 20, 3, u32::from_ne_bytes(*b"GNU\0")];
    let note: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
    let start = program.windows(note.len()).position(|bytes| bytes == note)?;
    program[start + note.len()] ^= 1;
    Some(program)
}

/// Waits for a line, and then has a worker print.
fn prints() {
    wait_for_a_line();
    if let Err(error) = prints_without_a_newline().join() {
        print!("{error}");
    }
}

/// The same with a worker that is not the first one.
fn prints_anew() {
    assert_eq!(double(21).join().unwrap(), 42);
    wait_for_a_line();
    if let Err(error) = prints_in_a_new_worker().join() {
        print!("{error}");
    }
}

fn wait_for_a_line() {
    println!("ready");
    let _ = std::io::stdin().read_line(&mut String::new());
}

fn output_is_there() {
    assert_eq!(output_of(part("prints")), "ready\nto the end");
}

fn inherited() {
    let held = fs::File::open("/proc/self/status").unwrap();
    let (input, files, variables) = what_is_there().join().unwrap();
    drop(held);
    assert_eq!(input, "");
    assert!(files.iter().all(|name| !name.contains("/proc/self/status")), "{files:?}");
    assert!(files.iter().any(|name| name == "/dev/null"), "{files:?}");
    assert!(variables.iter().all(|name| name != "TRINE_WORKER"), "{variables:?}");
}

fn replaced_workers_leave_nothing() {
    let count: usize = std::env::var("TRINE_REPLACED").map_or(200, |count| count.parse().unwrap());
    let files = || fs::read_dir("/proc/self/fd").unwrap().count();
    assert_eq!(double(1).join().unwrap(), 2);
    let before = files();
    for number in 0..count {
        let task = forever();
        if number % 2 == 0 {
            // So that the call has been sent, and is probably running.
            assert_eq!(double(1).join().unwrap(), 2);
        }
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
    }
    assert_eq!(double(2).join().unwrap(), 4);
    // How many descriptors two workers hold is not what this asks: one that stays for each worker
    // that went would be hundreds.
    wait_until(|| files() <= before + 32);
    wait_until(|| zombies() == 0);
}

fn zombies() -> usize {
    let me = std::process::id().to_string();
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok());
    let stats = processes.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats
        .filter(|stat| {
            let mut rest = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
            rest.next() == Some("Z") && rest.next() == Some(&me)
        })
        .count()
}
