//! Nested waits under loom: each has its own wake-up.
//!
//! CONTRIBUTING.md has the command.

use std::sync::Arc;
use std::task::{Poll, Waker};

use loom::{model, thread};

use super::Kept;
use crate::sync::Mutex;

/// An event that happens once and wakes whoever waits for it.
struct Event(Mutex<(bool, Option<Waker>)>);

impl Event {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((false, None))))
    }

    fn come(&self) {
        let waker = {
            let mut event = self.0.lock();
            event.0 = true;
            event.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, waker: &Waker) -> Poll<()> {
        let mut event = self.0.lock();
        if event.0 {
            return Poll::Ready(());
        }
        event.1 = Some(waker.clone());
        Poll::Pending
    }
}

fn wait_for(kept: &Kept, event: &Event) {
    kept.lend(|sleeper| sleeper.wait(None, |waker| event.poll(waker)));
}

fn come_elsewhere(event: &Arc<Event>) -> thread::JoinHandle<()> {
    let event = Arc::clone(event);
    thread::spawn(move || event.come())
}

#[test]
fn a_wait_inside_of_another_takes_no_wake_up_from_it() {
    model(|| {
        let (outer, inner) = (Event::new(), Event::new());
        let others = [come_elsewhere(&outer), come_elsewhere(&inner)];
        let kept = Kept::default();
        let mut has_waited = false;
        kept.lend(|sleeper| {
            sleeper.wait(None, |waker| {
                let poll = outer.poll(waker);
                if !std::mem::replace(&mut has_waited, true) {
                    wait_for(&kept, &inner);
                }
                poll
            })
        });
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

#[test]
fn a_wake_up_that_comes_late_disturbs_no_later_wait() {
    model(|| {
        let (first, second) = (Event::new(), Event::new());
        let others = [come_elsewhere(&first), come_elsewhere(&second)];
        let kept = Kept::default();
        // Gives up, as a dropped future does, and leaves its waker behind.
        kept.lend(|sleeper| _ = first.poll(&sleeper.waker));
        wait_for(&kept, &second);
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}
