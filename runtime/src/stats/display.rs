//! The statistics as text: one line for each function.

use std::fmt;

use super::{FunctionStats, Stats, WorkerStats};

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for function in &self.functions {
            writeln!(f, "{function}")?;
        }
        let WorkerStats { starts, deaths } = self.workers;
        if starts > 0 { writeln!(f, "workers: {starts} started, {deaths} ended") } else { Ok(()) }
    }
}

impl fmt::Display for FunctionStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, mode, queued, running, done, failed, .. } = self;
        write!(f, "{name} ({mode}): {queued} queued, {running} running, {done} done")?;
        let kinds = [
            (failed.panicked, "panicked"),
            (failed.crashed, "crashed"),
            (failed.timed_out, "timed out"),
            (failed.cancelled, "cancelled"),
            (failed.busy, "refused"),
            (failed.memory_limit, "out of memory"),
            (failed.other, "failed otherwise"),
            (self.retries, "retries"),
        ];
        for (count, kind) in kinds.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {kind}")?;
        }
        match (self.latency.quantile(0.5), self.latency.quantile(0.99)) {
            (Some(median), Some(late)) => write!(f, "; median {median:.1?}, p99 {late:.1?}"),
            _ => Ok(()),
        }
    }
}
