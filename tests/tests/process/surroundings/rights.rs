//! A worker has never more rights than the program has at the call.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;

use trine::{ErrorKind, concurrent, gather};
use trine_tests::checks::wait_until;
use trine_tests::gate::Gate;
use trine_tests::process::{anyone_may_execute, double};
use trine_tests::system::is_alive;

use super::{is_root, output, passes, skip};

pub(super) const NOBODY: libc::uid_t = 65_534;

#[concurrent(process)]
pub(super) fn who() -> (u32, u32, u32) {
    who_here()
}

fn who_here() -> (u32, u32, u32) {
    // SAFETY: these only ask.
    unsafe { (libc::geteuid(), libc::getegid(), std::process::id()) }
}

#[concurrent(process, timeout = 300ms)]
pub(super) fn sleeps_too_long() {
    loop {
        thread::park();
    }
}

/// Says which of the variables that matter to the engine it has, and calls.
pub(super) fn secure() {
    let has = |name| std::env::var_os(name).is_some();
    println!("{} {}", has("TRINE_WORKER"), has("TRINE_SERVE"));
    println!("{}", double(1).join().unwrap_err());
}

pub(super) fn secure_starts_nothing() {
    if !is_root() {
        return println!("skipped: needs the superuser");
    }
    let copy = std::env::temp_dir().join(format!("trine-secure-{}", std::process::id()));
    // Not by this program: a child that another check starts meanwhile would have the copy open
    // for writing, and such a file cannot be executed.
    let copied = Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&copy).status();
    assert!(copied.unwrap().success());
    std::os::unix::fs::chown(&copy, Some(NOBODY), None).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o4755)).unwrap();
    let mut secure = Command::new(&copy);
    secure.arg("secure").env("TRINE_WORKER", "1:1:1").env("TRINE_SERVE", "1");
    let said = output(secure);
    fs::remove_file(&copy).unwrap();
    let (variables, error) = said.split_once('\n').unwrap();
    assert_eq!(variables, "true true");
    assert!(error.contains("rights"), "{error}");
}

pub(super) fn gives_up() {
    if !is_root() {
        return skip("needs the superuser");
    }
    if !anyone_may_execute() {
        return skip("its file is not for everybody");
    }
    let (root, _, warm) = who().join().unwrap();
    assert_eq!(root, 0);
    let running = sleeps_too_long();
    let gate = Gate::new();
    let entered = passes(gate.port());
    let _stream = gate.entered();
    // SAFETY: for this process, whose other threads are the engine's.
    unsafe {
        assert_eq!(libc::setresgid(NOBODY, NOBODY, NOBODY), 0);
        assert_eq!(libc::setresuid(NOBODY, NOBODY, NOBODY), 0);
    }
    assert!(running.join().unwrap_err().is_timeout());
    for _ in 0..3 {
        let (user, group, _) = who().join().unwrap();
        assert_eq!((user, group), (NOBODY, NOBODY));
        assert!(sleeps_too_long().join().unwrap_err().is_timeout());
    }
    // The call that was running may end; then its worker is gone.
    drop(_stream);
    entered.join().unwrap();
    wait_until(|| !is_alive(warm.cast_signed()));
    println!("ok");
}

/// The only worker has former rights and is busy, and no other can be started.
pub(super) fn gives_up_its_last() {
    if !is_root() {
        return skip("needs the superuser");
    }
    let gate = Gate::new();
    let running = passes(gate.port());
    let stream = gate.entered();
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: for this process, whose other threads are the engine's, and a valid limit.
    unsafe {
        assert_eq!(libc::setresgid(NOBODY, NOBODY, NOBODY), 0);
        assert_eq!(libc::setresuid(NOBODY, NOBODY, NOBODY), 0);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NPROC, &raw const none), 0);
    }
    // At once, not when that one has ended.
    let error = who().join().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Worker { .. }), "{error}");
    drop(stream);
    running.join().unwrap();
    println!("ok");
}

struct Kept;

#[concurrent(process, restarts = 100)]
impl Kept {
    pub(super) fn new() -> Self {
        Self
    }
    pub(super) fn who(&self) -> (u32, u32, u32) {
        who_here()
    }
    pub(super) fn passes(&mut self, port: u16) -> (u32, u32, u32) {
        super::pass(port);
        who_here()
    }
    #[concurrent(timeout = 300ms)]
    pub(super) fn sleeps_too_long(&mut self) {
        loop {
            thread::park();
        }
    }
    pub(super) fn rights(&self) -> Vec<String> {
        rights_here()
    }
}

struct Once;

#[concurrent(process, copies = 2)]
impl Once {
    pub(super) fn new() -> Self {
        Self
    }
    pub(super) fn who(&self) -> (u32, u32, u32) {
        who_here()
    }
}

/// What a worker with state had is gone, and its value is made anew if it may be.
pub(super) fn gives_up_kept() {
    if !is_root() {
        return skip("needs the superuser");
    }
    if !anyone_may_execute() {
        return skip("its file is not for everybody");
    }
    let [kept, busy, idle] = [(); 3].map(|()| KeptWorker::new());
    let once = OnceWorker::new();
    let gate = Gate::new();
    let (running, waiting) = (busy.passes(gate.port()), busy.who());
    let stream = gate.entered();
    let warm = [kept.who(), once.who(), idle.who()].map(|task| task.join().unwrap().2);
    // SAFETY: for this process, whose other threads are the engine's.
    unsafe {
        assert_eq!(libc::setresgid(NOBODY, NOBODY, NOBODY), 0);
        assert_eq!(libc::setresuid(NOBODY, NOBODY, NOBODY), 0);
    }
    let is_nobody = |who: (u32, u32, u32)| assert_eq!((who.0, who.1), (NOBODY, NOBODY));
    for restarts in 1..=3 {
        is_nobody(kept.who().join().unwrap());
        assert_eq!(kept.restarts(), restarts);
        assert!(kept.sleeps_too_long().join().unwrap_err().is_timeout());
    }
    assert!(once.who().join().unwrap_err().is_stopped());
    assert!(!once.is_alive());
    is_nobody(OnceWorker::new().who().join().unwrap());
    // The call that was running may end; no other one runs there.
    drop(stream);
    let (user, _, old) = running.join().unwrap();
    assert_eq!(user, 0);
    is_nobody(waiting.join().unwrap());
    is_nobody(busy.who().join().unwrap());
    assert_eq!(busy.restarts(), 1);
    drop(idle);
    for worker in warm.into_iter().chain([old]) {
        wait_until(|| !is_alive(worker.cast_signed()));
    }
    println!("ok");
}

/// The groups and capabilities of a process, in the words of the kernel.
fn rights_here() -> Vec<String> {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let names = ["Groups:", "CapInh:", "CapPrm:", "CapEff:"];
    let is_of_them = |line: &&str| names.iter().any(|name| line.starts_with(name));
    status.lines().filter(is_of_them).map(str::to_owned).collect()
}

#[concurrent(process)]
fn rights() -> Vec<String> {
    rights_here()
}

/// Has warm workers, then gives something up by a system call, of which no other thread hears.
fn gives_up_alone(give_up: impl FnOnce()) {
    let has_all_of = |rights: Vec<String>| assert_eq!(rights, rights_here());
    gather((0..20).map(|_| rights())).join().unwrap().into_iter().for_each(has_all_of);
    let kept = KeptWorker::new();
    has_all_of(kept.rights().join().unwrap());
    let before = rights_here();
    give_up();
    assert_ne!(rights_here(), before);
    // Soon, and then for every call, however its worker is started.
    wait_until(|| rights().join().unwrap() == rights_here());
    wait_until(|| kept.rights().join().unwrap() == rights_here());
    for _ in 0..20 {
        has_all_of(kept.rights().join().unwrap());
        gather((0..20).map(|_| rights())).join().unwrap().into_iter().for_each(has_all_of);
    }
    println!("ok");
}

fn set_groups(groups: &[libc::gid_t]) {
    // SAFETY: it reads the given groups.
    let set = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
    assert_eq!(set, 0);
}

pub(super) fn gives_up_groups() {
    if !is_root() {
        return skip("needs the superuser");
    }
    set_groups(&[1, 2, 3]);
    gives_up_alone(|| set_groups(&[2]));
}

pub(super) fn gives_up_capabilities() {
    if !is_root() {
        return skip("needs the superuser");
    }
    gives_up_alone(|| {
        const CHANGE_ROOT: u32 = 1 << 18;
        let (mut head, mut rights) = ([0x2008_0522_u32, 0], [[0_u32; 3]; 2]);
        // SAFETY: a version, this thread, and room for three sets of two words.
        unsafe {
            libc::syscall(libc::SYS_capget, head.as_mut_ptr(), rights.as_mut_ptr());
            rights[0].iter_mut().for_each(|set| *set &= !CHANGE_ROOT);
            assert_eq!(libc::syscall(libc::SYS_capset, head.as_mut_ptr(), rights.as_ptr()), 0);
        }
    });
}
