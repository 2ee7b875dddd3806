//! What holds for workers in processes of their own: what ends such a process, and what it leaves.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use trine::{Error, ErrorKind, Task, concurrent, gather};
use trine_tests::checks::wait_until;
use trine_tests::gate::Gate;
use trine_tests::process::double;
#[cfg(target_os = "linux")]
use trine_tests::programs::alone;
use trine_tests::programs::output_alone;
use trine_tests::system::{ABORTED, bounds_memory, is_abort, is_alive, is_there, kill};

use crate::counters::pass;

/// Tells a port of each value that is dropped, and panics or aborts then if it is asked to.
pub(crate) struct Resident {
    number: u64,
    on_drop: Option<u16>,
    then: String,
}

impl Drop for Resident {
    fn drop(&mut self) {
        if let Some(port) = self.on_drop {
            let mut told = TcpStream::connect(("127.0.0.1", port)).unwrap();
            told.write_all(&self.number.to_le_bytes()).unwrap();
        }
        match &*self.then {
            "abort" => std::process::abort(),
            "panic" => panic!("in drop"),
            _ => {}
        }
    }
}

#[concurrent(process, memory = 256MiB, restarts = 20)]
impl Resident {
    pub(crate) fn new(number: u64, on_drop: Option<u16>, then: &str) -> Self {
        assert_ne!(then, "fail", "as it was asked to");
        match then {
            "die" => std::process::abort(),
            // More than it may.
            "grow" => drop(vec![1_u8; 512 << 20]),
            _ => {}
        }
        Self { number, on_drop, then: then.to_owned() }
    }
    pub(crate) fn add(&mut self, number: u64) -> u64 {
        self.number += number;
        self.number
    }
    pub(crate) fn read(&self) -> u64 {
        self.number
    }
    pub(crate) fn process(&self) -> i32 {
        std::process::id().cast_signed()
    }
    pub(crate) fn abort(&self) {
        std::process::abort();
    }
    pub(crate) fn exit(&mut self) {
        std::process::exit(3);
    }
    #[cfg(all(unix, not(target_os = "macos")))]
    pub(crate) fn allocate(&self, bytes: usize) {
        assert_eq!(vec![1_u8; bytes].len(), bytes);
    }
    pub(crate) fn spoil(&mut self) {
        self.number += 1000;
        panic!("in the middle of a change");
    }
    pub(crate) fn wait(&self, port: u16) {
        pass(port);
    }
    #[concurrent(timeout = 20ms)]
    pub(crate) fn hurry(&self, port: u16) {
        pass(port);
    }
    pub(crate) fn largest<T>(&self, of: &[T]) -> Option<T>
    where
        T: Ord + Clone + Serialize + DeserializeOwned + Send + 'static,
    {
        of.iter().max().cloned()
    }
    #[concurrent(retries = 3)]
    pub(crate) fn attempt(&self, notes: &Path) -> Result<usize, String> {
        let mut file = OpenOptions::new().append(true).open(notes).unwrap();
        file.write_all(b"x").unwrap();
        let tried = fs::read(notes).unwrap().len();
        if tried < 3 { Err(format!("try {tried}")) } else { Ok(tried) }
    }
    pub(crate) fn through_another(&self, number: u64) -> u64 {
        let inner = ResidentWorker::new(number, None, "");
        inner.add(1).join().unwrap()
    }
}

fn start(number: u64) -> ResidentWorker {
    ResidentWorker::new(number, None, "")
}

/// A call that ends its process, and the error that it has.
type Row = (&'static str, fn(&ResidentWorker, &Gate) -> Task<()>, fn(&Error) -> bool);

/// What ends the process of a value while it runs a call, in `&self` too.
const ENDS: &[Row] = &[
    ("abort", |resident, _| resident.abort(), is_abort),
    (
        "exit",
        |resident, _| resident.exit(),
        |error| matches!(error.kind(), ErrorKind::Crashed { code: Some(3), .. }),
    ),
    // Under wine and on macOS there is no limit.
    #[cfg(all(unix, not(target_os = "macos")))]
    (
        "memory",
        |resident, _| resident.allocate(1 << 30),
        |error| *error.kind() == ErrorKind::MemoryLimit,
    ),
    ("timeout", |resident, gate| resident.hurry(gate.port()), Error::is_timeout),
    (
        "cancel",
        |resident, gate| {
            let task = resident.wait(gate.port());
            let held = gate.entered();
            task.cancel();
            drop(held);
            task
        },
        Error::is_cancelled,
    ),
];

#[test]
fn whatever_ends_its_process_ends_the_value_and_the_queue_goes_on() {
    let resident = start(5);
    let ends = ENDS.iter().filter(|(name, ..)| *name != "memory" || bounds_memory());
    for (index, (name, call, is_right)) in (1..).zip(ends) {
        let gate = Gate::new();
        assert_eq!(resident.add(1).join().unwrap(), 6, "{name}");
        let process = resident.process().join().unwrap();
        let ended = call(&resident, &gate);
        let behind = [resident.read(), resident.add(2)];
        let error = ended.join().unwrap_err();
        assert!(is_right(&error), "{name}: {error}");
        assert_eq!(gather(behind).join().unwrap(), [5, 7], "{name}: the new one");
        assert_eq!(resident.restarts(), index * 2 - 1, "{name}");
        assert_ne!(resident.process().join().unwrap(), process, "{name}");
        wait_until(|| !is_alive(process));
        resident.restart();
        assert_eq!(resident.read().join().unwrap(), 5);
    }
}

#[test]
fn without_restarts_it_has_stopped() {
    struct Once;

    #[concurrent(process)]
    impl Once {
        pub(crate) fn new() -> Self {
            Self
        }
        pub(crate) fn abort(&self) {
            std::process::abort();
        }
        pub(crate) fn look(&self) {}
    }

    let once = OnceWorker::new();
    let (abort, behind) = (once.abort(), once.look());
    assert!(matches!(abort.join().unwrap_err().kind(), ErrorKind::Crashed { .. }));
    assert!(behind.join().unwrap_err().is_stopped());
    assert!(once.look().join().unwrap_err().is_stopped());
    assert!(!once.is_alive());
}

#[test]
fn one_that_is_killed_while_it_is_idle_is_made_anew_for_the_next_call() {
    let resident = start(5);
    for restarts in 1..=3 {
        assert_eq!(resident.add(1).join().unwrap(), 6);
        let process = resident.process().join().unwrap();
        kill(process);
        // Gone for good, which its parent has to have seen.
        wait_until(|| !is_there(process));
        assert_eq!(resident.read().join().unwrap(), 5);
        assert_eq!(resident.restarts(), restarts);
    }
}

#[test]
fn restarts_of_long_ago_count_against_no_idle_worker() {
    /// Made anew once in each moment, which is over soon.
    struct Brief;

    #[concurrent(process, restarts = 1, per = 1ms)]
    impl Brief {
        pub(crate) fn new() -> Self {
            Self
        }
        pub(crate) fn process(&self) -> u32 {
            std::process::id()
        }
    }

    let brief = BriefWorker::new();
    for _ in 0..3 {
        let process = brief.process().join().unwrap();
        kill(process.cast_signed());
        wait_until(|| !is_there(process.cast_signed()));
        wait_until(|| brief.is_alive());
    }
}

#[test]
fn nobody_else_is_served_and_the_value_stays_where_it_is() {
    let [first, second] = [start(1), start(2)];
    let process = first.process().join().unwrap();
    assert_ne!(process, second.process().join().unwrap());
    let others: Vec<_> = (0..100).map(double).collect();
    let everywhere: Vec<_> = (0..100).map(|_| first.process()).collect();
    assert!(gather(everywhere).join().unwrap().iter().all(|one| *one == process));
    gather(others).join().unwrap();
    assert_eq!(first.through_another(7).join().unwrap(), 8);
    assert_eq!(gather([first.read(), second.read()]).join().unwrap(), [1, 2]);
}

#[test]
fn a_constructor_that_ends_its_process_is_the_answer_of_every_call() {
    let all = [("die", ABORTED), ("fail", "as it was asked to"), ("grow", "memory limit")];
    // Elsewhere memory has no limit.
    let bounded = cfg!(target_os = "linux") && bounds_memory();
    for (then, why) in all.into_iter().take(if bounded { 3 } else { 2 }) {
        let resident = ResidentWorker::new(1, None, then);
        for _ in 0..2 {
            let error = resident.read().join().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Worker { .. }), "{error}");
            assert!(error.to_string().contains("`new`"), "{error}");
            assert!(error.to_string().contains(why), "{error}");
        }
        assert!(!resident.is_alive());
    }
}

#[test]
fn its_destructor_runs_where_it_lives_and_then_its_process_ends() {
    type End = (&'static str, fn(ResidentWorker), fn(u64) -> bool);
    let ends: [End; 4] = [
        ("the last handle", drop, |number| number == 15),
        ("stop", |resident| resident.stop(), |number| (5..=15).contains(&number)),
        ("restart", |resident| resident.restart(), |number| (5..=15).contains(&number)),
        (
            "a panic",
            |resident| assert!(resident.spoil().join().unwrap_err().is_panic()),
            |number| number == 1015,
        ),
    ];
    for then in ["", "panic", "abort"] {
        for (name, end, is_right) in ends {
            let drops = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            let port = drops.local_addr().unwrap().port();
            let resident = ResidentWorker::new(5, Some(port), then);
            let process = resident.process().join().unwrap();
            let waits: Vec<_> = (0..10).map(|_| resident.add(1)).collect();
            end(resident);
            let mut told = [0; 8];
            trine::blocking(|| drops.accept()).unwrap().0.read_exact(&mut told).unwrap();
            let number = u64::from_le_bytes(told);
            assert!(is_right(number), "{name}: {number}");
            wait_until(|| !is_alive(process));
            drop(waits);
        }
    }
}

#[test]
fn borrowed_arguments_generic_methods_and_retries() {
    let resident = start(0);
    let numbers = Vec::from_iter(0..100_000_u64);
    assert_eq!(resident.largest(&numbers).join().unwrap(), Some(99_999));
    assert_eq!(resident.largest::<String>(&[]).join().unwrap(), None);
    let notes = std::env::temp_dir().join(format!("trine-tries-{}", std::process::id()));
    fs::write(&notes, "").unwrap();
    assert_eq!(resident.attempt(&notes).join().unwrap(), Ok(3));
    fs::remove_file(&notes).unwrap();
    assert_eq!(resident.restarts(), 0);
}

/// It counts files, for which Linux has a folder.
#[cfg(target_os = "linux")]
#[test]
fn one_that_is_made_anew_again_and_again_leaves_nothing() {
    // Each value that panics would look for the names in its backtrace.
    let quiet = [("RUST_BACKTRACE", "0"), ("RUST_LIB_BACKTRACE", "0")];
    alone(one_that_is_made_anew_again_and_again_leaves_nothing, &quiet, || {
        let count = std::env::var("TRINE_REPLACED").map_or(200, |count| count.parse().unwrap());
        let files = || fs::read_dir("/proc/self/fd").unwrap().count();
        let first = start(0);
        first.read().join().unwrap();
        let before = files();
        let mut resident = start(1);
        for number in 0..count {
            match number % 4 {
                0 => resident.restart(),
                1 => {
                    let gate = Gate::new();
                    let runs = resident.wait(gate.port());
                    let held = gate.entered();
                    drop(runs);
                    drop(held);
                }
                2 => resident = start(1),
                _ => {
                    resident.spoil().detach();
                    resident.restart();
                }
            }
            assert_eq!(resident.add(1).join().unwrap(), 2, "{number}");
        }
        drop(resident);
        wait_until(|| trine_tests::system::children() == 1);
        // A descriptor that stays for each that went would be hundreds.
        wait_until(|| files() <= before + 8);
        assert_eq!(first.read().join().unwrap(), 0);
    });
}

#[test]
fn its_process_ends_with_the_program() {
    let ended = output_alone(its_process_ends_with_the_program, &[], || {
        let (resident, gate) = (start(1), Gate::new());
        println!("\nid={}", resident.process().join().unwrap());
        let _runs = resident.wait(gate.port());
        let _held = gate.entered();
        std::process::exit(0);
    });
    let Some(output) = ended else { return };
    let said = String::from_utf8_lossy(&output.stdout);
    let process = said.lines().find_map(|line| line.strip_prefix("id=")).unwrap();
    let process = process.parse().unwrap();
    wait_until(|| !is_alive(process));
}
