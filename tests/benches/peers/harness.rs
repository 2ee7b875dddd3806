//! Runs the contestants of a row in turn, and records what each cost and how much that varied.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::memory;

/// With `--quick`, a row runs at least this many rounds, and starts no more once this much time has
/// passed.
const QUICK_ROUNDS: usize = 3;
const QUICK_TIME: Duration = Duration::from_millis(500);

/// One workload, and who runs it.
pub(crate) struct Row {
    number: &'static str,
    workload: &'static str,
    operations: u64,
    rounds: usize,
    warms_up: bool,
    contestants: Vec<Contestant>,
    goals: Vec<Goal>,
    missing: Vec<&'static str>,
}

struct Contestant {
    name: &'static str,
    /// How many operations one of its runs does.
    operations: u64,
    run: Box<dyn FnMut() -> Option<Duration>>,
}

/// What trine, the first contestant, has to reach.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// At most this share of the wall time of this peer.
    Time(&'static str, f64),
    /// At most this many seconds of wall time per operation.
    Absolute(f64),
    /// At most this share of the wall time of the fastest peer.
    Best(f64),
}

/// What a contestant cost per operation, as medians.
#[derive(Clone)]
pub(crate) struct Cost {
    pub(crate) name: &'static str,
    pub(crate) wall: f64,
    /// The wall time of each round, in order.
    pub(crate) rounds: Vec<f64>,
    pub(crate) cpu: f64,
    pub(crate) switches: f64,
    pub(crate) allocations: f64,
    pub(crate) threads: usize,
}

/// A row that has run.
pub(crate) struct Outcome {
    pub(crate) number: &'static str,
    pub(crate) workload: &'static str,
    pub(crate) costs: Vec<Cost>,
    pub(crate) goals: Vec<Goal>,
    pub(crate) missing: Vec<&'static str>,
}

impl Row {
    pub(crate) fn new(number: &'static str, workload: &'static str) -> Self {
        let (contestants, goals, missing) = Default::default();
        let (operations, rounds, warms_up) = (1, 9, true);
        Self { number, workload, operations, rounds, warms_up, contestants, goals, missing }
    }

    /// How many operations one run is; figures are per operation.
    pub(crate) fn operations(mut self, operations: u64) -> Self {
        self.operations = operations;
        self
    }

    pub(crate) fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }

    /// Leaves out the warm-up round, for contestants that are a new process each time.
    pub(crate) fn cold(mut self) -> Self {
        self.warms_up = false;
        self
    }

    /// Adds a contestant; trine comes first.
    pub(crate) fn contestant(
        mut self,
        name: &'static str,
        mut run: impl FnMut() + 'static,
    ) -> Self {
        let run = Box::new(move || {
            run();
            None
        });
        self.contestants.push(Contestant { name, operations: self.operations, run });
        self
    }

    /// The last contestant is so slow that its runs do only this many operations.
    pub(crate) fn of_only(mut self, operations: u64) -> Self {
        self.contestants.last_mut().expect("there is one").operations = operations;
        self
    }

    /// Adds a contestant that measures itself, such as a child process that prints its own time.
    pub(crate) fn self_timed(
        mut self,
        name: &'static str,
        mut run: impl FnMut() -> Duration + 'static,
    ) -> Self {
        let operations = self.operations;
        self.contestants.push(Contestant { name, operations, run: Box::new(move || Some(run())) });
        self
    }

    /// Notes a peer that is not installed here.
    pub(crate) fn missing(mut self, name: &'static str) -> Self {
        self.missing.push(name);
        self
    }

    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        self.goals.push(goal);
        self
    }

    /// Runs all contestants in turn, with one round to warm up, and takes the medians.
    pub(crate) fn run(mut self, is_quick: bool) -> Outcome {
        eprintln!("{:>3} {} …", self.number, self.workload);
        let start = Instant::now();
        let mut threads = vec![0; self.contestants.len()];
        for (contestant, threads) in self.contestants.iter_mut().zip(&mut threads) {
            if self.warms_up {
                *threads = peak_threads(|| _ = (contestant.run)());
            }
        }
        let mut samples = vec![Vec::new(); self.contestants.len()];
        for round in 0..self.rounds {
            if is_quick && round >= QUICK_ROUNDS && start.elapsed() > QUICK_TIME {
                break;
            }
            for (contestant, samples) in self.contestants.iter_mut().zip(&mut samples) {
                samples.push(measure(&mut contestant.run, contestant.operations));
                // A contestant's threads may stay awake for a moment after their work. That must
                // not count for the next one.
                thread::sleep(Duration::from_millis(2));
            }
        }
        let contestants = self.contestants.iter().zip(samples).zip(threads);
        let costs = contestants
            .map(|((contestant, samples), threads)| cost(contestant.name, &samples, threads))
            .collect();
        let Self { number, workload, goals, missing, .. } = self;
        Outcome { number, workload, costs, goals, missing }
    }
}

/// The wall time, CPU time, switches and allocations of one run, per operation.
fn measure(run: &mut dyn FnMut() -> Option<Duration>, operations: u64) -> [f64; 4] {
    let switches = involuntary_switches();
    let cpu = cpu_time();
    let (wall, allocations) = memory::allocations(|| {
        let start = Instant::now();
        run().unwrap_or_else(|| start.elapsed())
    });
    let cpu = cpu_time() - cpu;
    // Threads that ended during the run took their counts with them.
    let switches = involuntary_switches().saturating_sub(switches);
    [wall.as_secs_f64(), cpu.as_secs_f64(), switches as f64, allocations as f64]
        .map(|cost| cost / operations as f64)
}

fn cost(name: &'static str, samples: &[[f64; 4]], threads: usize) -> Cost {
    let column = |column: usize| samples.iter().map(move |sample| sample[column]);
    let rounds: Vec<f64> = column(0).collect();
    let [wall, cpu, switches, allocations] = [0, 1, 2, 3].map(|index| median(column(index)));
    Cost { name, wall, rounds, cpu, switches, allocations, threads }
}

/// The median.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    quartiles(values)[1]
}

/// The quartiles.
pub(crate) fn quartiles(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    [last / 4, values.len() / 2, last - last / 4].map(|index| values[index])
}

/// The CPU time of this process.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

fn status(pid: &str, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

/// How often the live threads of this process were preempted.
fn involuntary_switches() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    tasks
        .map(|task| {
            let thread = task.file_name().into_string().unwrap_or_default();
            status(&format!("self/task/{thread}"), "nonvoluntary_ctxt_switches")
        })
        .sum()
}

/// How many threads `run` added to this process at its peak.
fn peak_threads(run: impl FnOnce()) -> usize {
    let (peak, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let count = || status("self", "Threads") as usize;
    let before = count();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                peak.fetch_max(count(), Ordering::Relaxed);
                thread::sleep(Duration::from_micros(500));
            }
        });
        run();
        done.store(true, Ordering::Relaxed);
    });
    // One of them was the thread that counted.
    peak.into_inner().saturating_sub(before + 1)
}
