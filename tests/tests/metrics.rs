//! What is published to the facade `metrics`: run with `--features metrics`.

use std::collections::BTreeMap;

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use trine::concurrent;

#[concurrent(threads)]
fn half(number: u32) -> u32 {
    assert!(number.is_multiple_of(2), "an odd number");
    number / 2
}

#[test]
fn counts_are_set_each_time_they_are_published() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    recorder.install().unwrap();
    for number in 0..10 {
        let _ = half(number).join();
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
    assert_eq!(count("trine_calls_ended half threads done"), 5);
    assert_eq!(count("trine_calls_ended half threads panicked"), 5);
    assert_eq!(count("trine_retries half threads"), 0);
    assert_eq!(count("trine_worker_starts"), 0);
    for name in ["trine_calls_queued half threads", "trine_calls_running half threads"] {
        assert!(matches!(published[name], DebugValue::Gauge(none) if *none == 0.0), "{name}");
    }
    let median = &published["trine_call_seconds half threads 0.5"];
    assert!(matches!(median, DebugValue::Gauge(time) if **time > 0.0), "{median:?}");
}
