//! Workers with state on other machines, and the parts in which this program has one.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, process};

use trine::{ErrorKind, Sender, concurrent, gather};

use super::functions::{double, note, notes};
use super::parts::{folder, hear, tell};
use super::world::wait_until;

/// How many calls are made where something goes away in the middle.
pub(crate) const CALLS: u64 = 3_000;

/// Plays a part, if there is one of that name.
pub(crate) fn play(name: &str) -> bool {
    match name {
        "part-resident" => resident(),
        "part-supervised" => supervised(),
        "part-pushes" => pushes(),
        "part-holds" => holds(),
        "part-stops" => stops(),
        "part-idle" => idle(),
        "part-tries" => tries(),
        _ => return super::homes::play(name),
    }
    true
}

pub(crate) fn parent() -> u64 {
    std::os::unix::process::parent_id().into()
}

/// Notes where it is made, and that it is dropped.
pub(crate) struct Log {
    folder: PathBuf,
    length: u64,
}

impl Drop for Log {
    fn drop(&mut self) {
        note(&self.folder, "dropped", self.length);
    }
}

#[concurrent(process, restarts = 2, memory = 512MiB)]
impl Log {
    fn new(folder: &Path) -> Self {
        note(folder, "made", parent());
        Self { folder: folder.to_path_buf(), length: 0 }
    }

    pub(crate) fn open(folder: &Path) -> Result<Self, String> {
        if folder.as_os_str().is_empty() { Err("no folder".into()) } else { Ok(Self::new(folder)) }
    }

    /// How many there are, and on which machine.
    pub(crate) fn push(&mut self, number: u64) -> (u64, u64) {
        note(&self.folder, "pushed", number);
        self.length += 1;
        (self.length, parent())
    }

    pub(crate) fn process(&self) -> u32 {
        process::id()
    }

    /// Waits for the test.
    pub(crate) fn hold(&mut self) -> u64 {
        note(&self.folder, "held", process::id().into());
        let go = self.folder.join("go");
        wait_until(|| go.exists());
        self.length
    }

    #[concurrent(timeout = 200ms)]
    pub(crate) fn hang(&self) {
        note(&self.folder, "hung", process::id().into());
        loop {
            std::thread::park();
        }
    }

    #[concurrent(retries = 2)]
    pub(crate) fn third_time(&self) -> Result<u64, String> {
        note(&self.folder, "tried", parent());
        let tried = notes(&self.folder, "tried").len();
        if tried < 3 { Err(format!("{tried} of 3")) } else { Ok(self.length) }
    }

    /// Waits for the test, and says where.
    #[concurrent(retries = 1)]
    pub(crate) fn waits(&self) -> u64 {
        note(&self.folder, "waited", process::id().into());
        let go = self.folder.join("go");
        wait_until(|| go.exists());
        parent()
    }

    pub(crate) fn boom(&mut self) {
        panic!("it went off");
    }

    pub(crate) fn leave(&self) {
        process::exit(3);
    }

    pub(crate) fn too_much(&self) -> usize {
        std::hint::black_box(vec![1_u8; 1 << 30]).len()
    }

    pub(crate) fn reversed(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.reverse();
        bytes
    }

    pub(crate) fn numbers(&mut self, count: u64) -> impl Iterator<Item = u64> {
        (0..count).inspect(|_| self.length += 1)
    }

    pub(crate) fn sends(&self, sender: Sender<u64>) {
        sender.send(parent()).unwrap();
    }
}

/// One that is not made anew.
struct Once(PathBuf);

#[concurrent(process)]
impl Once {
    pub(crate) fn new(folder: &Path) -> Self {
        note(folder, "made", parent());
        Self(folder.to_path_buf())
    }

    pub(crate) fn hold(&mut self) {
        note(&self.0, "held", process::id().into());
        wait_until(|| self.0.join("go").exists());
    }

    pub(crate) fn process(&self) -> u32 {
        process::id()
    }
}

struct Twin;

#[concurrent(process, copies = 2)]
impl Twin {
    pub(crate) fn new() -> Self {
        Self
    }

    /// Waits for the other.
    pub(crate) fn meet(&self, folder: &Path) -> u64 {
        note(folder, "met", process::id().into());
        wait_until(|| notes(folder, "met").len() == 2);
        parent()
    }
}

/// What works as it does in a process of this machine.
fn resident() {
    let (folder, here) = (folder(), u64::from(process::id()));
    let log = LogWorker::open(&folder);
    let pushed = gather((0..200).map(|number| log.push(number))).join().unwrap();
    let machine = pushed[0].1;
    assert_ne!(machine, here);
    assert!(pushed.into_iter().eq((1..=200).map(|length| (length, machine))));
    assert!(notes(&folder, "pushed").into_iter().eq(0..200));
    // It takes no place, of which there is one.
    assert_eq!(double(21).join().unwrap(), 42);
    let other = LogWorker::open(&folder);
    assert_eq!(other.push(0).join().unwrap(), (1, machine));
    assert_ne!(log.process().join().unwrap(), other.process().join().unwrap());

    let long: Vec<u8> = (0..2_000_000).map(|number| (number % 251) as u8).collect();
    let back: Vec<u8> = long.iter().rev().copied().collect();
    assert!(log.reversed(long).join().unwrap() == back);
    let read: Result<Vec<_>, _> = log.numbers(1000).into_iter().collect();
    assert!(read.unwrap().into_iter().eq(0..1000));
    assert_eq!(log.push(0).join().unwrap().0, 1201);
    let mut few = log.numbers(u64::MAX).into_iter();
    assert_eq!(few.next().unwrap().unwrap(), 0);
    drop(few);
    assert!(log.push(0).join().unwrap().0 > 1202);
    let (sender, _stream) = trine::channel(1);
    let refused = log.sends(sender).join().unwrap_err();
    assert!(refused.to_string().contains("on this machine"), "{refused}");

    let twin = TwinWorker::new();
    let met = gather([twin.meet(&folder), twin.meet(&folder)]).join().unwrap();
    assert_eq!(met, [machine, machine]);

    assert!(log.is_alive() && other.is_alive());
    other.stop();
    assert!(other.push(0).join().unwrap_err().is_stopped());
    wait_until(|| notes(&folder, "dropped") == [1]);
    assert!(!other.is_alive() && log.is_alive());
    log.restart();
    assert_eq!(log.push(0).join().unwrap().0, 1);
    assert_eq!((log.restarts(), notes(&folder, "dropped").len()), (1, 2));
    let process = log.process().join().unwrap();
    drop(log);
    wait_until(|| notes(&folder, "dropped").len() == 3 && is_gone(process));
    let failed = LogWorker::open(Path::new("")).push(0).join().unwrap_err();
    assert!(failed.to_string().contains("no folder"), "{failed}");
    tell("well");
}

fn is_gone(process: u32) -> bool {
    !Path::new(&format!("/proc/{process}")).exists()
}

/// What ends a value, and what that is to its calls.
fn supervised() {
    let folder = folder();
    let worker = || LogWorker::open(&folder);
    // In the line between, some that have not begun.
    let log = worker();
    let (boom, behind) = (log.boom(), log.push(1));
    assert!(boom.join().unwrap_err().is_panic());
    assert_eq!((behind.join().unwrap().0, log.restarts()), (1, 1));
    let left = ErrorKind::Crashed { signal: None, code: Some(3) };
    assert_eq!(*log.leave().join().unwrap_err().kind(), left);
    assert_eq!((log.push(1).join().unwrap().0, log.restarts()), (1, 2));
    let (hang, behind) = (log.hang(), log.push(1));
    assert!(hang.join().unwrap_err().is_timeout());
    // That was once too often.
    assert!(behind.join().unwrap_err().is_stopped());
    assert!(!log.is_alive());

    let log = worker();
    assert!(log.too_much().join().unwrap_err().is_memory_limit());
    assert_eq!(log.push(1).join().unwrap().0, 1);
    let process = log.process().join().unwrap();
    let (hold, behind) = (log.hold(), log.push(1));
    wait_until(|| notes(&folder, "held").len() == 1);
    let given_up = log.push(7);
    given_up.cancel();
    hold.cancel();
    assert!(hold.join().unwrap_err().is_cancelled());
    assert_eq!((behind.join().unwrap().0, log.restarts()), (1, 2));
    assert!(is_gone(process), "it runs on");

    // Its process is killed between two calls.
    let log = worker();
    let process = log.process().join().unwrap();
    // SAFETY: a signal.
    unsafe { libc::kill(process.cast_signed(), libc::SIGKILL) };
    wait_until(|| is_gone(process));
    assert_eq!((log.push(1).join().unwrap().0, log.restarts()), (1, 1));
    tell("well");
}

/// A call that fails is tried again by the same value; one whose machine goes, by the next one.
fn tries() {
    let log = LogWorker::open(&folder());
    assert_eq!(log.push(0).join().unwrap().0, 1);
    assert_eq!(log.third_time().join().unwrap().unwrap(), 1);
    assert_eq!(log.restarts(), 0);
    let waits = log.waits();
    tell("called");
    let machine = waits.join().unwrap();
    tell(format!("{machine} {}", log.restarts()));
}

/// Many calls; says when it is in the middle of them, and how they ended.
fn pushes() {
    let log = LogWorker::open(&folder());
    let calls: Vec<_> = (0..CALLS).map(|number| log.push(number)).collect();
    let (mut answered, mut lost, mut last) = (0, 0, 0);
    for (number, call) in (0..).zip(calls) {
        match call.join() {
            Ok((length, _)) => {
                assert!(length == last + 1 || length == 1, "{length} after {last}");
                last = length;
                answered += 1;
            }
            Err(error) if error.is_worker_lost() => lost += 1,
            Err(error) => panic!("{number}: {error}"),
        }
        if number == CALLS / 4 {
            tell("middle");
            hear();
        }
    }
    tell(format!("{answered} {lost} {}", log.restarts()));
}

/// One that runs and some behind it, when its machine goes away.
fn holds() {
    let log = LogWorker::open(&folder());
    assert_eq!(log.push(0).join().unwrap().0, 1);
    let hold = log.hold();
    let behind: Vec<_> = (1..4).map(|number| log.push(number)).collect();
    tell("called");
    match hold.join() {
        Ok(length) => tell(length),
        Err(error) => tell(error.is_worker_lost()),
    }
    let behind: Vec<_> = behind.into_iter().map(|call| call.join().unwrap()).collect();
    let machine = behind[0].1;
    assert!(behind.into_iter().eq((1..4).map(|length| (length, machine))));
    tell(format!("{machine} {}", log.restarts()));
}

/// The same, where it is not made anew.
fn stops() {
    let once = OnceWorker::new(&folder());
    let (hold, behind) = (once.hold(), once.process());
    tell("called");
    assert!(hold.join().unwrap_err().is_worker_lost());
    assert!(behind.join().unwrap_err().is_stopped());
    assert!(!once.is_alive());
    tell("well");
}

/// Has a value, and does nothing with it until it is told to.
fn idle() {
    let log = LogWorker::open(&folder());
    tell(log.process().join().unwrap());
    hear();
    let (length, machine) = log.push(1).join().unwrap();
    tell(format!("{length} {machine} {}", log.restarts()));
    let _ = fs::remove_file(folder().join("go"));
    log.push(2).timeout(Duration::from_secs(60)).join().unwrap();
}
