//! What is published to the facade `metrics`: run with `--features metrics`.

use std::collections::BTreeMap;

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use trine_tests::gate::Gate;
use trine_tests::modes::MODES;

#[test]
fn counts_are_set_each_time_they_are_published() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    recorder.install().unwrap();
    for mode in MODES {
        for number in 0..5 {
            (mode.value)(number).map(drop).join().unwrap();
            assert!((mode.panics)(number).join().is_err());
        }
        let gate = Gate::new();
        let runs = (mode.queued)(gate.port());
        let entered = gate.entered();
        let wait = [0, 1].map(|_| (mode.queued)(gate.port()));
        assert!((mode.queued)(gate.port()).join().is_err());
        drop((wait, entered));
        runs.join().unwrap();
    }
    // A second time changes nothing: they are totals.
    trine::stats().publish();
    trine::stats().publish();
    let published: BTreeMap<String, DebugValue> = snapshotter
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, _, _, value)| {
            let labels = key.key().labels().map(|label| label.value().to_owned());
            let parts: Vec<_> = [key.key().name().to_owned()].into_iter().chain(labels).collect();
            (parts.join(" "), value)
        })
        .collect();
    let count = |name: &str| match published.get(name) {
        Some(DebugValue::Counter(count)) => *count,
        other => panic!("{name} is {other:?} in {published:?}"),
    };
    for mode in MODES {
        let name = mode.name;
        assert_eq!(count(&format!("trine_calls_ended value {name} done")), 5);
        assert_eq!(count(&format!("trine_calls_ended panics {name} panicked")), 5);
        assert_eq!(count(&format!("trine_calls_ended queued {name} busy")), 1);
        assert_eq!(count(&format!("trine_calls_ended queued {name} cancelled")), 2);
        assert_eq!(count(&format!("trine_retries value {name}")), 0);
        for gauge in ["trine_calls_queued", "trine_calls_running"] {
            let value = &published[&format!("{gauge} value {name}")];
            assert!(matches!(value, DebugValue::Gauge(none) if *none == 0.0), "{gauge}");
        }
        let median = &published[&format!("trine_call_seconds value {name} 0.5")];
        assert!(matches!(median, DebugValue::Gauge(time) if **time > 0.0), "{median:?}");
    }
    assert!(count("trine_worker_starts") > 0);
    assert_eq!(published.keys().filter(|key| key.starts_with("trine_calls_queued")).count(), 9);
}
