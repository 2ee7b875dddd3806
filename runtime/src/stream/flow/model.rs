//! A writer and a reader of a flow under loom: neither sleeps while it could go on, and no item is
//! lost, doubled or out of order. CONTRIBUTING.md has the command.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Poll, Waker};

use loom::{model, thread};

use super::{Flow, Grant, Push};
use crate::parker::Parker;
use crate::sync::{Condvar, Mutex};

fn wait<R>(mut poll: impl FnMut(&Waker) -> Poll<R>) -> R {
    let parker = Arc::new(Parker::new());
    let waker = Waker::from(Arc::clone(&parker));
    loop {
        if let Poll::Ready(value) = poll(&waker) {
            return value;
        }
        parker.park();
    }
}

/// Reads so many items, each when it is there.
fn read(flow: &Flow<u32>, count: u32) {
    let mut held = VecDeque::new();
    for number in 0..count {
        let item = wait(|waker| {
            if held.is_empty() && !flow.refill(&mut held, Some(waker)) {
                return Poll::Pending;
            }
            Poll::Ready(held.pop_front())
        });
        assert_eq!(item, Some(number));
    }
    // As somebody who waits for the end.
    assert!(!flow.refill(&mut held, None) && held.is_empty());
}

fn goes_through(ahead: usize, count: u32) {
    model(move || {
        let flow = Arc::new(Flow::new(ahead));
        let writer = {
            let flow = Arc::clone(&flow);
            thread::spawn(move || {
                for number in 0..count {
                    let mut push = Push::new(&flow, number);
                    assert!(wait(|waker| push.poll(Some(waker))));
                }
            })
        };
        read(&flow, count);
        writer.join().unwrap();
    });
}

#[test]
fn one_item_at_a_time_goes_through() {
    goes_through(1, 2);
}

#[test]
fn some_items_at_a_time_go_through() {
    goes_through(2, 3);
}

#[test]
fn who_stops_the_flow_wakes_the_writer() {
    model(|| {
        let flow = Arc::new(Flow::new(1));
        let writer = {
            let flow = Arc::clone(&flow);
            thread::spawn(move || {
                let mut goes_on = true;
                while goes_on {
                    let mut push = Push::new(&flow, 0);
                    goes_on = wait(|waker| push.poll(Some(waker)));
                }
            })
        };
        flow.close();
        writer.join().unwrap();
    });
}

/// A writer that gives up if it cannot put its item in at once, or waits until it can; returns
/// whether it did.
fn writer(flow: &Arc<Flow<u64>>, gives_up: bool) -> thread::JoinHandle<bool> {
    let flow = Arc::clone(flow);
    thread::spawn(move || {
        let mut push = Push::new(&flow, 1);
        if gives_up {
            return push.poll(Some(Waker::noop())).is_ready();
        }
        wait(|waker| push.poll(Some(waker)))
    })
}

/// Two writers at once, one of which may give up when it has waited or was sent for.
fn both_get_in(one_gives_up: bool) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(move || {
        let flow = Arc::new(Flow::new(1));
        assert_eq!(flow.poll_push(&mut Some(0), None), Poll::Ready(true));
        let writers = [false, one_gives_up].map(|gives_up| writer(&flow, gives_up));
        let mut held = VecDeque::new();
        let mut next = || {
            wait(|waker| {
                if held.is_empty() && !flow.refill(&mut held, Some(waker)) {
                    return Poll::Pending;
                }
                Poll::Ready(held.pop_front())
            })
        };
        // As long as nobody else comes, the one that waits must come in.
        assert_eq!((next(), next()), (Some(0), Some(1)));
        if !one_gives_up {
            assert_eq!(next(), Some(1));
        }
        // Whoever gave up may have put its item in before; the last to come must not wait.
        flow.stop();
        for writer in writers {
            let _ = writer.join().unwrap();
        }
    });
}

#[test]
fn two_writers_get_in_one_after_the_other() {
    both_get_in(false);
}

#[test]
fn a_writer_that_gives_up_lets_the_next_one_in() {
    both_get_in(true);
}

/// The same, and then the reader stays away.
#[test]
fn a_writer_that_gives_up_sends_the_next_one() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(|| {
        let flow = Arc::new(Flow::new(1));
        assert_eq!(flow.poll_push(&mut Some(0), None), Poll::Ready(true));
        let [gives_up, waits] = [true, false].map(|gives_up| writer(&flow, gives_up));
        let mut held = VecDeque::new();
        assert!(flow.refill(&mut held, None));
        held.clear();
        if gives_up.join().unwrap() {
            wait(
                |waker| {
                    if flow.refill(&mut held, Some(waker)) {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                },
            );
        }
        assert!(waits.join().unwrap());
    });
}

/// Where a reader makes room for two, one of them is woken, and wakes the other.
#[test]
fn a_writer_that_gets_in_sends_the_next_one() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(|| {
        let flow = Arc::new(Flow::new(4));
        let mut held = VecDeque::new();
        let put = |number| assert_eq!(flow.poll_push(&mut Some(number), None), Poll::Ready(true));
        (0..4).for_each(put);
        assert!(flow.refill(&mut held, None));
        put(4);
        let writers = [(); 2].map(|()| {
            let flow = Arc::clone(&flow);
            thread::spawn(move || {
                let mut push = Push::new(&flow, 5);
                wait(|waker| push.poll(Some(waker)))
            })
        });
        held.clear();
        assert!(flow.refill(&mut held, None));
        writers.into_iter().for_each(|writer| assert!(writer.join().unwrap()));
    });
}

/// What a writer elsewhere has been granted, as its channel would tell it.
struct Granted {
    items: Mutex<u64>,
    changed: Condvar,
}

fn is_granted(ahead: usize, count: u32, size: usize) {
    model(move || {
        let granted = Arc::new(Granted { items: Mutex::new(0), changed: Condvar::new() });
        let tell = {
            let granted = Arc::clone(&granted);
            move |items| {
                *granted.items.lock() = items;
                granted.changed.notify_one();
            }
        };
        let measure: fn(&u32) -> (usize, usize) =
            if size == 0 { |_| (1, 0) } else { |_| (1, super::MAX_BYTES / 2) };
        let flow = Arc::new(Flow::granting(ahead, Grant { tell: Box::new(tell), measure }));
        let writer = {
            let flow = Arc::clone(&flow);
            thread::spawn(move || {
                for sent in 0..count {
                    let mut granted_now = granted.items.lock();
                    while u64::from(sent) - *granted_now >= ahead as u64 {
                        granted_now = granted.changed.wait(granted_now);
                    }
                    drop(granted_now);
                    // There is room for what was granted.
                    assert_eq!(flow.poll_push(&mut Some(sent), None), Poll::Ready(true));
                }
            })
        };
        read(&flow, count);
        writer.join().unwrap();
    });
}

#[test]
fn a_writer_elsewhere_is_granted_what_it_waits_for() {
    is_granted(1, 2, 0);
    is_granted(2, 3, 0);
}

#[test]
fn a_writer_of_long_items_elsewhere_is_too() {
    is_granted(2, 3, 1);
}
