//! Wakers are foreign code also where they are copied and dropped: what they do there may need the
//! very stream, channel or set that is being polled.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, RawWaker, RawWakerVTable, Waker};

use futures::StreamExt;
use trine::{Sender, TaskSet, channel};
use trine_tests::checks::ends_in_time;

/// What happens when a waker is copied or dropped, once.
#[derive(Default)]
struct Acts {
    on_clone: Mutex<Option<Act>>,
    on_drop: Mutex<Option<Act>>,
}

type Act = Box<dyn FnOnce() + Send>;

fn act(slot: &Mutex<Option<Act>>) {
    let act = slot.lock().unwrap().take();
    if let Some(act) = act {
        act();
    }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(
    |acts| {
        // SAFETY: as below; the copy has a count of its own.
        unsafe {
            Arc::increment_strong_count(acts.cast::<Acts>());
            act(&(*acts.cast::<Acts>()).on_clone);
        }
        RawWaker::new(acts, &TABLE)
    },
    dropped,
    |_| (),
    dropped,
);

fn dropped(acts: *const ()) {
    // SAFETY: each waker owns a count, from `into_raw` or `increment_strong_count`.
    let acts = unsafe { Arc::from_raw(acts.cast::<Acts>()) };
    act(&acts.on_drop);
}

fn waker(on_clone: Option<Act>, on_drop: Option<Act>) -> Waker {
    let acts = Acts { on_clone: Mutex::new(on_clone), on_drop: Mutex::new(None) };
    let acts = Arc::new(acts);
    // SAFETY: the table is that of such a pointer.
    let waker =
        unsafe { Waker::from_raw(RawWaker::new(Arc::into_raw(Arc::clone(&acts)).cast(), &TABLE)) };
    *acts.on_drop.lock().unwrap() = on_drop;
    waker
}

/// Sends without waiting.
fn sends(sender: &Sender<u32>) -> Act {
    let sender = sender.clone();
    Box::new(move || {
        let mut send = pin!(sender.send_async(7));
        let _ = send.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    })
}

fn poll(future: impl Future, waker: &Waker) {
    let _ = pin!(future).poll(&mut Context::from_waker(waker));
}

#[test]
fn the_waker_of_a_reader_may_send() {
    for is_copied in [true, false] {
        ends_in_time("a reader", || {
            let (sender, mut numbers) = channel(2);
            let act = Some(sends(&sender));
            let waker = if is_copied { waker(act, None) } else { waker(None, act) };
            poll(numbers.next(), &waker);
            drop(waker);
            // Takes the place of the first.
            poll(numbers.next(), Waker::noop());
            drop(sender);
            drop(numbers);
        });
    }
}

#[test]
fn the_waker_of_a_writer_may_send() {
    for is_copied in [true, false] {
        ends_in_time("a writer", || {
            let (sender, numbers) = channel(1);
            sender.send(1).unwrap();
            let act = Some(sends(&sender));
            let waker = if is_copied { waker(act, None) } else { waker(None, act) };
            let mut waits = pin!(sender.send_async(2));
            let _ = waits.as_mut().poll(&mut Context::from_waker(&waker));
            drop(waker);
            let _ = waits.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            drop(numbers);
        });
    }
}

#[test]
fn the_waker_of_a_set_may_end_a_task_of_it() {
    for is_copied in [true, false] {
        ends_in_time("a set", || {
            let (sender, numbers) = channel::<u32>(1);
            let mut set = TaskSet::from_iter([numbers.gather()]);
            let act: Option<Act> = Some(Box::new(move || drop(sender)));
            let waker = if is_copied { waker(act, None) } else { waker(None, act) };
            poll(set.next(), &waker);
            drop(waker);
            poll(set.next(), Waker::noop());
            drop(set);
        });
    }
}
