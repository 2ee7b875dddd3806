//! Permits as they are taken, queued for and given up, and work that comes at that moment.

use std::sync::Arc;

use loom::sync::atomic::{AtomicUsize, Ordering, fence};
use loom::thread;

use super::{Sleeper, check};
use crate::threads::crew::{Crew, Duty};

#[test]
fn a_permit_is_regained_after_a_wait() {
    check(4, || {
        let crew = Arc::new(Crew::<Sleeper>::new(1, 2));
        let running = Arc::new(AtomicUsize::new(0));
        let threads = [(); 2].map(|()| {
            let (crew, running) = (Arc::clone(&crew), Arc::clone(&running));
            thread::spawn(move || {
                let me = Sleeper::new();
                if !crew.take_or_queue(me) {
                    me.0.park();
                }
                assert_eq!(running.fetch_add(1, Ordering::AcqRel), 0, "one permit, two holders");
                running.fetch_sub(1, Ordering::AcqRel);
                crew.release();
            })
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(crew.try_take(), "the permit is gone");
        assert!(!crew.try_take(), "there are two permits");
    });
}

#[test]
fn who_leaves_the_queue_takes_no_permit_with_him() {
    check(5, || {
        let crew = Arc::new(Crew::<Sleeper>::new(1, 2));
        assert!(crew.try_take());
        let me = Sleeper::new();
        assert!(!crew.take_or_queue(me));
        let other = Arc::clone(&crew);
        let holder = thread::spawn(move || {
            other.release();
        });
        if !crew.leave_queue(me) {
            me.0.park();
            crew.release();
        }
        holder.join().unwrap();
        assert!(crew.try_take(), "the permit is gone");
        assert!(!crew.try_take(), "there are two permits");
    });
}

/// Gives a free permit back as it is asked for.
fn it_comes_back(give_up: fn(&Crew<Sleeper>)) {
    check(4, move || {
        let crew = Arc::new(Crew::<Sleeper>::new(1, 2));
        let other = Arc::clone(&crew);
        let holder = thread::spawn(move || give_up(&other));
        let me = Sleeper::new();
        if !crew.take_or_queue(me) {
            me.0.park();
        }
        crew.release();
        holder.join().unwrap();
        assert!(crew.try_take(), "the permit is gone");
        assert!(!crew.try_take(), "there are two permits");
    });
}

#[test]
fn a_permit_that_no_worker_could_be_made_for_comes_back() {
    it_comes_back(|crew| _ = crew.summon(false, || false));
}

#[test]
fn the_permit_of_a_worker_that_falls_asleep_comes_back() {
    it_comes_back(|crew| {
        if crew.try_take() {
            crew.start_search();
            crew.lie_down(Sleeper::new(), true);
        }
    });
}

/// All permits are taken and the monitor is awake. Work comes as that changes, and whoever changes
/// it looks for work. Returns what the publisher has to do.
fn publish_beside(crew: &Arc<Crew<Sleeper>>, change: impl FnOnce(&Crew<Sleeper>)) -> (bool, Duty) {
    assert!(crew.watch());
    let queued = Arc::new(AtomicUsize::new(0));
    let (its_crew, its_queue) = (Arc::clone(crew), Arc::clone(&queued));
    let publisher = thread::spawn(move || {
        its_queue.store(1, Ordering::Release);
        fence(Ordering::SeqCst);
        its_crew.published()
    });
    change(crew);
    let is_seen = queued.load(Ordering::Acquire) > 0;
    (is_seen, publisher.join().unwrap())
}

#[test]
fn work_is_seen_that_comes_as_a_permit_is_given_up() {
    check(5, || {
        let crew = Arc::new(Crew::new(1, 2));
        assert!(crew.try_take());
        let (is_seen, duty) = publish_beside(&crew, |crew| assert!(crew.release()));
        assert!(is_seen || duty == Duty::Summon, "nobody comes for it");
    });
}

#[test]
fn work_is_seen_that_comes_as_a_permit_is_lent() {
    check(5, || {
        let crew = Arc::new(Crew::new(0, 2));
        let (is_seen, duty) = publish_beside(&crew, Crew::lend);
        assert!(is_seen || duty == Duty::Summon, "nobody comes for it");
    });
}

#[test]
fn work_is_seen_that_comes_as_the_monitor_falls_asleep() {
    check(5, || {
        let crew = Arc::new(Crew::new(0, 2));
        let (is_seen, duty) = publish_beside(&crew, Crew::unwatch);
        assert!(is_seen || duty == Duty::Watch, "nobody watches whether it is run");
    });
}

#[test]
fn work_is_seen_that_comes_as_whoever_queues_for_a_permit_leaves() {
    check(4, || {
        let crew = Arc::new(Crew::new(1, 2));
        let me = Sleeper::new();
        assert!(crew.try_take() && !crew.take_or_queue(me));
        let its_crew = Arc::clone(&crew);
        let leaver = thread::spawn(move || its_crew.leave_queue(me));
        let mut is_free = false;
        let (is_seen, duty) = publish_beside(&crew, |crew| is_free = crew.release());
        let has_left = leaver.join().unwrap();
        assert!(is_free == has_left, "it is granted to one who waits, or to nobody");
        assert!(is_seen || duty == Duty::Summon || !is_free, "nobody comes for it");
    });
}
