//! A worker that does everything it can to harm the program or other calls. Whatever it does, the
//! program survives, every call ends, and all other calls get the right answers.

mod attacks;
mod files;
mod lies;
mod pools;
mod raw;
mod sieges;
mod sleepers;
mod streams;
mod tubes;
mod values;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use raw::Reply;
use trine::{Error, Task, concurrent, gather};
use trine_tests::gate::Gate;
use trine_tests::process::double;

/// A hang is a failure.
const TOO_LONG: Duration = Duration::from_secs(60);

#[concurrent(process)]
fn total(numbers: Vec<u64>) -> u64 {
    numbers.iter().sum()
}

#[concurrent(process)]
fn list(count: u64) -> Vec<u64> {
    (0..count).collect()
}

#[concurrent(process, timeout = 30s)]
fn timed(number: u32) -> u32 {
    number * 2
}

#[concurrent(process, fresh)]
fn fresh(number: u32) -> u32 {
    number * 2
}

fn ended<T>(what: &str, task: Task<T>) -> Result<T, Error> {
    task.join_timeout(TOO_LONG).unwrap_or_else(|_| panic!("{what}: it hangs"))
}

/// Other calls queued behind it: plain ones, large ones in both directions, ones with a time limit,
/// and one in a fresh process.
struct Others {
    doubles: Vec<Task<u32>>,
    totals: Vec<Task<u64>>,
    lists: Vec<Task<Vec<u64>>>,
    timed: Vec<Task<u32>>,
    fresh: Task<u32>,
    /// Nobody joins these: the thread that serves all workers does.
    polled: Task<Vec<u32>>,
}

impl Others {
    fn call() -> Self {
        Self {
            doubles: (0..40).map(double).collect(),
            totals: (0..4).map(|one| total(vec![one; 20_000])).collect(),
            lists: (0..3).map(|more| list(10_000 + more)).collect(),
            timed: (0..4).map(timed).collect(),
            fresh: fresh(4),
            polled: gather((0..10).map(double)).timeout(TOO_LONG),
        }
    }

    fn check(self, what: &str) {
        let polled = trine::block_on(self.polled);
        assert!(polled.unwrap().into_iter().eq((0..10).map(|number| number * 2)), "{what}");
        for (number, task) in (0..).zip(self.doubles) {
            assert_eq!(ended(what, task).unwrap(), number * 2, "{what}");
        }
        for (one, task) in (0..).zip(self.totals) {
            assert_eq!(ended(what, task).unwrap(), one * 20_000, "{what}");
        }
        for (more, task) in (0..).zip(self.lists) {
            assert!(ended(what, task).unwrap().into_iter().eq(0..10_000 + more), "{what}");
        }
        for (number, task) in (0..).zip(self.timed) {
            assert_eq!(ended(what, task).unwrap(), number * 2, "{what}");
        }
        assert_eq!(ended(what, self.fresh).unwrap(), 8, "{what}");
    }
}

#[concurrent(process)]
fn write_to_what_is_theirs(_large: Vec<u64>) -> usize {
    raw::write_to_what_is_theirs()
}

/// A worker has no way to write the memory that it should only read.
#[test]
fn a_worker_cannot_write_what_its_parent_writes() {
    let task = write_to_what_is_theirs(vec![1; 20_000]);
    let others = Others::call();
    assert_eq!(ended("writing to others' memory", task).unwrap(), 0);
    others.check("writing to others' memory");
}

#[concurrent(process)]
fn find_in_what_is_shared(port: u16, complement: u64) -> usize {
    let mut gate = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let _ = gate.read(&mut [0]);
    raw::count((!complement).to_ne_bytes())
}

/// A worker never holds calls of a function other than the one that it runs: whatever that one
/// does, it can neither read the arguments of other functions' calls nor answer for them.
#[test]
fn a_worker_holds_calls_of_one_function_at_a_time() {
    const SECRET: u64 = 0x0017_c0de_57a7_1c0f;
    let gate = Gate::new();
    let finder = find_in_what_is_shared(gate.port(), !SECRET);
    let entered = gate.entered();
    let others: Vec<_> = (0..8).map(|_| total(vec![SECRET; 4])).collect();
    drop(entered);
    assert_eq!(ended("looking for others", finder).unwrap(), 0);
    for other in others {
        assert_eq!(ended("looked for", other).unwrap(), SECRET * 4);
    }
}

/// Leaves a note that it runs. The first one answers a call that nobody made, and then goes on like
/// the others.
#[concurrent(process)]
fn note_and_lie(notes: String, index: u32) -> u32 {
    let mut file = fs::OpenOptions::new().append(true).open(notes).unwrap();
    // In one piece, since others write beside.
    file.write_all(format!("{index}\n").as_bytes()).unwrap();
    if index == 0 {
        Reply { number: raw::number() + 1000, ..Reply::new() }.publish();
    }
    index
}

/// A call that a worker has started is not started again when the worker is killed for an offence.
#[test]
fn no_call_runs_twice_after_an_offence() {
    for round in 0..20 {
        let notes = std::env::temp_dir().join(format!("trine-notes-{}", std::process::id()));
        fs::write(&notes, "").unwrap();
        let path = notes.to_str().unwrap();
        let tasks: Vec<_> = (0..50).map(|index| note_and_lie(path.to_owned(), index)).collect();
        for (index, task) in (0..).zip(tasks) {
            // If a call has an answer, it is the right one.
            let answer = ended("a lie", task);
            assert!(answer.as_ref().map_or(true, |answer| *answer == index), "{answer:?}");
        }
        let noted = fs::read_to_string(&notes).unwrap();
        fs::remove_file(&notes).unwrap();
        let mut noted: Vec<&str> = noted.lines().collect();
        let runs = noted.len();
        noted.sort_unstable();
        noted.dedup();
        assert_eq!(noted.len(), runs, "round {round}");
    }
}

#[concurrent(process, fresh)]
fn leave_a_spy(_large: Vec<u64>, complement: u64, stop: String, spied: String) -> i32 {
    raw::leave_a_spy(complement, &stop, &spied)
}

/// A process that a call left behind sees nothing of other calls' arguments, if it survives at all.
#[test]
fn a_child_that_a_call_leaves_sees_no_others() {
    const SECRET: u64 = 0x00c2_e75e_c2e7_5ec2;
    let folder = std::env::temp_dir().join(format!("trine-spy-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let [stop, spied] = ["stop", "spied"].map(|name| folder.join(name));
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let spy = leave_a_spy(vec![1; 20_000], !SECRET, path(&stop), path(&spied)).join().unwrap();
    for _ in 0..50 {
        assert_eq!(total(vec![SECRET; 100]).join().unwrap(), SECRET * 100);
    }
    for _ in 0..50 {
        let sum = SECRET.wrapping_mul(100) + 19_900;
        let numbers = [vec![SECRET; 100], vec![1; 19_900]].concat();
        assert_eq!(total(numbers).join().unwrap(), sum);
    }
    fs::write(&stop, "").unwrap();
    let since = std::time::Instant::now();
    while raw::is_alive(spy) && !spied.exists() {
        assert!(since.elapsed() < TOO_LONG, "the child neither ends nor tells what it saw");
        std::thread::yield_now();
    }
    let seen = fs::read_to_string(&spied).unwrap_or_default();
    fs::remove_dir_all(folder).unwrap();
    assert!(seen.is_empty() || seen == "0", "it was seen {seen} times");
}
