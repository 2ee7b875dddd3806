//! Surroundings that are odd and refuse nothing, or little: how the program is scheduled, what it
//! is called, what is loaded into it, how much of everything it may have.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use trine::{ErrorKind, Task, concurrent, gather};
use trine_tests::checks::{Named, output_of, part};
use trine_tests::process::{EXECUTES, double};
use trine_tests::rustc;

use super::inheritance::{fresh_double, works};
use super::refusals::hides;
use super::{ends, said, skip};

pub(super) const PARTS: &[Named] = &[
    ("works", || {
        works();
        println!("ok");
    }),
    ("scheduled", scheduled),
    ("without-devices", without_devices),
    ("oddly-named", oddly_named),
    ("in-a-cell", in_a_cell),
    ("many-files", many_files),
    ("few-of-them", few_of_them),
    ("interrupted", interrupted),
];

pub(super) const CHECKS: &[Named] = &[
    ("a scheduling policy", || {
        let policies = [libc::SCHED_IDLE, libc::SCHED_BATCH, libc::SCHED_FIFO, libc::SCHED_RR];
        policies.into_iter().for_each(|policy| works_with("scheduled", &policy.to_string()));
    }),
    // Its memory is in `/dev/shm` on Linux.
    #[cfg(not(trine_platform = "unix"))]
    ("no devices", || said("without-devices", "ok\n")),
    ("names that are no text, and no home", odd_names),
    ("libraries that are loaded first", preloaded),
    ("another root", || {
        let empty = std::env::temp_dir().join(format!("trine-cell-{}", std::process::id()));
        // One that is there is left from a test that failed.
        let _ = fs::create_dir(&empty);
        works_with("in-a-cell", empty.to_str().unwrap());
        fs::remove_dir(empty).unwrap();
    }),
    ("as many files as there may be", || said("many-files", "ok\n")),
    ("a limit of files, wherever it hits", || {
        // What the standard library needs before `main` is not there below.
        (3..40).for_each(|most| works_with("few-of-them", &format!("files {most}")));
    }),
    ("a group that has few processes", few_processes),
    ("signals while a worker ends", || said("interrupted", "ok\n")),
];

fn works_with(name: &str, how: &str) {
    let mut part = part(name);
    part.args(how.split(' '));
    let said = output_of(part);
    match said.strip_prefix("skipped: ") {
        Some(why) => println!("skipped {name} {how}: {}", why.trim_end()),
        None => assert_eq!(said, "ok\n", "{name} {how}"),
    }
}

fn argument(index: usize) -> String {
    std::env::args().nth(1 + index).unwrap()
}

fn scheduled() {
    let policy = argument(1).parse().unwrap();
    // SAFETY: how this process is scheduled, with the lowest priority that the policy has. Of the
    // fields, which are numbers, some C libraries have more.
    let is_set = unsafe {
        let mut how: libc::sched_param = std::mem::zeroed();
        how.sched_priority = libc::sched_get_priority_min(policy);
        libc::sched_setscheduler(0, policy, &raw const how) == 0
    };
    if !is_set {
        return skip("no such policy for this user");
    }
    works();
    println!("ok");
}

/// No `/dev/null`, no `/dev/shm`, no terminal.
fn without_devices() {
    if !hides(c"/dev") {
        return skip("no mounts here");
    }
    assert!(!Path::new("/dev/null").exists());
    works();
    println!("ok");
}

const ODD: &[u8] = b"odd \xff\xfe=\n";

#[concurrent(process)]
fn names() -> (Vec<Vec<u8>>, Option<Vec<u8>>, usize) {
    let arguments = std::env::args_os().map(OsStringExt::into_vec).collect();
    let odd = std::env::var_os("ODD").map(OsStringExt::into_vec);
    (arguments, odd, std::env::vars_os().count())
}

fn oddly_named() {
    let odd = Some(ODD.to_vec());
    assert_eq!(std::env::args_os().nth(2).map(OsStringExt::into_vec), odd);
    works();
    let (arguments, variable, count) = names().join().unwrap();
    assert_eq!((&arguments[0][..], variable), (ODD, odd));
    assert_eq!(count, std::env::vars_os().count());
    println!("ok");
}

fn odd_names() {
    let odd = OsStr::from_bytes(ODD);
    let mut command = part("oddly-named");
    command.arg0(odd).arg(odd).env_clear().env("ODD", odd).env(OsStr::from_bytes(b"\xff"), odd);
    assert_eq!(output_of(command), "ok\n");
}

/// A library with a thread of its own before any other code of the program.
const LIBRARY: &str = r#"
    #[used]
    #[unsafe(link_section = ".init_array")]
    static CONSTRUCTOR: extern "C" fn() = {
        extern "C" fn construct() {
            std::thread::spawn(|| loop {
                std::thread::sleep(std::time::Duration::from_millis(1));
                std::hint::black_box(std::env::var_os("HOME"));
            });
        }
        construct
    };
"#;

fn preloaded() {
    let id = std::process::id();
    let [source, library] =
        ["rs", "so"].map(|kind| rustc::scratch().join(format!("preloaded_{id}.{kind}")));
    fs::write(&source, LIBRARY).unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let built = Command::new(rustc)
        .args(["--edition=2024", "--crate-type=cdylib", "-o"])
        .args([&library, &source])
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    for first in [library.as_os_str(), "/nowhere/nothing.so".as_ref()] {
        let mut command = part("works");
        command.env("LD_PRELOAD", first);
        assert_eq!(output_of(command), "ok\n");
    }
    let _ = (fs::remove_file(source), fs::remove_file(library));
}

/// Workers that there are serve on; there can be no others, and that is said.
fn in_a_cell() {
    assert_eq!(double(1).join().unwrap(), 2);
    if std::os::unix::fs::chroot(argument(1)).is_err() {
        return skip("needs the superuser");
    }
    std::env::set_current_dir("/").unwrap();
    assert_eq!(double(2).join().unwrap(), 4);
    let error = fresh_double(3).join().unwrap_err().to_string();
    assert!(error.contains(&format!("{EXECUTES}No such file")), "{error}");
    assert_eq!(double(3).join().unwrap(), 6);
    println!("ok");
}

fn many_files() {
    const MANY: libc::rlim_t = 100_000;
    // SAFETY: a record to fill in, and then a limit; copies of a file that are never closed.
    let count = unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        // Not everybody may raise it, not even every superuser.
        let higher = libc::rlimit { rlim_cur: MANY + 100, rlim_max: MANY + 100 };
        if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const higher) != 0 {
            limit.rlim_cur = limit.rlim_max;
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
        }
        let copies = (0..MANY).take_while(|_| libc::dup(0) >= 0).count();
        // Some are for the workers.
        (3..103).for_each(|file| _ = libc::close(file));
        copies
    };
    assert!(count > 500, "only {count}");
    works();
    println!("ok");
}

#[concurrent(process, timeout = 20s)]
fn timed(number: u32) -> u32 {
    number * 2
}

/// Each call has its value, or an error that is no other call's fault. Whatever is refused is
/// refused in the middle too, when some have been served.
fn few_of_them() {
    let most = argument(2).parse().unwrap();
    if argument(1) == "files" {
        let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
        // SAFETY: a valid limit.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    } else {
        let group = Path::new(&argument(1)).to_owned();
        fs::write(group.join("cgroup.procs"), std::process::id().to_string()).unwrap();
        fs::write(group.join("pids.max"), most.to_string()).unwrap();
    }
    let check = |task: Task<u32>, number: u32| {
        let task = task.timeout(Duration::from_secs(30));
        match task.join() {
            Ok(value) => assert_eq!(value, number),
            Err(error) => assert!(matches!(error.kind(), ErrorKind::Worker { .. }), "{error}"),
        }
    };
    for _ in 0..3 {
        check(double(1), 2);
        check(timed(2), 4);
        check(fresh_double(3), 6);
        check(gather((0..20).map(double)).map(|all| all.iter().sum()), 380);
        check(double(4).map(|number| number + 1), 9);
        let ended = ends("abort").join().unwrap_err();
        assert!(ended.is_crash() || matches!(ended.kind(), ErrorKind::Worker { .. }), "{ended}");
    }
    println!("ok");
}

fn few_processes() {
    let Some(group) = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"]
        .map(|root| Path::new(root).join(format!("trine-{}", std::process::id())))
        .into_iter()
        .find(|group| {
            let is_made = fs::create_dir(group).is_ok();
            let is_right = is_made && group.join("pids.max").exists();
            if is_made && !is_right {
                let _ = fs::remove_dir(group);
            }
            is_right
        })
    else {
        return println!("skipped: no groups here");
    };
    for most in 1..16 {
        works_with("few-of-them", &format!("{} {most}", group.display()));
    }
    // Its last process may be about to be gone.
    trine_tests::checks::wait_until(|| fs::remove_dir(&group).is_ok());
}

/// Ends, and takes a moment after its socket is closed: it has a file that is only in memory.
#[concurrent(process)]
fn aborts_slowly() {
    // SAFETY: makes a file.
    let file = unsafe {
        use std::os::fd::FromRawFd;
        fs::File::from_raw_fd(libc::memfd_create(c"large".as_ptr(), 0))
    };
    std::os::unix::fs::FileExt::write_all_at(&file, &vec![1; 32 << 20], 0).unwrap();
    std::process::abort();
}

/// Signals do not change what is said of a worker that ends.
fn interrupted() {
    extern "C" fn pass_over(_: i32) {}
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    double(1).join().unwrap();
    let named =
        |thread: &fs::DirEntry| fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
    let serving = |thread: &fs::DirEntry| named(thread).trim() == "trine-process";
    let find = || fs::read_dir("/proc/self/task").unwrap().flatten().find(serving);
    // Who waited for the call took it alone; a thread has no name before it has run.
    trine_tests::checks::wait_until(|| find().is_some());
    let thread: i32 = find().unwrap().file_name().to_str().unwrap().parse().unwrap();
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(libc::SIGURG, pass_over as *const () as libc::sighandler_t) };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !IS_OVER.load(Ordering::Relaxed) {
                // SAFETY: the thread serves until the program ends.
                unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, libc::SIGURG) };
                std::thread::yield_now();
            }
        });
        let ends = || trine::block_on(aborts_slowly()).unwrap_err().to_string();
        let ended: Vec<_> = (0..10).map(|_| ends()).collect();
        IS_OVER.store(true, Ordering::Relaxed);
        // Whatever fails before that would leave the signals, and hang.
        assert!(ended.iter().all(|error| error.ends_with("killed by SIGABRT")), "{ended:?}");
    });
    println!("ok");
}
