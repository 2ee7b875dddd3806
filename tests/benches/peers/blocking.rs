//! Rows 4 to 6: tasks that wait, alone, among others that compute, and under an outside load.

use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use crate::harness::{Goal, Row};
use crate::python;

/// A runtime with tokio's default blocking pool.
pub(crate) fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().build().expect("tokio starts")
}

/// The same, with its reactor on.
pub(crate) fn tokio_runtime_with_io() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_io().build().expect("tokio starts")
}

const SLEEPERS: usize = 400;
const SLEEP: Duration = Duration::from_millis(10);

#[trine::concurrent(threads)]
fn sleep_a_little() {
    thread::sleep(SLEEP);
}

pub(crate) fn sleepers() -> Row {
    let tokio = tokio_runtime();
    let row = Row::new("4", "400 tasks that sleep 10 ms, no hint, makespan")
        .rounds(7)
        .contestant("trine threads", || {
            trine::gather((0..SLEEPERS).map(|_| sleep_a_little())).join().expect("no task fails");
        })
        .contestant("tokio spawn_blocking", move || {
            let sleep = |_| tokio.spawn_blocking(|| thread::sleep(SLEEP));
            let tasks: Vec<_> = (0..SLEEPERS).map(sleep).collect();
            tokio.block_on(async {
                for task in tasks {
                    task.await.unwrap();
                }
            });
        })
        .contestant("smol blocking", || {
            let sleep = |_| ::blocking::unblock(|| thread::sleep(SLEEP));
            let tasks: Vec<_> = (0..SLEEPERS).map(sleep).collect();
            trine::block_on(async {
                for task in tasks {
                    task.await;
                }
            });
        })
        .contestant("std::thread", || {
            let sleep = |_| thread::spawn(|| thread::sleep(SLEEP));
            let tasks: Vec<_> = (0..SLEEPERS).map(sleep).collect();
            tasks.into_iter().for_each(|task| task.join().unwrap());
        })
        .goal(Goal::Time("tokio spawn_blocking", 1.5));
    python::add_threads(row, "sleepers")
}

const COMPUTE: Duration = Duration::from_millis(5);
const WAIT: Duration = Duration::from_millis(20);
const EACH: usize = 64;

/// Computes for that long, measured as the thread's own CPU time.
fn burn(time: Duration) {
    let now = || rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let start = now();
    loop {
        std::hint::black_box((0..10_000u64).fold(1, |sum, x| std::hint::black_box(sum ^ x)));
        let now = now();
        let nanoseconds = (now.tv_sec - start.tv_sec) * 1_000_000_000 + now.tv_nsec - start.tv_nsec;
        if nanoseconds.unsigned_abs() as u128 >= time.as_nanos() {
            return;
        }
    }
}

/// Which of the tasks wait: shuffled, in the same order for all contestants.
fn shuffled() -> Vec<bool> {
    let mut waits: Vec<bool> = (0..2 * EACH).map(|index| index % 2 == 0).collect();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for index in (1..waits.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        waits.swap(index, (seed >> 33) as usize % (index + 1));
    }
    waits
}

#[trine::concurrent(threads)]
fn compute() {
    burn(COMPUTE);
}

#[trine::concurrent(threads)]
fn wait() {
    thread::sleep(WAIT);
}

/// No schedule can be faster.
fn bound() -> Duration {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    (COMPUTE * EACH as u32 / cores as u32).max(WAIT)
}

pub(crate) fn mixed() -> Row {
    let (tokio, bound) = (tokio_runtime(), bound());
    let act = |waits: bool| if waits { thread::sleep(WAIT) } else { burn(COMPUTE) };
    Row::new("5", "64 × 5 ms CPU and 64 × 20 ms sleep, shuffled, makespan")
        .rounds(5)
        .contestant("trine threads", || {
            let tasks = shuffled().into_iter().map(|waits| if waits { wait() } else { compute() });
            trine::gather(tasks).join().expect("no task fails");
        })
        .contestant("tokio spawn_blocking", move || {
            let tasks: Vec<_> = shuffled()
                .into_iter()
                .map(|waits| tokio.spawn_blocking(move || act(waits)))
                .collect();
            tokio.block_on(async {
                for task in tasks {
                    task.await.unwrap();
                }
            });
        })
        .contestant("rayon", move || {
            rayon::scope(|scope| {
                for waits in shuffled() {
                    scope.spawn(move |_| act(waits));
                }
            });
        })
        .self_timed("the bound", move || bound)
        .goal(Goal::Time("the bound", 1.15))
}

/// Load from outside: two processes that compute until this is dropped.
pub(crate) struct Hog(Vec<Child>);

impl Hog {
    pub(crate) fn start() -> Self {
        Self::of("sh", &[])
    }

    /// The same, but they leave the cores to almost anything else that wants them.
    pub(crate) fn nice() -> Self {
        Self::of("nice", &["-n", "10", "sh"])
    }

    fn of(program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).args(["-c", "while :; do :; done"]);
        Self((0..2).map(|_| command.spawn().expect("a loop starts")).collect())
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The column to look at in this row is the number of threads.
pub(crate) fn hog() -> Row {
    let hog = Hog::start();
    Row::new("6", "64 × 5 ms CPU under an outside hog, makespan (see threads)")
        .rounds(3)
        .contestant("trine threads", move || {
            let _keep = &hog;
            trine::gather((0..EACH).map(|_| compute())).join().expect("no task fails");
        })
}
