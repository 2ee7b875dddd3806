//! User code that belongs to no call: iterators, what follows a task, scopes, wakers.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, RawWaker, RawWakerVTable, Wake, Waker};
use std::time::{Duration, Instant};

use futures::Stream;
use trine::{Error, Task, TaskIterator, TaskSet, concurrent, gather, race};
use trine_tests::checks::wait_until;

use super::{DEEDS, Deed, Mode, contained, everywhere, in_turn, quick};

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

pub(super) trait PollOnce: Future + Sized {
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

/// The same, also if the thread unwinds.
struct Always(Deed);

impl Drop for Always {
    fn drop(&mut self) {
        self.0.done();
    }
}

/// A waker that does its deed when it is copied.
fn copies(deed: Deed) -> Waker {
    fn copy(deed: *const ()) -> RawWaker {
        DEEDS[deed.addr()].done();
        RawWaker::new(deed, &TABLE)
    }
    static TABLE: RawWakerVTable = RawWakerVTable::new(copy, |_| (), |_| (), |_| ());
    let index = DEEDS.iter().position(|other| *other == deed).unwrap();
    // SAFETY: the pointer is a number, which nobody follows.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::without_provenance(index), &TABLE)) }
}

fn copies_wakers(mode: &Mode, deed: Deed) {
    contained(|| leave(&copies(deed), never(mode), true));
    contained(|| leave(&copies(deed), (mode.quick)(1), true));
    contained(|| leave(&copies(deed), gather([(mode.quick)(1), (mode.quick)(2)]), false));
    let mut set: TaskSet<_> = (0..3).map(mode.quick).collect();
    contained(|| _ = set.next().poll_once(&copies(deed)));
    while set.join_next().is_some() {}
}

/// More than may be on the way.
#[concurrent(threads, ahead = 2)]
fn counts() -> impl Iterator<Item = u32> {
    0..4
}

/// What the destructor of a thread-local does.
struct AtTheEnd(Deed, fn(u32) -> Task<u32>, fn() -> Task<()>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        let Self(deed, quick, never) = *self;
        // The standard library ends the program if it panics.
        if !deed.panics() {
            deed.done();
        }
        assert_eq!(quick(1).join().unwrap(), 1);
        assert_eq!(futures::executor::block_on(quick(1)).unwrap(), 1);
        assert!(never().join().unwrap_err().is_timeout());
        assert_eq!(gather([quick(1), quick(2)]).join().unwrap(), [1, 2]);
        assert_eq!((0..3).map(quick).buffered(2).map(Result::unwrap).sum::<u32>(), 3);
        assert_eq!(trine::scope(|s| borrows(s, &3).join()).unwrap(), 3);
        assert_eq!(trine::join(|| 1, || 2), (1, 2));
        let (sender, stream) = trine::channel(1);
        assert!(sender.send(1).is_ok());
        drop(sender);
        assert_eq!(stream.gather().join().unwrap(), [1]);
        assert_eq!(counts().into_iter().map(Result::unwrap).sum::<u32>(), 6);
        let mut set: TaskSet<_> = (0..3).map(quick).collect();
        assert!(std::iter::from_fn(|| set.join_next()).all(|value| value.is_ok()));
        drop((quick(1), counts()));
        quick(1).detach();
    }
}

fn at_the_end_of_a_thread(mode: &Mode, deed: Deed) {
    thread_local! {
        static LAST: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
    }
    let (quick, never) = (mode.quick, mode.never);
    for uses_trine_before in [true, false] {
        let ends = std::thread::spawn(move || {
            LAST.set(Some(AtTheEnd(deed, quick, never)));
            if uses_trine_before {
                assert_eq!(quick(1).join().unwrap(), 1);
                assert_eq!(trine::join(|| 1, || 2), (1, 2));
            }
        });
        ends.join().unwrap();
    }
}

fn beside_an_arm_that_panics(_: &Mode, deed: Deed) {
    let owned = Always(deed);
    contained(|| {
        trine::join(
            || panic!("in the first"),
            move || {
                let _owned = &owned;
            },
        );
    });
    contained(|| {
        let begun = AtomicBool::new(false);
        let second = || {
            begun.store(true, SeqCst);
            Always(deed)
        };
        // Taken by another thread, unless all are busy.
        let wait = || {
            let until = Instant::now() + Duration::from_millis(20);
            while !begun.load(SeqCst) && Instant::now() < until {
                std::thread::yield_now();
            }
            panic!("in the first");
        };
        trine::join(wait, second);
    });
}

#[concurrent(threads, scoped)]
fn owns(number: &u32, last: Last) -> Last {
    Last(if *number == 3 { last.0 } else { Deed::Nothing })
}

fn owned_in_a_scope(_: &Mode, deed: Deed) {
    let number = 3;
    contained(|| trine::scope(|s| contained(|| drop(owns(s, &number, Last(deed)).join()))));
    contained(|| trine::scope(|s| drop(owns(s, &number, Last(deed)))));
    contained(|| trine::scope(|s| owns(s, &number, Last(deed)).cancel()));
    contained(|| trine::scope(|s| std::mem::forget(owns(s, &number, Last(Deed::Nothing)))));
}

#[concurrent(threads, scoped)]
fn borrows(number: &u32) -> u32 {
    *number
}

/// Reads to its end.
fn read(stream: impl Stream<Item = Result<u32, Error>> + Unpin) {
    futures::executor::block_on_stream(stream).for_each(drop);
}

fn never_made(deed: Deed) -> Task<u32> {
    deed.done();
    quick(1)
}

const ACTS: &[(&str, Act)] = &[
    ("an iterator of gather", |mode, deed| drop(gather(calls(mode, deed)).join())),
    ("an iterator of race", |mode, deed| drop(race(calls(mode, deed)).join())),
    ("an iterator of buffered", |mode, deed| calls(mode, deed).buffered(2).for_each(drop)),
    ("an iterator of buffer_unordered", |mode, deed| {
        calls(mode, deed).buffer_unordered(2).for_each(drop);
    }),
    ("an iterator of into_stream", |mode, deed| {
        contained(|| read(calls(mode, deed).buffered(2).into_stream()));
        contained(|| read(calls(mode, deed).buffer_unordered(2).into_stream()));
    }),
    ("an iterator of next_timeout", |mode, deed| {
        let mut window = calls(mode, deed).buffer_unordered(2);
        while window.next_timeout(Duration::from_secs(60)).unwrap().is_some() {}
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
    ("what follows an outcome", |mode, deed| {
        let outcome = (mode.quick)(1).map(move |_| deed.done()).outcome();
        let mapped = outcome.map(move |result| {
            assert_eq!(result.is_err(), deed.panics());
            // Its payload may panic, and two panics at once are the end.
            contained(|| drop(result));
            deed.done();
        });
        assert_eq!(mapped.join().is_err(), deed.panics());
        (mode.quick)(1).outcome().then(move |_| never_made(deed)).detach();
    }),
    ("the value of an outcome", |mode, deed| {
        let outcome = || (mode.quick)(1).map(move |_| Last(deed)).outcome();
        outcome().detach();
        drop(outcome());
        contained(|| drop(gather([outcome(), outcome()]).join()));
    }),
    ("what a set owns", |mode, deed| {
        let mut set: TaskSet<_> =
            (0..3).map(|n| (mode.quick)(n).map(move |_| Last(deed))).collect();
        contained(|| drop(set.join_next()));
        set.add((mode.quick)(3).map(move |_| Last(deed)));
        contained(|| drop(set));
    }),
    ("what drain waits for", |mode, deed| {
        (mode.quick)(1).map(move |_| deed.done()).detach();
        // Others are never done, so it only looks.
        let _ = trine::drain(Duration::ZERO);
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
    ("an arm of join beside one that panics", beside_an_arm_that_panics),
    ("what a scoped call owns", owned_in_a_scope),
    ("a thread-local's destructor", at_the_end_of_a_thread),
    ("the copy of a waker", copies_wakers),
    ("a waker", wakes),
    ("the destructor of a waker", drops_wakers),
];

#[test]
fn every_other_place_times_what_it_may_do() {
    in_turn(every_other_place_times_what_it_may_do, || {
        let names: Vec<_> = ACTS.iter().map(|(name, _)| *name).collect();
        everywhere(&names, names.len(), |mode, index, deed| {
            contained(|| ACTS[index].1(mode, deed))
        });
    });
}
