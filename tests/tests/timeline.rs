//! The timeline of a run, read back. In a program of its own with `TRINE_TIMELINE` set, because a
//! program writes only one.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::OnceLock;
use std::{env, fs, process};

use serde_json::Value;
use trine::{Stream, concurrent, gather};
use trine_tests::gate::Gate;
use trine_tests::modes::MODES;

const VARIABLE: &str = "TRINE_TIMELINE";

#[concurrent(threads)]
fn yields() -> impl Iterator<Item = u64> {
    0..100
}

#[concurrent(process)]
fn yields_in_a_worker() -> impl Iterator<Item = u64> {
    0..100
}

#[concurrent(async)]
fn yields_awaited() -> impl futures::Stream<Item = u64> {
    futures::stream::iter(0..100)
}

/// A mode, and the name of a function in it that yields.
type Yielding = (&'static str, &'static str, fn() -> Stream<u64>);

const YIELDING: &[Yielding] = &[
    ("threads", "yields", yields),
    ("process", "yields_in_a_worker", yields_in_a_worker),
    ("async", "yields_awaited", yields_awaited),
];

/// Makes the calls that are drawn; the test runs it again with the variable set.
#[test]
#[ignore = "the other test runs it"]
fn drawn() {
    for mode in MODES {
        // What is made of calls is not drawn.
        let combined = gather([(mode.value)(1).outcome()]).map(|[outcome]| outcome);
        assert_eq!(combined.join().unwrap().unwrap(), 2);
        assert!((mode.panics)(1).join().is_err());
        let gate = Gate::new();
        let task = (mode.retried)(gate.port());
        for word in ["error", "value"] {
            gate.entered().write_all(word.as_bytes()).unwrap();
        }
        assert!(task.join().unwrap().is_ok());
        if let Some(crashes) = mode.crashes {
            assert!(crashes(1).join().is_err());
        }
    }
    for (_, name, function) in YIELDING {
        assert_eq!(function().into_iter().count(), 100, "{name}");
    }
    // Waits for the death of the worker that crashed, which the dispatcher reports.
    while trine::stats().workers.deaths == 0 {
        std::thread::yield_now();
    }
}

/// The events of one run.
fn events() -> &'static [Value] {
    static EVENTS: OnceLock<Vec<Value>> = OnceLock::new();
    EVENTS.get_or_init(run)
}

fn run() -> Vec<Value> {
    let folder = env::temp_dir().join(format!("trine-timeline-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("run.json");
    let this = env::current_exe().unwrap();
    let mut command = process::Command::new(this);
    command.args(["--ignored", "--exact", "drawn"]).env(VARIABLE, &path);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let text = fs::read_to_string(&path).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    // The format allows the list to be left open.
    let whole = format!("{}]", text.trim_end().trim_end_matches(','));
    serde_json::from_str(&whole).unwrap_or_else(|error| panic!("{error} in {whole}"))
}

#[test]
fn each_call_is_in_its_lane() {
    let events = events();
    let of = |phase: &str, name: &str| -> Vec<&Value> {
        events.iter().filter(|event| event["ph"] == phase && event["name"] == name).collect()
    };
    for mode in MODES {
        // Where a body ran: a slice in a lane, or for tokio a span from its beginning to its end.
        let phases = if mode.name == "async" { "b" } else { "X" };
        let of_mode = |name| {
            let all = of(phases, name).into_iter();
            all.filter(|event| event["cat"] == mode.name).collect::<Vec<_>>()
        };
        assert_eq!(of_mode("value").len(), 1, "{mode:?}");
        assert_eq!(of_mode("value")[0]["args"]["outcome"], "value");
        let outcome = of_mode("panics")[0]["args"]["outcome"].to_string();
        assert!(outcome.contains("panicked: on purpose"), "{outcome}");
        assert_eq!(of_mode("retried").len(), 2, "{mode:?}");
    }
    for (mode, name, _) in YIELDING {
        // However many items it has.
        let phases = if *mode == "async" { "b" } else { "X" };
        let all = of(phases, name);
        let drawn: Vec<_> = all.into_iter().filter(|event| event["cat"] == *mode).collect();
        assert_eq!(drawn.len(), 1, "{name}");
        assert_eq!(drawn[0]["args"]["outcome"], "value", "{name}");
    }
    assert_eq!(of("i", "retry of retried").len(), MODES.len());
    let queued = events.iter().filter(|event| event["cat"] == "queued" && event["ph"] == "b");
    assert_eq!(queued.count(), 4 * MODES.len() + 1 + YIELDING.len());

    // Every worker is a process of its own in the picture, and has a name.
    let workers: BTreeSet<_> = events
        .iter()
        .filter(|event| event["cat"] == "process" && event["ph"] == "X")
        .map(|event| event["pid"].as_u64().unwrap())
        .collect();
    let names: BTreeMap<_, _> = of("M", "process_name")
        .into_iter()
        .map(|event| (event["pid"].as_u64().unwrap(), event["args"]["name"].to_string()))
        .collect();
    assert!(!workers.contains(&1) && !workers.is_empty());
    for worker in workers {
        assert_eq!(names[&worker], format!("\"worker {worker}\""));
    }
    assert_eq!(of("i", "killed by signal 6").len(), 1, "{events:#?}");
}

#[test]
fn bodies_of_one_worker_follow_each_other() {
    let events = events();
    let mut ends: BTreeMap<u64, f64> = BTreeMap::new();
    for event in events.iter().filter(|event| event["ph"] == "X" && event["cat"] == "process") {
        let number = |name: &str| event[name].as_f64().unwrap();
        let end = ends.entry(event["pid"].as_u64().unwrap()).or_default();
        assert!(number("ts") + 0.01 >= *end, "{event} before {end}");
        *end = number("ts") + number("dur");
    }
    assert!(!ends.is_empty());
}
