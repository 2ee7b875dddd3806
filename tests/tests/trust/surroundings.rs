//! Unusual surroundings: a forked child, a system that starts no thread, a runtime that goes away.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use trine::{ErrorKind, Task, concurrent, gather};
use trine_tests::checks::ends_in_time;
use trine_tests::gate::Gate;
use trine_tests::modes::MODES;
use trine_tests::programs::alone;

#[concurrent(threads)]
fn plain(number: u32) -> u32 {
    number
}

#[concurrent(threads, timeout = 1s)]
fn limited(number: u32) -> u32 {
    number
}

#[concurrent(threads, retries = 1, backoff = 1ms)]
fn retried(number: u32) -> Result<u32, u32> {
    Err(number)
}

#[concurrent(async)]
async fn asynchronous(number: u32) -> u32 {
    number
}

#[concurrent(process)]
fn process(number: u32) -> u32 {
    number
}

#[concurrent(threads, timeout = 20ms)]
fn hangs() {
    while !trine::cancelled() {
        std::thread::yield_now();
    }
}

type Wait = fn(Task<u32>) -> Result<u32, trine::Error>;

const WAITS: &[Wait] = &[
    Task::join,
    |task| futures::executor::block_on(task),
    |task| task.timeout(Duration::from_secs(60)).join(),
    |task| task.join_timeout(Duration::from_secs(60)).expect("it has ended"),
    |task| gather([task]).join().map(|[value]| value),
];

#[test]
fn a_forked_child_is_told_so() {
    alone(a_forked_child_is_told_so, &[], || {
        let old = plain(1).timeout(Duration::from_secs(3600));
        assert_eq!(gather([limited(1), asynchronous(2), process(3)]).join().unwrap(), [1, 2, 3]);
        // SAFETY: the child only calls trine, whose threads it does not have, and exits.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let calls: [fn(u32) -> Task<u32>; 4] = [plain, limited, asynchronous, process];
            let refused = |error: trine::Error| matches!(error.kind(), ErrorKind::Worker { .. });
            // What the waiting thread can run itself gives a value.
            let ended =
                |result: Result<u32, trine::Error>| result.map_or_else(refused, |value| value == 1);
            let all_end = WAITS.iter().all(|wait| calls.iter().all(|call| ended(wait(call(1)))));
            let none_runs = calls[1..].iter().all(|call| call(1).join().is_err_and(refused));
            let retried = retried(1).join().map_or_else(refused, |value| value == Err(1));
            let sequential = trine::sequential(|| plain(1).join()).is_ok_and(|value| value == 1);
            let ended_well = all_end && none_runs && retried && sequential && ended(old.join());
            // SAFETY: ends the child without the parent's handlers.
            unsafe { libc::_exit(i32::from(!ended_well)) };
        }
        let began = Instant::now();
        let mut status = 0;
        // SAFETY: waits for our own child.
        while unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } == 0 {
            if began.elapsed() > Duration::from_secs(20) {
                // SAFETY: kills our own child.
                unsafe { libc::kill(child, libc::SIGKILL) };
            }
            std::thread::yield_now();
        }
        assert_eq!(status, 0);
    });
}

#[concurrent(threads)]
fn meets(others: Arc<Barrier>) -> u32 {
    others.wait();
    1
}

/// Threads inherit the cores of the thread that starts them.
#[test]
fn the_first_thread_may_be_pinned_to_a_core() {
    alone(the_first_thread_may_be_pinned_to_a_core, &[], || {
        // SAFETY: the sets are large enough, and of this thread.
        unsafe {
            let mut cores: libc::cpu_set_t = std::mem::zeroed();
            libc::sched_getaffinity(0, size_of_val(&cores), &raw mut cores);
            let first = (0..1024).find(|core| libc::CPU_ISSET(*core, &cores)).unwrap();
            libc::CPU_ZERO(&mut cores);
            libc::CPU_SET(first, &mut cores);
            assert_eq!(libc::sched_setaffinity(0, size_of_val(&cores), &raw const cores), 0);
        }
        ends_in_time("on one core", || {
            let barrier = Arc::new(Barrier::new(20));
            let met = gather((0..20).map(|_| meets(Arc::clone(&barrier)))).join().unwrap();
            assert_eq!(met, [1; 20]);
            for wait in WAITS {
                for call in [plain, limited, asynchronous, process] {
                    assert_eq!(wait(call(3)).unwrap(), 3);
                }
            }
            assert!(hangs().join().unwrap_err().is_timeout());
            assert_eq!(trine::join(|| 1, || 2), (1, 2));
        });
    });
}

/// From here on the system starts no thread for this program.
fn refuse_threads() {
    // SAFETY: changes what this process may do, and nothing else runs in it.
    unsafe {
        // The limit does not bind root.
        if libc::getuid() == 0 {
            assert_eq!((libc::setgid(65534), libc::setuid(65534)), (0, 0));
        }
        let limit = libc::rlimit { rlim_cur: 1, rlim_max: 1 };
        assert_eq!(libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit), 0);
    }
    assert!(std::thread::Builder::new().spawn(|| ()).is_err());
}

#[test]
fn without_a_thread_for_the_timer_who_waits_keeps_the_time() {
    alone(without_a_thread_for_the_timer_who_waits_keeps_the_time, &[], || {
        // The pool has its threads, but it is too late for the timer to get one.
        futures::executor::block_on(gather((0..8).map(plain))).unwrap();
        refuse_threads();
        assert!(hangs().join().unwrap_err().is_timeout());
        assert!(futures::executor::block_on(hangs()).unwrap_err().is_timeout());
        assert!(gather([hangs(), hangs()]).join().unwrap_err().is_timeout());
        assert_eq!(retried(1).join().unwrap(), Err(1));
        assert_eq!(plain(1).timeout(Duration::from_secs(60)).join().unwrap(), 1);
    });
}

#[concurrent(async, limit = 1)]
async fn one_at_a_time() {
    std::future::pending::<()>().await
}

#[test]
fn a_runtime_may_go_with_a_long_line_of_calls() {
    ends_in_time("the end of a runtime", || {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        let mut tasks: Vec<_> = {
            let _context = runtime.enter();
            (0..50_000).map(|_| one_at_a_time()).collect()
        };
        drop(runtime);
        for task in &mut tasks {
            let waker = std::task::Waker::noop();
            match pin!(task).poll(&mut Context::from_waker(waker)) {
                Poll::Ready(result) => assert!(result.unwrap_err().is_cancelled()),
                Poll::Pending => panic!("it has no end"),
            }
        }
    });
}

#[test]
fn several_that_hang_fill_the_pool_until_their_timeout() {
    let (test, two) = (several_that_hang_fill_the_pool_until_their_timeout, "2");
    alone(test, &[("TRINE_THREADS", two), ("TRINE_PROCESSES", two)], || {
        let gate = Gate::new();
        for mode in MODES {
            let hung = gather((0..8).map(|_| (mode.hangs)(gate.port()).outcome()));
            assert_eq!((mode.value)(1).join().unwrap(), 2, "{}", mode.name);
            let ended = hung.join().unwrap();
            assert!(ended.into_iter().all(|one| one.unwrap_err().is_timeout()), "{}", mode.name);
        }
    });
}

#[concurrent(threads)]
fn first(from: mpsc::Receiver<u32>, to: mpsc::Sender<u32>) -> u32 {
    let number = from.recv().unwrap_or(0);
    to.send(number).map_or(0, |()| number)
}

#[concurrent(threads)]
fn second(from: mpsc::Receiver<u32>, to: mpsc::Sender<u32>) -> u32 {
    let number = from.recv().unwrap_or(0);
    to.send(number).map_or(0, |()| number)
}

#[test]
fn of_two_that_wait_for_each_other_a_timeout_tells() {
    let ((to_first, from_second), (to_second, from_first)) = (mpsc::channel(), mpsc::channel());
    let release = to_first.clone();
    let tasks = [first(from_second, to_second), second(from_first, to_first)];
    let told = tasks.map(|task| task.timeout(Duration::from_millis(20)).join().unwrap_err());
    let told = told.map(|error| error.to_string());
    assert_eq!(told, ["first", "second"].map(|name| format!("task `{name}` timed out after 20ms")));
    let _ = release.send(1);
}
