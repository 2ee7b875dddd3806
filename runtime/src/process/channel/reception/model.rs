//! The desk under loom: a worker that answers, threads that join, and the dispatcher. A lost
//! wake-up is a deadlock, which loom reports. `CONTRIBUTING.md` has the command.

use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering, fence};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use super::{Desk, Listener, Papers, Reception, Rendezvous, Told, Word};

/// A word with a futex of its own.
struct ModelWord {
    value: AtomicU32,
    sleepers: Mutex<usize>,
    woken: Condvar,
}

impl ModelWord {
    fn new(value: u32) -> Self {
        let value = AtomicU32::new(value);
        Self { value, sleepers: Mutex::new(0), woken: Condvar::new() }
    }
}

impl Word for ModelWord {
    fn load(&self, order: Ordering) -> u32 {
        self.value.load(order)
    }

    fn store(&self, value: u32, order: Ordering) {
        self.value.store(value, order);
    }

    fn wait(&self, seen: u32) {
        let mut sleepers = self.sleepers.lock().unwrap();
        // Like the kernel, which checks under a lock and after a barrier.
        fence(Ordering::SeqCst);
        if self.value.load(Ordering::SeqCst) == seen {
            *sleepers += 1;
            drop(self.woken.wait(sleepers).unwrap());
        }
    }

    fn wake(&self) -> usize {
        fence(Ordering::SeqCst);
        let mut sleepers = self.sleepers.lock().unwrap();
        let woken = std::mem::take(&mut *sleepers);
        self.woken.notify_all();
        woken
    }
}

impl Word for &ModelWord {
    fn load(&self, order: Ordering) -> u32 {
        (**self).load(order)
    }

    fn store(&self, value: u32, order: Ordering) {
        (**self).store(value, order);
    }

    fn wait(&self, seen: u32) {
        (**self).wait(seen);
    }

    fn wake(&self) -> usize {
        (**self).wake()
    }
}

struct Inbox {
    /// The start of the next reply.
    head: u32,
    /// A bell was read from the socket.
    took_bell: bool,
}

impl Papers for Inbox {
    fn head(&self) -> u32 {
        self.head
    }

    fn took_bell(&mut self) -> bool {
        std::mem::take(&mut self.took_bell)
    }
}

/// What the dispatcher sleeps on.
#[derive(Default)]
struct Bell {
    has_rung: bool,
    /// Everything is done.
    is_over: bool,
}

struct World {
    tail: ModelWord,
    listening: ModelWord,
    reception: Reception<Inbox>,
    /// The worker has not ended its stream.
    runs: AtomicBool,
    /// How many replies were taken.
    taken: AtomicUsize,
    bell: Mutex<Bell>,
    rung: Condvar,
    replies: u32,
    /// Each reply brings handles, for which whoever takes it reads the socket, bells and all.
    has_handles: bool,
}

impl World {
    fn new(replies: u32, has_handles: bool) -> Arc<Self> {
        let world = Arc::new(Self {
            tail: ModelWord::new(0),
            listening: ModelWord::new(0),
            reception: Reception::new(Inbox { head: 0, took_bell: false }),
            runs: AtomicBool::new(true),
            taken: AtomicUsize::new(0),
            bell: Mutex::default(),
            rung: Condvar::new(),
            replies,
            has_handles,
        });
        world.reception.enter().announce(&world.rendezvous(), Listener::Dispatcher);
        world
    }

    fn rendezvous(&self) -> Rendezvous<&ModelWord> {
        Rendezvous { tail: &self.tail, listening: &self.listening }
    }

    fn ring(&self) {
        self.bell.lock().unwrap().has_rung = true;
        self.rung.notify_all();
    }

    fn take(&self, desk: &mut Desk<Inbox>) {
        let tail = self.tail.load(Ordering::Acquire);
        let new = tail - desk.papers.head;
        desk.papers.head = tail;
        if self.has_handles && new > 0 {
            let has_rung = std::mem::take(&mut self.bell.lock().unwrap().has_rung);
            desk.papers.took_bell |= has_rung;
        }
        let before = self.taken.fetch_add(new as usize, Ordering::SeqCst);
        if before + new as usize == self.replies as usize {
            // The end of the model, which the dispatcher must hear of.
            self.bell.lock().unwrap().is_over = true;
            self.rung.notify_all();
        }
    }

    fn is_done(&self) -> bool {
        self.taken.load(Ordering::SeqCst) == self.replies as usize
    }

    fn tell(&self, told: &mut Told, whom: &[Listener]) {
        told.tell(&self.rendezvous(), whom, |listener, tail| match listener {
            Listener::Joiner => _ = tail.wake(),
            _ => self.ring(),
        });
    }

    fn answer(&self) {
        let mut told = Told::default();
        for reply in 1..=self.replies {
            self.tail.store(reply, Ordering::Release);
            self.tell(&mut told, &[Listener::Joiner]);
            // Before the next call.
            self.tell(&mut told, &[Listener::Dispatcher]);
        }
    }

    /// Joins a call whose reply is the first.
    fn join(&self, is_alone: bool) {
        let Some(mut desk) = self.reception.try_enter() else { return };
        if !is_alone {
            desk.announce(&self.rendezvous(), Listener::Looking);
        }
        loop {
            self.take(&mut desk);
            if desk.papers.head > 0 {
                break;
            }
            self.reception.sleep(&mut desk, &self.rendezvous(), || true);
        }
        self.reception.leave(desk, &self.rendezvous(), |desk| self.take(desk), || false);
    }

    /// Yields items and ends.
    fn yields(&self) {
        let mut told = Told::default();
        for item in 1..self.replies {
            self.tail.store(item, Ordering::Release);
            self.tell(&mut told, &[Listener::Joiner, Listener::Dispatcher]);
        }
        self.tail.store(self.replies, Ordering::Release);
        self.tell(&mut told, &[Listener::Joiner]);
        self.runs.store(false, Ordering::Release);
        self.tell(&mut told, &[Listener::Reader]);
        // Before the next call.
        self.tell(&mut told, &[Listener::Dispatcher]);
    }

    /// Takes items, goes away to read them, and comes back so many times, but not for the end.
    fn reads(&self, times: u32) {
        for _ in 0..times {
            let Some(mut desk) = self.reception.try_enter() else { return };
            if !desk.is_left_to_reader() {
                desk.announce(&self.rendezvous(), Listener::Looking);
            }
            let before = desk.papers.head;
            loop {
                self.take(&mut desk);
                if desk.papers.head > before || self.is_done() {
                    break;
                }
                self.reception.sleep(&mut desk, &self.rendezvous(), || true);
            }
            let (rendezvous, take) = (self.rendezvous(), |desk: &mut _| self.take(desk));
            let (runs, goes_on) = (|| self.runs.load(Ordering::Acquire), || !self.is_done());
            self.reception.leave_to_read(desk, &rendezvous, take, runs, goes_on, || false);
        }
    }

    fn dispatch(&self) {
        while !self.is_done() {
            let mut bell = self.bell.lock().unwrap();
            while !bell.has_rung && !bell.is_over {
                bell = self.rung.wait(bell).unwrap();
            }
            bell.has_rung = false;
            drop(bell);
            if let Some(mut desk) = self.reception.knock() {
                desk.announce(&self.rendezvous(), Listener::Looking);
                self.take(&mut desk);
                self.reception.leave(desk, &self.rendezvous(), |desk| self.take(desk), || false);
            }
        }
    }
}

fn model(replies: u32, joiners: usize, is_alone: bool, has_handles: bool) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || {
        let world = World::new(replies, has_handles);
        let run = |run: fn(&World, bool)| {
            let world = world.clone();
            thread::spawn(move || run(&world, is_alone))
        };
        let mut threads: Vec<_> = (0..joiners).map(|_| run(World::join)).collect();
        threads.push(run(|world, _| world.answer()));
        world.dispatch();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(world.taken.load(Ordering::SeqCst), replies as usize);
    });
}

#[test]
fn a_reply_is_taken_by_the_joiner_or_the_dispatcher() {
    model(1, 1, true, false);
}

#[test]
fn replies_behind_the_joined_one_reach_the_dispatcher() {
    model(2, 1, false, false);
}

/// The worker rings once for an announcement, so who reads that bell announces the dispatcher anew.
#[test]
fn a_bell_that_a_joiner_reads_is_not_lost() {
    model(2, 1, true, true);
}

/// The dispatcher hears of a reply, finds the desk taken and knocks. Nobody rings again for the
/// same announcement, so whoever leaves the desk has to hear that.
#[test]
fn a_knock_is_not_lost() {
    model(2, 1, true, false);
}

/// Of the items the dispatcher hears nothing, but of the end it does.
fn stream(times: u32, preemptions: usize) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(move || {
        let world = World::new(times + 1, false);
        let run = |run: fn(&World, u32)| {
            let world = world.clone();
            thread::spawn(move || run(&world, times))
        };
        let threads = [run(World::reads), run(|world, _| world.yields())];
        world.dispatch();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(world.taken.load(Ordering::SeqCst), times as usize + 1);
    });
}

#[test]
fn the_end_of_a_stream_is_heard_though_its_reader_stays_away() {
    stream(1, 3);
}

/// It need not say each time that it comes and goes.
#[test]
fn the_end_of_a_stream_is_heard_though_its_reader_was_there_before() {
    stream(2, 2);
}

#[test]
fn a_sleeper_is_roused_though_its_word_never_changes() {
    loom::model(|| {
        let world = World::new(1, false);
        let is_over = Arc::new(AtomicU32::new(0));
        let sleeper = {
            let (world, is_over) = (world.clone(), is_over.clone());
            thread::spawn(move || {
                let mut desk = world.reception.enter();
                let still = || is_over.load(Ordering::SeqCst) == 0;
                while still() {
                    world.reception.sleep(&mut desk, &world.rendezvous(), still);
                }
            })
        };
        is_over.store(1, Ordering::SeqCst);
        world.reception.rouse(&world.rendezvous());
        sleeper.join().unwrap();
    });
}
