//! Calls that follow one another on the same tokio task: each is as free as if it had its own.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};

use tokio::runtime::{Builder, Runtime};
use tokio::task::{block_in_place, yield_now};
use trine::{Task, concurrent, gather};

fn two_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

#[concurrent(async)]
async fn nothing() {}

#[concurrent(async)]
async fn tells(to: mpsc::Sender<()>) {
    to.send(()).unwrap();
}

/// As it should not.
#[concurrent(async)]
async fn keeps_its_thread(started: mpsc::Sender<()>, until: mpsc::Receiver<()>) {
    started.send(()).unwrap();
    until.recv().unwrap();
}

#[test]
fn a_body_that_keeps_its_thread_holds_up_no_call_from_elsewhere() {
    let runtime = two_threads();
    let _context = runtime.enter();
    for others in 0..50 {
        let ((started, starts), (end, until)) = (mpsc::channel(), mpsc::channel());
        let keeps = keeps_its_thread(started, until);
        let early: Vec<_> = (0..others % 7).map(|_| nothing()).collect();
        starts.recv().unwrap();
        gather(early).join().unwrap();
        gather((0..others).map(|_| nothing())).join().unwrap();
        gather((tells(end), keeps)).join().unwrap();
    }
}

#[test]
fn a_body_that_keeps_its_thread_holds_up_no_call_beside_it() {
    let runtime = two_threads();
    for others in 0..50 {
        let beside = async move {
            let ((started, _starts), (end, until)) = (mpsc::channel(), mpsc::channel());
            let before: Vec<_> = (0..others % 3).map(|_| nothing()).collect();
            let keeps = keeps_its_thread(started, until);
            let between: Vec<_> = (0..others % 7).map(|_| nothing()).collect();
            let all = (gather(before), keeps, gather(between), tells(end));
            gather(all).await.unwrap();
        };
        runtime.block_on(runtime.spawn(beside)).unwrap();
    }
}

#[concurrent(async)]
async fn lends_its_thread(until: mpsc::Receiver<()>) {
    block_in_place(|| until.recv().unwrap());
}

#[test]
fn bodies_that_lend_their_threads_hold_up_no_call() {
    let runtime = two_threads();
    let _context = runtime.enter();
    for _ in 0..20 {
        let (ends, untils): (Vec<_>, Vec<_>) = (0..6).map(|_| mpsc::channel()).unzip();
        let lending: Vec<_> = untils.into_iter().map(lends_its_thread).collect();
        let telling: Vec<_> = ends.into_iter().map(tells).collect();
        gather((gather(lending), gather(telling))).join().unwrap();
    }
}

#[concurrent(async)]
async fn waits(started: mpsc::Sender<()>) {
    started.send(()).unwrap();
    std::future::pending().await
}

#[test]
fn a_cancel_ends_its_own_call_and_no_later_one() {
    let runtime = two_threads();
    let _context = runtime.enter();
    for _ in 0..200 {
        let (started, starts) = mpsc::channel();
        let waiting = waits(started);
        starts.recv().unwrap();
        waiting.cancel();
        let later: Vec<_> = (0..3).map(|_| nothing()).collect();
        assert!(waiting.join().unwrap_err().is_cancelled());
        gather(later).join().unwrap();
    }
}

/// Ends when it is woken, and leaves its waker behind.
#[concurrent(async)]
async fn leaves_its_waker(to: Arc<Mutex<Option<Waker>>>) {
    let mut was_polled = false;
    let woken = poll_fn(|context| {
        if std::mem::replace(&mut was_polled, true) {
            return Poll::Ready(());
        }
        *to.lock().unwrap() = Some(context.waker().clone());
        context.waker().wake_by_ref();
        Poll::Pending
    });
    woken.await;
}

#[test]
fn the_waker_of_an_earlier_call_disturbs_nobody() {
    let runtime = two_threads();
    let _context = runtime.enter();
    let kept = Arc::default();
    leaves_its_waker(Arc::clone(&kept)).join().unwrap();
    let waker = kept.lock().unwrap().take().unwrap();
    for _ in 0..200 {
        let ((started, starts), (end, until)) = (mpsc::channel(), mpsc::channel());
        // What is idle is woken for nothing, and then for several calls at once.
        waker.wake_by_ref();
        waker.wake_by_ref();
        let keeps = keeps_its_thread(started, until);
        waker.wake_by_ref();
        starts.recv().unwrap();
        waker.wake_by_ref();
        gather((nothing(), tells(end), keeps)).join().unwrap();
    }
}

#[concurrent(async)]
async fn again(is_over: Arc<AtomicBool>, ended: mpsc::Sender<()>) {
    if is_over.load(Ordering::Relaxed) {
        ended.send(()).unwrap();
    } else {
        again(is_over, ended).detach();
    }
}

#[test]
fn calls_without_end_leave_other_tasks_their_turn() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let is_over = Arc::<AtomicBool>::default();
    let (ended, ends) = mpsc::channel();
    runtime.block_on(async {
        again(Arc::clone(&is_over), ended).detach();
        tokio::spawn(async move {
            for _ in 0..10 {
                yield_now().await;
            }
            is_over.store(true, Ordering::Relaxed);
        });
        while ends.try_recv().is_err() {
            yield_now().await;
        }
    });
}

#[concurrent(async)]
async fn waits_for(end: Arc<tokio::sync::Semaphore>) {
    _ = end.acquire().await.unwrap();
}

/// Each waits on a tokio task of its own, of which some stay for later calls.
#[test]
fn any_number_of_calls_may_wait() {
    let runtime = two_threads();
    let _context = runtime.enter();
    for _ in 0..2 {
        let end = Arc::new(tokio::sync::Semaphore::new(0));
        let mut waiting: Vec<Task<()>> = (0..2_000).map(|_| waits_for(Arc::clone(&end))).collect();
        let dropped = waiting.split_off(1_000);
        gather((0..10).map(|_| nothing())).join().unwrap();
        drop(dropped);
        end.add_permits(1);
        gather(waiting).join().unwrap();
    }
}

#[test]
fn calls_that_wait_on_the_only_thread_hold_up_no_other() {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let end = Arc::new(tokio::sync::Semaphore::new(0));
        let waiting: Vec<_> = (0..10).map(|_| waits_for(Arc::clone(&end))).collect();
        let (told, tells_so) = mpsc::channel();
        tells(told).await.unwrap();
        tells_so.recv().unwrap();
        end.add_permits(1);
        gather(waiting).await.unwrap();
    });
}
