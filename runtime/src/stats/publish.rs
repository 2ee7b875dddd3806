//! The same statistics for the facade `metrics`.
//!
//! They are published when the program asks, not at each call: a recorder is foreign code, and
//! calls end on threads that serve everybody.

use metrics::{counter, gauge};

use super::{Failures, FunctionStats, Stats};

impl Stats {
    /// Publishes these statistics through the facade `metrics`, on this thread. Needs the feature
    /// `metrics`.
    ///
    /// Call it before each scrape, or every few seconds:
    ///
    /// | name | kind | labels |
    /// | --- | --- | --- |
    /// | `trine_calls_ended` | counter | `function`, `mode`, `outcome` |
    /// | `trine_retries` | counter | `function`, `mode` |
    /// | `trine_calls_queued`, `trine_calls_running` | gauge | `function`, `mode` |
    /// | `trine_call_seconds` | gauge | `function`, `mode`, `quantile` |
    /// | `trine_worker_starts`, `trine_worker_deaths` | counter | |
    ///
    /// An outcome is `done` or the kind of the error, `timed_out` for example.
    ///
    /// ```
    /// // metrics_exporter_prometheus::PrometheusBuilder::new().install()?;
    /// trine::stats().publish();
    /// ```
    pub fn publish(&self) {
        for function in &self.functions {
            function.publish();
        }
        counter!("trine_worker_starts").absolute(self.workers.starts);
        counter!("trine_worker_deaths").absolute(self.workers.deaths);
    }
}

impl FunctionStats {
    fn publish(&self) {
        let Self { name: function, mode, done, failed, retries, .. } = *self;
        let Failures { panicked, crashed, timed_out, cancelled, busy, memory_limit, other } =
            failed;
        let outcomes = [
            ("done", done),
            ("panicked", panicked),
            ("crashed", crashed),
            ("timed_out", timed_out),
            ("cancelled", cancelled),
            ("busy", busy),
            ("memory_limit", memory_limit),
            ("other", other),
        ];
        for (outcome, count) in outcomes {
            let labels = [("function", function), ("mode", mode), ("outcome", outcome)];
            counter!("trine_calls_ended", &labels).absolute(count);
        }
        let labels = [("function", function), ("mode", mode)];
        counter!("trine_retries", &labels).absolute(retries);
        gauge!("trine_calls_queued", &labels).set(self.queued as f64);
        gauge!("trine_calls_running", &labels).set(self.running as f64);
        for (quantile, part) in [("0.5", 0.5), ("0.9", 0.9), ("0.99", 0.99)] {
            if let Some(time) = self.latency.quantile(part) {
                let labels = [("function", function), ("mode", mode), ("quantile", quantile)];
                gauge!("trine_call_seconds", &labels).set(time);
            }
        }
    }
}
