//! A program in which no body panics, built so that a panic of anybody ends it: trine must not
//! panic by itself, wherever calls are made, however they end, and when the program does.
//!
//! It is a program and not a test, since Cargo builds tests with unwinding whatever the profile
//! says.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, block_in_place, spawn_blocking};
use trine::{Task, TaskIterator, TaskSet, concurrent, gather, race};
use trine_tests::checks::{self, Named, output_of, part};

fn main() {
    checks::main(PARTS, CHECKS, checks::in_turn);
}

const PARTS: &[Named] = &[
    ("leaves-main", || leave(|| {})),
    ("exits", || leave(|| std::process::exit(0))),
    ("exits-elsewhere", || {
        leave(|| {
            thread::spawn(|| std::process::exit(0));
            drop((MODES[0].never)().join());
        });
    }),
];

const CHECKS: &[Named] = &[
    ("calls wherever they are made", wherever),
    ("calls in sequence", || {
        trine::sequential(|| trine::block_on(calls(true, true)));
        trine::sequential(|| current_thread().block_on(calls(true, true)));
    }),
    ("calls whose runtime goes", runtime_goes),
    ("calls at the end of a thread", at_the_end_of_a_thread),
    ("calls at the end of main", || ends_well("leaves-main")),
    ("calls at an exit", || ends_well("exits")),
    ("calls at an exit of another thread", || ends_well("exits-elsewhere")),
];

struct Mode {
    name: &'static str,
    value: fn(u32) -> Task<u32>,
    fails: fn(u32) -> Task<Result<u32, u32>>,
    late: fn() -> Task<()>,
    never: fn() -> Task<()>,
    queued: fn() -> Task<()>,
}

macro_rules! mode {
    ($module:ident, $mode:ident, $never:expr, $($async:ident)?) => {
        mod $module {
            use trine::concurrent;

            pub(super) const MODE: super::Mode =
                super::Mode { name: stringify!($mode), value, fails, late, never, queued };

            #[concurrent($mode)]
            $($async)? fn value(number: u32) -> u32 {
                number
            }

            #[concurrent($mode, retries = 2, backoff = 1ms)]
            $($async)? fn fails(number: u32) -> Result<u32, u32> {
                Err(number)
            }

            #[concurrent($mode, timeout = 5ms)]
            $($async)? fn late() {
                $never
            }

            #[concurrent($mode)]
            $($async)? fn never() {
                $never
            }

            #[concurrent($mode, limit = 1, queue = 1)]
            $($async)? fn queued() {
                $never
            }
        }
    };
}

fn until_cancelled() {
    while !trine::cancelled() {
        thread::sleep(Duration::from_millis(1));
    }
}

mode!(threads, threads, super::until_cancelled(),);
mode!(process, process, super::until_cancelled(),);
mode!(asynchronous, async, std::future::pending::<()>().await, async);

const MODES: &[Mode] = &[threads::MODE, process::MODE, asynchronous::MODE];

#[concurrent(threads, scoped)]
fn borrows(number: &u32) -> u32 {
    *number
}

#[concurrent(threads)]
fn counts(from: u32) -> impl Iterator<Item = u32> {
    from..
}

const LONG: Duration = Duration::from_secs(600);

type Check = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Calls of every mode that end in every way. `joins`: the thread may block for `async` calls too.
fn calls(joins: bool, in_sequence: bool) -> Check {
    Box::pin(async move {
        for mode in MODES {
            let (value, fails) = (mode.value, mode.fails);
            assert_eq!(value(1).await.unwrap(), 1, "{}", mode.name);
            assert_eq!(value(2).timeout(LONG).await.unwrap(), 2);
            assert_eq!(fails(3).await.unwrap(), Err(3));
            assert_eq!(gather((0..3).map(value)).await.unwrap(), [0, 1, 2]);
            assert_eq!(race([value(1), value(1)]).await.unwrap(), 1);
            let next = value(1).map(|number| number + 1).then(value);
            assert_eq!(next.await.unwrap(), 2);
            let mut set: TaskSet<_> = (0..3).map(value).collect();
            assert!(set.next().await.is_some());
            drop(set);
            value(1).detach();
            drop(value(1));
            if !in_sequence {
                goes_wrong(mode).await;
            }
            if joins || mode.name != "async" {
                assert_eq!(value(1).join().unwrap(), 1);
                assert_eq!(value(2).timeout(LONG).join().unwrap(), 2);
                assert_eq!(value(3).join_timeout(LONG).unwrap().unwrap(), 3);
                assert_eq!((0..5).map(value).buffered(2).map(Result::unwrap).sum::<u32>(), 10);
                assert_eq!(trine::block_on(value(4)).unwrap(), 4);
            }
        }
        assert_eq!(trine::scope(|s| borrows(s, &3).join()).unwrap(), 3);
        assert_eq!(trine::join(|| 1, || 2), (1, 2));
        if !in_sequence {
            assert_eq!(counts(1).into_iter().nth(20).unwrap().unwrap(), 21);
        }
    })
}

/// Calls that end with an error or not at all.
async fn goes_wrong(mode: &Mode) {
    assert!((mode.late)().await.unwrap_err().is_timeout());
    let never = (mode.never)().timeout(Duration::from_millis(5));
    assert!(never.await.unwrap_err().is_timeout());
    let never = (mode.never)();
    never.cancel();
    match never.await {
        Ok(()) => assert_eq!(mode.name, "threads"),
        Err(error) => assert!(error.is_cancelled()),
    }
    let mut never = pin!((mode.never)());
    assert!(never.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(gather([(mode.never)(), (mode.never)()]));
    let line: Vec<_> = (0..3).map(|_| (mode.queued)()).collect();
    for refused in line.into_iter().filter(Task::is_finished) {
        assert!(refused.await.unwrap_err().is_busy());
    }
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[concurrent(threads)]
fn on_pool(check: Check) {
    trine::block_on(check);
}

/// A situation in which a thread may be, and whether it may block for `async` calls there.
type Surrounding = (fn(Check), bool);

const WHEREVER: &[Surrounding] = &[
    (trine::block_on, true),
    (|check| on_pool(check).timeout(LONG).join().unwrap(), true),
    (|check| current_thread().block_on(check), false),
    (|check| current_thread().block_on(async { tokio::spawn(check).await.unwrap() }), false),
    (|check| multi_thread().block_on(check), true),
    (|check| multi_thread().block_on(async { tokio::spawn(check).await.unwrap() }), true),
    (|check| LocalSet::new().block_on(&multi_thread(), check), true),
    (|check| LocalSet::new().block_on(&current_thread(), check), false),
    (
        |check| {
            let local = async { tokio::task::spawn_local(check).await.unwrap() };
            LocalSet::new().block_on(&current_thread(), local);
        },
        false,
    ),
    (
        |check| {
            let local = async { tokio::task::spawn_local(check).await.unwrap() };
            LocalSet::new().block_on(&multi_thread(), local);
        },
        true,
    ),
    (
        |check| {
            let blocks = async { spawn_blocking(|| trine::block_on(check)).await.unwrap() };
            current_thread().block_on(blocks);
        },
        true,
    ),
    (
        |check| {
            let blocks = async { block_in_place(|| trine::block_on(check)) };
            multi_thread().block_on(async { tokio::spawn(blocks).await.unwrap() });
        },
        true,
    ),
];

fn wherever() {
    for (run, joins) in WHEREVER {
        run(calls(*joins, false));
    }
}

/// Whoever waits is told, and whoever does not is not missed.
fn runtime_goes() {
    for runtime in [multi_thread, current_thread] {
        let runtime = runtime();
        let _context = runtime.enter();
        let mode = &asynchronous::MODE;
        let waits: Vec<_> = (0..4).map(|_| (mode.never)()).collect();
        let line: Vec<_> = (0..2).map(|_| (mode.queued)()).collect();
        (mode.never)().detach();
        let fails = (mode.fails)(1);
        drop(_context);
        runtime.shutdown_background();
        for task in waits.into_iter().chain(line) {
            assert!(task.join().unwrap_err().is_cancelled());
        }
        // As far as it came.
        drop(fails.join());
    }
}

/// What the destructor of a thread's local does.
struct AtTheEnd;

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        ends();
    }
}

thread_local! {
    static LAST: AtTheEnd = const { AtTheEnd };
}

fn at_the_end_of_a_thread() {
    thread::spawn(|| LAST.with(|_| ())).join().unwrap();
}

/// What still runs, for each mode: to be joined, to be dropped, and to be left alone.
static RUNNING: Mutex<Vec<[Task<()>; 3]>> = Mutex::new(Vec::new());

/// Calls where a thread or the program ends.
fn ends() {
    for mode in MODES {
        assert_eq!((mode.value)(1).join().unwrap(), 1, "{}", mode.name);
        assert_eq!((mode.fails)(2).join().unwrap(), Err(2));
        assert!((mode.late)().join().unwrap_err().is_timeout());
        assert_eq!(gather((0..3).map(mode.value)).join().unwrap(), [0, 1, 2]);
        drop((mode.never)());
        (mode.value)(1).detach();
    }
}

extern "C" fn at_exit() {
    let running = std::mem::take(&mut *RUNNING.lock().unwrap());
    for [joined, dropped, left] in running {
        assert!(joined.timeout(Duration::from_millis(5)).join().unwrap_err().is_timeout());
        drop(dropped);
        std::mem::forget(left);
    }
    ends();
    println!("all ended");
}

/// Ends the program in some way, while calls run.
fn leave(end: fn()) {
    // More than there are calls that never end.
    trine::Config::new().processes(8).apply().unwrap();
    // What hangs is ended.
    #[cfg(unix)]
    // SAFETY: a plain system call.
    unsafe {
        libc::alarm(60);
    }
    // SAFETY: the handler is a function of this program.
    unsafe { assert_eq!(libc::atexit(at_exit), 0) };
    for mode in MODES {
        RUNNING.lock().unwrap().push([(mode.never)(), (mode.never)(), (mode.never)()]);
        assert_eq!((mode.value)(1).join().unwrap(), 1);
    }
    LAST.with(|_| ());
    end();
}

fn ends_well(name: &str) {
    assert_eq!(output_of(part(name)), "all ended\n");
}
