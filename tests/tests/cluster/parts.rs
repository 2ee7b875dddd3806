//! The parts in which this program is a caller, one for each test that needs it.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use trine::process::Shared;
use trine::{ErrorKind, TaskIterator, gather};

use super::functions::{
    boom, crowd, double, doubled, held, held_in_turn, held_long, held_once, held_to_the_last,
    leave, machine, machine_of_a_local_call, machine_that_reads, machine_that_sends,
    machine_that_yields, machines_on_the_way, nested, note, noted, reversed, too_long, too_much,
    worker_of_its_own,
};

/// How many calls are in flight when something is killed.
pub(crate) const MANY: u64 = 10_000;

/// Plays a part, if there is one of that name.
pub(crate) fn play(name: &str) -> bool {
    let part: fn() = match name.strip_prefix("part-").unwrap_or_default() {
        "values" => values,
        "errors" => errors,
        "large" => large,
        "places" => places,
        "ends" => ends,
        "one" => one,
        "limited" => limited,
        "labelled" => labelled,
        "options" => options,
        "long" => long,
        "machines" => machines,
        "drain" => drain,
        #[cfg(feature = "metrics")]
        "published" => published,
        "purge" => || trine::cluster::purge().unwrap(),
        "held-long" => hold_long,
        "two" => two,
        "configured" => configured,
        "serves" => serves,
        "serves-a-little" => serves_a_little,
        "two-holds" => two_holds,
        "at-once" => at_once,
        "many" => many,
        "counted" => counted,
        "many-large" => many_large,
        "held" => hold,
        "held-once" => hold_once,
        "cancelled" => cancelled,
        "queue" => queue,
        "crowd" => crowded,
        "drained" => drained,
        _ => return super::yielding::play(name) || super::stateful::play(name),
    };
    part();
    true
}

pub(crate) fn folder() -> PathBuf {
    std::env::var_os("FOLDER").unwrap().into()
}

pub(crate) fn tell(what: impl std::fmt::Display) {
    println!("{what}");
    std::io::stdout().flush().unwrap();
}

/// Waits for a word of the test; none, if it has gone.
pub(crate) fn hear() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn values() {
    assert_eq!(double(21).join().unwrap(), 42);
    let all = gather((0..500).map(double)).join().unwrap();
    assert!(all.into_iter().eq((0..500).map(|number| number * 2)));
    let numbers: Shared<[u64]> = (0..1000).collect();
    let twice = doubled(numbers).join().unwrap();
    assert!(twice.iter().copied().eq((0..1000).map(|number| number * 2)));
    assert_eq!(trine::block_on(double(4)).unwrap(), 8);
    tell("well");
}

fn errors() {
    let error = boom("it").join().unwrap_err();
    let ErrorKind::Panicked { message, location } = error.kind() else { panic!("{error}") };
    assert_eq!(message, "it went off");
    assert!(location.as_deref().is_some_and(|l| l.contains("functions.rs:")), "{location:?}");
    let left = ErrorKind::Crashed { signal: None, code: Some(3) };
    assert_eq!(*leave(3).join().unwrap_err().kind(), left);
    let late = ErrorKind::TimedOut { after: Duration::from_millis(200) };
    assert_eq!(*too_long().join().unwrap_err().kind(), late);
    assert!(too_much().join().unwrap_err().is_memory_limit());
    assert_eq!(double(4).join().unwrap(), 8);
    tell("well");
}

fn large() {
    for length in [0, 1, 60_000, 70_000, 3_000_000] {
        let bytes: Vec<u8> = (0..length).map(|number| (number % 251) as u8).collect();
        let back: Vec<u8> = bytes.iter().rev().copied().collect();
        assert!(reversed(bytes).join().unwrap() == back, "{length}");
    }
    // Each fits in a message, but no two of them do.
    let some = gather((0..20).map(|number| reversed(vec![number; 40_000]))).join().unwrap();
    assert!((0..20).zip(some).all(|(number, bytes)| bytes == vec![number; 40_000]));
    let numbers: Shared<[u64]> = (0..100_000).collect();
    assert_eq!(doubled(numbers).join().unwrap()[99_999], 199_998);
    tell("well");
}

fn ends() {
    let here = std::process::id();
    let there = machine().join().unwrap();
    assert_ne!(there, here);
    assert_eq!(machine_that_yields().gather().join().unwrap(), [there]);
    let (sender, stream) = trine::channel(1);
    machine_that_sends(sender).join().unwrap();
    assert_eq!(stream.gather().join().unwrap(), [here]);
    assert_eq!(machine_that_reads(machine_that_yields()).join().unwrap(), (here, 1));
    let passed_on = machines_on_the_way(machine_that_yields());
    assert_eq!(passed_on.gather().join().unwrap(), [there, here]);
    tell("well");
}

fn places() {
    let (worker, beside) = nested().join().unwrap();
    let here = std::process::id();
    let local = machine_of_a_local_call().join().unwrap();
    tell(format!("{} {} {}", machine().join().unwrap(), u32::from(local == here), {
        // The calls of a body run in a worker of the worker that runs it.
        u32::from(worker == beside)
    }));
}

fn one() {
    match double(4).join() {
        Ok(value) => tell(value),
        Err(error) => tell(error),
    }
}

/// The machine that runs a call with a label, or why there is none.
fn labelled() {
    static FUNCTION: trine::Function = trine::Function::new("labelled").on("gpu");
    let body = |(): ()| std::os::unix::process::parent_id();
    match trine::process::spawn(&FUNCTION, (), body).join() {
        Ok(machine) => tell(machine),
        Err(error) => tell(error),
    }
}

/// A function's options hold on the machine too.
fn options() {
    let workers = gather((0..4).map(|_| worker_of_its_own())).join().unwrap();
    let different: std::collections::BTreeSet<_> = workers.iter().collect();
    assert_eq!(different.len(), 4, "`fresh` was forgotten");
    assert!(too_long().join().unwrap_err().is_timeout(), "`timeout` was forgotten");
    assert!(too_much().join().unwrap_err().is_memory_limit(), "`memory` was forgotten");
    tell("well");
}

fn limited() {
    match crowd(&folder(), 0).join() {
        Ok(value) => tell(value),
        Err(error) => tell(error),
    }
}

fn long() {
    match reversed(vec![7; 3_000_000]).join() {
        Ok(bytes) => tell(bytes.len()),
        Err(error) => tell(error),
    }
}

fn machines() {
    for machine in trine::cluster::machines().unwrap() {
        let trine::cluster::MachineStatus { name, workers, running, queued, values, .. } = machine;
        let labels = machine.labels;
        tell(format!(
            "{name}: {workers} workers, {running} + {queued} calls, {values} values, {labels:?}"
        ));
    }
}

/// What the machines' counts are to `metrics`.
#[cfg(feature = "metrics")]
fn published() {
    let recorder = metrics_util::debugging::DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    recorder.install().unwrap();
    trine::cluster::machines().unwrap().iter().for_each(trine::cluster::MachineStatus::publish);
    let published = snapshotter.snapshot().into_vec().into_iter();
    let mut lines: Vec<_> = published
        .map(|(key, _, _, value)| {
            let labels: Vec<_> = key.key().labels().map(|label| label.key()).collect();
            format!("{} {labels:?} {value:?}", key.key().name())
        })
        .collect();
    lines.sort_unstable();
    lines.iter().for_each(tell);
}

fn drain() {
    tell(trine::cluster::drain(&std::env::var("NAME").unwrap()).unwrap());
}

/// Two calls, and a word from the test between them.
fn two() {
    tell(double(1).join().unwrap());
    hear();
    tell(double(2).join().unwrap());
}

/// The same settings, made in code.
fn config() -> trine::Config {
    let address = std::env::var("ADDRESS").unwrap();
    trine::Config::new().cluster(address).cluster_key(super::world::KEY)
}

fn configured() {
    let options = trine::cluster::ConnectOptions::new().name("a caller of the tests");
    config().cluster_wait(Duration::from_secs(20)).cluster_options(options).apply().unwrap();
    tell(machine().join().unwrap());
}

fn serves() {
    config().apply().unwrap();
    trine::cluster::serve(std::num::NonZeroUsize::MIN).unwrap();
    tell("served");
}

/// A machine whose client queues a single message.
fn serves_a_little() {
    let options = trine::cluster::ConnectOptions::new().client_capacity(1);
    config().cluster_options(options).apply().unwrap();
    trine::cluster::serve(std::num::NonZeroUsize::new(8).unwrap()).unwrap();
}

/// Seven that go on, and one that does not; says when that is lost.
fn two_holds() {
    let folder = folder();
    let last = held_to_the_last(&folder);
    let tasks: Vec<_> = (0..7).map(|number| held(&folder, number)).collect();
    tell("called");
    assert!(last.join().unwrap_err().is_worker_lost());
    tell("lost");
    drop(tasks);
}

fn at_once() {
    trine::Config::new().cluster_wait(Duration::ZERO).apply().unwrap();
    one();
}

/// Many calls, all of which end; says when it is in the middle of them.
fn many() {
    let folder = folder();
    let tasks: Vec<_> = (0..MANY).map(|number| noted(&folder, number)).collect();
    let (mut answered, mut lost) = (0, 0);
    for (number, task) in (0..).zip(tasks) {
        match task.join() {
            Ok(value) => {
                assert_eq!(value, number);
                answered += 1;
            }
            Err(error) if error.is_worker_lost() => lost += 1,
            Err(error) => panic!("{error}"),
        }
        if number == MANY / 4 {
            tell("middle");
        }
    }
    tell(format!("{answered} {lost}"));
}

/// Many calls; leaves notes of how each ended.
fn counted() {
    let folder = folder();
    let tasks: Vec<_> = (0..MANY).map(|number| noted(&folder, number)).collect();
    for (number, task) in (0..).zip(tasks) {
        let end = match task.join() {
            Ok(value) if value == number => "answered",
            Err(error) if error.is_worker_lost() => "lost",
            Err(error) if matches!(error.kind(), ErrorKind::Worker { .. }) => "nobody",
            other => panic!("{other:?}"),
        };
        note(&folder, end, number);
        if number == MANY / 4 {
            tell("middle");
        }
    }
    tell("over");
}

fn many_large() {
    let count: u64 = std::env::var("COUNT").unwrap().parse().unwrap();
    let calls = (0..count).map(|number| reversed(vec![number as u8; 70_000]));
    for (number, bytes) in (0..).zip(calls.buffered(64)) {
        assert!(bytes.unwrap() == vec![number as u8; 70_000]);
    }
    tell("well");
}

fn hold() {
    let folder = folder();
    let task = held(&folder, 7);
    tell("called");
    match task.join() {
        Ok(value) => tell(value),
        Err(error) => tell(error),
    }
}

fn hold_long() {
    tell("called");
    match held_long(&folder(), &vec![7; 3_000_000]).join() {
        Ok(length) => tell(length),
        Err(error) => tell(error),
    }
}

fn hold_once() {
    tell(held_once(&folder(), 8).join().unwrap());
}

/// One call that runs and, because there is one worker, one that does not run yet: neither is
/// wanted any more.
fn cancelled() {
    let folder = folder();
    let running = held(&folder, 1);
    super::world::wait_until(|| super::functions::notes(&folder, "began").len() == 1);
    let queued = noted(&folder, 2);
    tell("running");
    hear();
    queued.cancel();
    running.cancel();
    assert!(running.join().unwrap_err().is_cancelled());
    assert!(queued.join().unwrap_err().is_cancelled());
    // On the only worker there is, this runs instead of those two.
    tell(noted(&folder, 3).join().unwrap());
}

fn crowded() {
    let folder = folder();
    let crowds = gather((0..60).map(|number| crowd(&folder, number))).join().unwrap();
    tell(crowds.into_iter().max().unwrap());
}

/// One that runs, one that waits, and others.
fn queue() {
    let folder = folder();
    let call = |number| held_in_turn(&folder, number);
    let [runs, given_up] = [call(1), call(2)];
    assert!(call(3).join().unwrap_err().is_busy());
    drop(given_up);
    let waits = call(4);
    assert!(!waits.is_finished(), "who was given up has left the queue");
    assert!(trine::block_on(call(5)).unwrap_err().is_busy());
    std::fs::write(folder.join("go"), "").unwrap();
    assert_eq!((runs.join().unwrap(), waits.join().unwrap()), (1, 4));
    assert_eq!(call(6).join().unwrap(), 6);
    tell("well");
}

/// Some that run and some that wait for a place, when their machine is told to end.
fn drained() {
    let folder = folder();
    let tasks: Vec<_> = (0..6).map(|number| held(&folder, number)).collect();
    tell("called");
    let mut values = tasks.into_iter().map(|task| task.join().unwrap());
    assert!((0..6).eq(values.by_ref()));
    tell("all");
}
