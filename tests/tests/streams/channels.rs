//! Channels: each mode × sent blocking, sent in a future, and streams as arguments.
//!
//! `ends.rs` has what only processes can do to them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::StreamExt;
use trine::{Sender, Stream, Task, channel, concurrent};
use trine_tests::checks::wait_until;

/// Ends a stream.
type End = fn(Stream<u64>);

/// How one mode sends and receives.
struct Mode {
    name: &'static str,
    /// Sends from 0, so many; how many of them were wanted.
    send: fn(u64, Sender<u64>) -> Task<u64>,
    /// Sends so many and panics.
    panics: fn(u64, Sender<u64>) -> Task<()>,
    /// All that comes, one more each.
    add: fn(Stream<u64>) -> Stream<u64>,
    /// All that comes, together.
    sum: fn(Stream<u64>) -> Task<u64>,
}

#[concurrent(threads)]
fn send(count: u64, sender: Sender<u64>) -> u64 {
    (0..count).take_while(|number| sender.send(*number).is_ok()).count() as u64
}

#[concurrent(threads)]
fn panics(count: u64, sender: Sender<u64>) {
    (0..count).for_each(|number| sender.send(number).unwrap());
    panic!("on purpose");
}

#[concurrent(threads)]
fn add(numbers: Stream<u64>) -> impl Iterator<Item = u64> {
    numbers.into_iter().map(|number| number.unwrap() + 1)
}

#[concurrent(threads)]
fn sum(numbers: Stream<u64>) -> u64 {
    numbers.into_iter().map(Result::unwrap).sum()
}

#[concurrent(threads)]
async fn send_polled(count: u64, sender: Sender<u64>) -> u64 {
    sending(count, sender).await
}

#[concurrent(async)]
async fn send_async(count: u64, sender: Sender<u64>) -> u64 {
    sending(count, sender).await
}

async fn sending(count: u64, sender: Sender<u64>) -> u64 {
    for number in 0..count {
        if sender.send_async(number).await.is_err() {
            return number;
        }
    }
    count
}

#[concurrent(async)]
async fn panics_async(count: u64, sender: Sender<u64>) {
    sending(count, sender).await;
    panic!("on purpose");
}

#[concurrent(async)]
fn add_async(numbers: Stream<u64>) -> impl futures::Stream<Item = u64> {
    numbers.map(|number| number.unwrap() + 1)
}

#[concurrent(async)]
async fn sum_async(numbers: Stream<u64>) -> u64 {
    numbers.map(Result::unwrap).fold(0, async |sum, number| sum + number).await
}

#[concurrent(process)]
fn send_process(count: u64, sender: Sender<u64>) -> u64 {
    (0..count).take_while(|number| sender.send(*number).is_ok()).count() as u64
}

#[concurrent(process)]
async fn send_process_polled(count: u64, sender: Sender<u64>) -> u64 {
    sending(count, sender).await
}

#[concurrent(process)]
fn panics_process(count: u64, sender: Sender<u64>) {
    (0..count).for_each(|number| sender.send(number).unwrap());
    panic!("on purpose");
}

#[concurrent(process)]
fn add_process(numbers: Stream<u64>) -> impl Iterator<Item = u64> {
    numbers.into_iter().map(|number| number.unwrap() + 1)
}

#[concurrent(process)]
async fn sum_process(numbers: Stream<u64>) -> u64 {
    numbers.map(Result::unwrap).fold(0, async |sum, number| sum + number).await
}

const PROCESS: Mode = Mode {
    name: "process",
    send: send_process,
    panics: panics_process,
    add: add_process,
    sum: sum_process,
};

const MODES: &[Mode] = &[
    PROCESS,
    Mode { name: "process, polled", send: send_process_polled, ..PROCESS },
    Mode { name: "threads", send, panics, add, sum },
    Mode { name: "threads, polled", send: send_polled, panics, add, sum },
    Mode { name: "async", send: send_async, panics: panics_async, add: add_async, sum: sum_async },
];

#[test]
fn what_one_sends_comes_in_order_and_ends() {
    for mode in MODES {
        for (ahead, count) in [(1, 0), (1, 1), (1, 100), (2, 100), (64, 64), (64, 1000)] {
            let expected: Vec<_> = (0..count).collect();
            let (sender, stream) = channel(ahead);
            let sent = (mode.send)(count, sender);
            let read: Vec<_> = stream.into_iter().map(Result::unwrap).collect();
            assert_eq!(read, expected, "{}", mode.name);
            assert_eq!(sent.join().unwrap(), count, "{}", mode.name);

            let (sender, stream) = channel(ahead);
            let sent = (mode.send)(count, sender);
            assert_eq!(stream.gather().join().unwrap(), expected, "{}, gathered", mode.name);
            assert_eq!(sent.join().unwrap(), count, "{}", mode.name);
        }
    }
}

#[test]
fn of_many_senders_all_comes_and_the_last_one_ends_it() {
    for mode in MODES {
        for ahead in [1, 3, 64] {
            let (sender, mut stream) = channel(ahead);
            let tasks: Vec<_> = (0..20).map(|_| (mode.send)(50, sender.clone())).collect();
            let mut of = [0; 50];
            for number in (&mut stream).into_iter().take(1000) {
                of[number.unwrap() as usize] += 1;
            }
            assert_eq!(of, [20; 50], "{}", mode.name);
            tasks.into_iter().for_each(|task| assert_eq!(task.join().unwrap(), 50));
            // One is left.
            let mut next = std::pin::pin!(stream.next());
            let mut context = Context::from_waker(Waker::noop());
            assert!(next.as_mut().poll(&mut context).is_pending(), "{}", mode.name);
            drop(sender);
            assert!(trine::block_on(next).is_none(), "{}", mode.name);
        }
    }
}

#[test]
fn a_stage_takes_the_stream_of_the_one_before() {
    for first in MODES {
        for second in MODES {
            let (sender, stream) = channel(4);
            let sum = (second.sum)((first.add)((second.add)(stream)));
            assert_eq!((first.send)(100, sender).join().unwrap(), 100);
            let expected = (0..100).sum::<u64>() + 200;
            assert_eq!(sum.join().unwrap(), expected, "{}, {}", first.name, second.name);
        }
    }
}

#[test]
fn one_that_waits_to_send_holds_nobody_up() {
    for mode in MODES {
        let (sender, stream) = channel(1);
        // More than there are permits or cores, and nobody reads.
        let waiting: Vec<_> = (0..20).map(|_| (mode.send)(2, sender.clone())).collect();
        let (other, numbers) = channel(64);
        let sent = (mode.send)(3, other);
        assert_eq!(numbers.gather().join().unwrap(), [0, 1, 2], "{}", mode.name);
        assert_eq!(sent.join().unwrap(), 3);
        drop(sender);
        assert_eq!(stream.into_iter().count(), 40, "{}", mode.name);
        waiting.into_iter().for_each(|task| assert_eq!(task.join().unwrap(), 2));
    }
}

#[test]
fn who_waits_to_send_learns_that_nobody_reads() {
    let ends: [(&str, End); 4] = [
        ("dropped", drop),
        ("dropped after one", |stream| _ = stream.into_iter().next().unwrap().unwrap()),
        ("cancelled", |stream| {
            stream.cancel();
            let read: Vec<_> = stream.into_iter().collect();
            assert!(read.last().unwrap().as_ref().unwrap_err().is_cancelled());
        }),
        ("timed out", |stream| {
            let read: Vec<_> = stream.timeout(Duration::from_millis(20)).into_iter().collect();
            assert!(read.last().unwrap().as_ref().unwrap_err().is_timeout());
        }),
    ];
    for mode in MODES {
        for (how, end) in ends {
            let (sender, stream) = channel(2);
            let tasks: Vec<_> = (0..3).map(|_| (mode.send)(u64::MAX, sender.clone())).collect();
            end(stream);
            for task in tasks {
                assert!(task.join().unwrap() < u64::MAX, "{}, {how}", mode.name);
            }
            assert_eq!(sender.send(7).unwrap_err().0, 7, "{}, {how}", mode.name);
        }
    }
}

#[test]
fn a_panic_drops_the_sender() {
    for mode in MODES {
        let (sender, stream) = channel(64);
        let task = (mode.panics)(3, sender);
        let read: Vec<_> = stream.into_iter().map(Result::unwrap).collect();
        assert_eq!(read, [0, 1, 2], "{}", mode.name);
        assert!(task.join().unwrap_err().is_panic(), "{}", mode.name);
    }
}

#[test]
fn one_that_gives_up_lets_the_next_one_send() {
    struct Called(AtomicBool);
    impl std::task::Wake for Called {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let (sender, mut stream) = channel(1);
    sender.send(0).unwrap();
    let mut first = Box::pin(sender.send_async(1));
    assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let called = Arc::new(Called(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&called));
    let mut second = Box::pin(sender.send_async(2));
    assert!(second.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    // The reader makes room and sends for the first, which never comes.
    assert_eq!((&mut stream).into_iter().next().unwrap().unwrap(), 0);
    assert!(!called.0.load(Ordering::Relaxed), "there is room for one");
    drop(first);
    assert!(called.0.load(Ordering::Relaxed), "nobody told the second");
    trine::block_on(second).unwrap();
    assert_eq!((&mut stream).into_iter().next().unwrap().unwrap(), 2);
    drop(sender);
    assert!(stream.into_iter().next().is_none());
}

#[test]
fn those_that_wait_send_in_their_turns() {
    struct Called(u64, Arc<AtomicUsize>);
    impl std::task::Wake for Called {
        fn wake(self: Arc<Self>) {
            self.1.store(self.0 as usize, Ordering::Relaxed);
        }
    }
    let (sender, mut stream) = channel(1);
    sender.send(0).unwrap();
    let last = Arc::new(AtomicUsize::new(0));
    let waker = |number| Waker::from(Arc::new(Called(number, Arc::clone(&last))));
    let mut waiting: Vec<_> = (1..=5).map(|number| Box::pin(sender.send_async(number))).collect();
    let mut poll = |number: u64| {
        let future = waiting[number as usize - 1].as_mut();
        future.poll(&mut Context::from_waker(&waker(number)))
    };
    // Whoever is polled again keeps its turn.
    for number in [1, 2, 3, 4, 5, 3, 2, 1] {
        assert!(poll(number).is_pending());
    }
    for number in 1..=5 {
        assert_eq!((&mut stream).into_iter().next().unwrap().unwrap(), number - 1);
        assert_eq!(last.load(Ordering::Relaxed) as u64, number);
        assert!(poll(number).is_ready());
    }
}

#[test]
fn sequential_sends_before_anybody_reads() {
    for mode in MODES {
        let (sender, stream) = channel(1);
        let sent = trine::sequential(|| (mode.send)(1000, sender));
        assert_eq!(sent.join().unwrap(), 1000, "{}", mode.name);
        let sum = trine::sequential(|| (mode.sum)((mode.add)(stream)));
        assert_eq!(sum.join().unwrap(), (0..1000).sum::<u64>() + 1000, "{}", mode.name);
    }
}

#[test]
#[should_panic(expected = "a channel needs room for at least one item")]
fn a_channel_without_room_is_refused() {
    let _ = channel::<u64>(0);
}

/// Does something when it is dropped.
struct Hostile(Option<Box<dyn FnOnce() + Send>>);

impl Drop for Hostile {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(|act| act());
    }
}

/// The destructors of items run where nobody is in the way: they may panic, call trine, and use the
/// very channel that they were in.
#[test]
fn items_may_do_anything_when_they_are_dropped() {
    let (sender, stream) = channel(64);
    let dropped = Arc::new(AtomicUsize::new(0));
    let acts: [fn(&Sender<Hostile>); 4] = [
        |_| panic!("on purpose"),
        |sender| assert!(sender.send(Hostile(None)).is_err()),
        |_| {
            let (sender, stream) = channel(1);
            drop(stream);
            assert_eq!(send(1, sender).join().unwrap(), 0);
        },
        |_| drop(channel::<Hostile>(1)),
    ];
    for act in acts {
        let (dropped, again) = (Arc::clone(&dropped), sender.clone());
        let act = move || {
            dropped.fetch_add(1, Ordering::Relaxed);
            act(&again);
        };
        sender.send(Hostile(Some(Box::new(act)))).ok().unwrap();
    }
    drop(stream);
    wait_until(|| dropped.load(Ordering::Relaxed) == 4);
    assert!(sender.send(Hostile(None)).is_err());
}

/// The reader's waker may send on the very channel that it waits for.
#[test]
fn a_waker_may_send_too() {
    struct Sends(Sender<u64>, AtomicBool);
    impl std::task::Wake for Sends {
        fn wake(self: Arc<Self>) {
            if !self.1.swap(true, Ordering::Relaxed) {
                self.0.send(2).unwrap();
            }
        }
    }
    let (sender, mut stream) = channel(4);
    let waker = Waker::from(Arc::new(Sends(sender.clone(), AtomicBool::new(false))));
    let mut context = Context::from_waker(&waker);
    assert!(stream.poll_next_unpin(&mut context).is_pending());
    sender.send(1).unwrap();
    let mut read = || match stream.poll_next_unpin(&mut context) {
        Poll::Ready(Some(Ok(number))) => number,
        other => panic!("{other:?}"),
    };
    assert_eq!((read(), read()), (1, 2));
}

/// Both ends at once, many times: a hand-over that is missed is one that hangs.
#[test]
fn a_crowd_of_senders_comes_through_a_narrow_channel() {
    for _ in 0..20 {
        let (sender, stream) = channel(1);
        let start = Arc::new(Barrier::new(4));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (sender, start) = (sender.clone(), Arc::clone(&start));
                std::thread::spawn(move || {
                    start.wait();
                    (0..100).for_each(|number| sender.send(number).unwrap());
                })
            })
            .collect();
        drop(sender);
        assert_eq!(stream.into_iter().count(), 400);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}
