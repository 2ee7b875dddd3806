//! User code that belongs to no call: iterators, what follows a task, scopes, wakers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use trine::{Task, TaskIterator, TaskSet, concurrent, gather, race};
use trine_tests::checks::wait_until;

use super::{Deed, Mode, contained, everywhere};

type Act = fn(&Mode, Deed);

/// Three calls, with the deed before the second.
fn calls(mode: &Mode, deed: Deed) -> impl Iterator<Item = Task<u32>> {
    let quick = mode.quick;
    (0..3).map(move |number| {
        if number == 1 {
            deed.done();
        }
        quick(number)
    })
}

/// Does its deed when it is dropped, unless the thread is already unwinding.
struct Last(Deed);

impl Drop for Last {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.done();
        }
    }
}

struct Wakes(Deed);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.done();
    }
}

struct WakesAndDrops(#[allow(dead_code)] Last);

impl Wake for WakesAndDrops {
    fn wake(self: Arc<Self>) {}
}

/// A call that does not end by itself. It is made on a thread that does not run calls in sequence,
/// where deadlines do not count.
fn never(mode: &Mode) -> Task<()> {
    std::thread::spawn(mode.never).join().unwrap()
}

/// Leaves a waker in a task, which then ends or is dropped.
fn leave(waker: &Waker, mut task: Task<impl Send + 'static>, waits: bool) {
    let is_ready = Pin::new(&mut task).poll(&mut Context::from_waker(waker)).is_ready();
    if waits && !is_ready {
        wait_until(|| task.is_finished());
    }
}

fn wakes(mode: &Mode, deed: Deed) {
    let waker = Waker::from(Arc::new(Wakes(deed)));
    for waits in [true, false] {
        leave(&waker, (mode.quick)(1), waits);
        leave(&waker, never(mode), waits);
        leave(&waker, gather([(mode.quick)(1), (mode.quick)(2)]), waits);
    }
    let mut set: TaskSet<_> = (0..3).map(mode.quick).collect();
    let _ = set.next().poll_once(&waker);
    wait_until(|| set.next_timeout(std::time::Duration::ZERO).is_ok());
}

trait PollOnce: Future + Sized {
    fn poll_once(self, waker: &Waker) -> bool {
        std::pin::pin!(self).poll(&mut Context::from_waker(waker)).is_ready()
    }
}

impl<F: Future> PollOnce for F {}

fn drops_wakers(mode: &Mode, deed: Deed) {
    for waits in [true, false] {
        contained(|| {
            let mut task = (mode.quick)(1);
            {
                let waker = Waker::from(Arc::new(WakesAndDrops(Last(deed))));
                let _ = Pin::new(&mut task).poll(&mut Context::from_waker(&waker));
            }
            // The second one takes the place of the first.
            leave(Waker::noop(), task, waits);
        });
    }
}

#[concurrent(threads, scoped)]
fn borrows(number: &u32) -> u32 {
    *number
}

const ACTS: &[(&str, Act)] = &[
    ("an iterator of gather", |mode, deed| drop(gather(calls(mode, deed)).join())),
    ("an iterator of race", |mode, deed| drop(race(calls(mode, deed)).join())),
    ("an iterator of buffered", |mode, deed| calls(mode, deed).buffered(2).for_each(drop)),
    ("an iterator of buffer_unordered", |mode, deed| {
        calls(mode, deed).buffer_unordered(2).for_each(drop);
    }),
    ("an iterator of a set", |mode, deed| {
        let mut set: TaskSet<_> = calls(mode, deed).collect();
        while set.join_next().is_some() {}
    }),
    ("map, joined", |mode, deed| {
        let mapped = (mode.quick)(1).map(move |_| deed.done());
        assert_eq!(mapped.join().is_err(), deed.panics());
    }),
    ("map, awaited", |mode, deed| {
        let mapped = (mode.quick)(1).map(move |_| deed.done());
        assert_eq!(futures::executor::block_on(mapped).is_err(), deed.panics());
    }),
    ("map, detached", |mode, deed| (mode.quick)(1).map(move |_| deed.done()).detach()),
    ("then, joined", |mode, deed| {
        let quick = mode.quick;
        let next = quick(1).then(move |number| {
            deed.done();
            quick(number)
        });
        assert_eq!(next.join().is_err(), deed.panics());
    }),
    ("then, detached", |mode, deed| {
        let quick = mode.quick;
        quick(1)
            .then(move |number| {
                deed.done();
                quick(number)
            })
            .detach();
    }),
    ("what a map owns", |mode, deed| {
        for detach in [true, false] {
            let last = Last(deed);
            let mapped = never(mode).map(move |()| drop(last));
            if detach { mapped.detach() } else { drop(mapped) }
        }
    }),
    ("what a map gives", |mode, deed| {
        (mode.quick)(1).map(move |_| Last(deed)).detach();
        drop((mode.quick)(1).map(move |_| Last(deed)));
        race([(mode.quick)(1).map(move |_| Last(deed)), (mode.quick)(2).map(move |_| Last(deed))])
            .detach();
    }),
    ("a scope", |_, deed| {
        let number = 3;
        trine::scope(|s| {
            let task = borrows(s, &number);
            deed.done();
            assert_eq!(task.join().unwrap(), 3);
        });
    }),
    ("an arm of join", |mode, deed| {
        trine::join(|| deed.done(), || assert_eq!((mode.quick)(1).join().unwrap(), 1));
    }),
    ("a waker", wakes),
    ("the destructor of a waker", drops_wakers),
];

#[test]
fn every_other_place_times_what_it_may_do() {
    let names: Vec<_> = ACTS.iter().map(|(name, _)| *name).collect();
    everywhere(&names, |mode, index, deed| contained(|| ACTS[index].1(mode, deed)));
}
