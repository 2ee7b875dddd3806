//! Several values of one worker: which of them gets a call, and what supervision does to them.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use trine::{ErrorKind, Task, concurrent, gather};
use trine_tests::gate::Gate;

use crate::counters::{Supervised, pass};

/// Something that no other value has, in whatever process.
fn identity() -> u64 {
    RandomState::new().hash_one(0)
}

/// A worker with copies whose methods are the same in every mode.
struct Pair {
    start: fn(&str) -> Pair,
    /// The identity of the value.
    who: Box<dyn Fn() -> Task<u64> + Send + Sync>,
    /// The same, after a wait at a gate.
    wait: Box<dyn Fn(u16) -> Task<u64> + Send + Sync>,
    worker: Box<dyn Supervised + Send + Sync>,
}

impl Pair {
    /// Returns once both values have been made: until then one goes to one that is being made.
    fn is_made(&self) {
        let gate = Gate::new();
        let runs = [(); 2].map(|()| (self.wait)(gate.port()));
        drop([gate.entered(), gate.entered()]);
        gather(runs).join().unwrap();
    }
}

macro_rules! pairs {
    ($($module:ident: $mode:ident $($async:ident $wait:ident)?;)*) => {
        $(
            mod $module {
                use super::{concurrent, identity};

                pub(super) struct Numbered(u64);

                #[concurrent($mode, copies = 2, restarts = 1, per = 1h)]
                impl Numbered {
                    pub(crate) $($async)? fn new(kind: String) -> Result<Self, String> {
                        if kind == "failing" { Err(kind) } else { Ok(Self(identity())) }
                    }
                    pub(crate) $($async)? fn who(&self) -> u64 {
                        self.0
                    }
                    pub(crate) $($async)? fn wait(&self, port: u16) -> u64 {
                        pairs!(port $($wait)?);
                        self.0
                    }
                }

                pub(super) fn start(kind: &str) -> super::Pair {
                    let worker = NumberedWorker::new(kind.into());
                    let (who, wait) = (worker.clone(), worker.clone());
                    super::Pair {
                        start,
                        who: Box::new(move || who.who()),
                        wait: Box::new(move |port| wait.wait(port)),
                        worker: Box::new((*worker).clone()),
                    }
                }
            }
        )*
    };
    ($port:ident) => { super::pass($port) };
    // Threads of the runtime are few, and not to be blocked.
    ($port:ident aside) => {
        tokio::task::spawn_blocking(move || super::pass($port)).await.unwrap()
    };
}

/// A test for each mode.
macro_rules! every_mode {
    ($($name:ident($pair:ident) $body:block)*) => {
        $(
            mod $name {
                #[allow(unused_imports, reason = "some need nothing")]
                use super::*;

                fn check($pair: &Pair) $body

                #[test]
                fn on_threads() {
                    check(&super::on_threads::start(""));
                }

                #[test]
                fn on_processes() {
                    check(&super::on_processes::start(""));
                }

                #[test]
                fn on_async() {
                    check(&super::on_async::start(""));
                }
            }
        )*
    };
}

pairs! {
    on_threads: threads;
    on_processes: process;
    on_async: async async aside;
}

every_mode! {
    as_many_run_at_once_as_there_are_copies(pair) {
        let gate = Gate::new();
        let tasks = [(); 3].map(|()| (pair.wait)(gate.port()));
        let held = [gate.entered(), gate.entered()];
        // Each has a value of its own, so the third one waits.
        assert!(gate.entered_already().is_none());
        drop(held);
        drop(gate.entered());
        let ran = gather(tasks).join().unwrap();
        assert_eq!(HashSet::<u64>::from_iter(ran).len(), 2);
    }

    a_call_goes_to_the_one_that_is_free(pair) {
        pair.is_made();
        let gate = Gate::new();
        let runs = (pair.wait)(gate.port());
        let held = gate.entered();
        let free = (pair.who)().join().unwrap();
        for _ in 0..20 {
            assert_eq!((pair.who)().join().unwrap(), free);
        }
        drop(held);
        assert_ne!(runs.join().unwrap(), free);
    }

    a_call_that_waits_is_run_by_whichever_is_free_first(pair) {
        let gates = [Gate::new(), Gate::new()];
        let run = [0, 1].map(|index| (pair.wait)(gates[index].port()));
        let [stuck, free] = gates.each_ref().map(Gate::entered);
        let waits = [(); 9].map(|()| (pair.who)());
        // What is given up takes no turn.
        let [first, cancelled, rest @ ..] = waits;
        cancelled.cancel();
        drop(free);
        let [stuck_run, free_run] = run;
        let by = free_run.join().unwrap();
        assert_eq!(first.join().unwrap(), by);
        assert!(cancelled.join().unwrap_err().is_cancelled());
        assert_eq!(gather(rest).join().unwrap(), [by; 7]);
        drop(stuck);
        assert_ne!(stuck_run.join().unwrap(), by);
    }

    each_is_made_anew_by_restart(pair) {
        let gate = Gate::new();
        let run = |count: usize| {
            let tasks: Vec<_> = (0..count).map(|_| (pair.wait)(gate.port())).collect();
            let held: Vec<_> = tasks.iter().map(|_| gate.entered()).collect();
            drop(held);
            HashSet::<u64>::from_iter(gather(tasks).join().unwrap())
        };
        let old = run(2);
        pair.worker.restart();
        let new = run(2);
        assert_eq!((old.len(), new.len()), (2, 2));
        assert!(old.is_disjoint(&new));
        assert_eq!((pair.worker.restarts(), pair.worker.is_alive()), (2, true));
    }

    all_are_stopped_and_what_runs_ends(pair) {
        let gate = Gate::new();
        let run = [(); 2].map(|()| (pair.wait)(gate.port()));
        let held = [gate.entered(), gate.entered()];
        let waits = [(); 4].map(|()| (pair.who)());
        pair.worker.stop();
        assert!(!pair.worker.is_alive());
        drop(held);
        run.into_iter().for_each(|task| _ = task.join().unwrap());
        waits.into_iter().for_each(|task| assert!(task.join().unwrap_err().is_stopped()));
        assert!((pair.who)().join().unwrap_err().is_stopped());
        pair.worker.restart();
        assert!((pair.who)().join().is_ok());
    }

    where_no_value_can_be_made_every_call_is_told(pair) {
        let failing = (pair.start)("failing");
        for task in [(); 6].map(|()| (failing.who)()) {
            let error = task.join().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Worker { .. }), "{error}");
            assert!(error.to_string().contains("failing"), "{error}");
        }
        assert!(!failing.worker.is_alive());
    }

    inline_there_is_one_value(pair) {
        trine::sequential(|| {
            let inline = (pair.start)("");
            let ran = [(); 4].map(|()| (inline.who)().join().unwrap());
            assert_eq!(HashSet::from(ran).len(), 1);
        });
    }
}

/// Counts its values, and the copies of what they are made from.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An argument that can be copied so many times.
struct Copied(Arc<AtomicUsize>);

impl Clone for Copied {
    fn clone(&self) -> Self {
        let take = |left: usize| left.checked_sub(1);
        let taken = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take);
        assert!(taken.is_ok(), "no more copies");
        Self(Arc::clone(&self.0))
    }
}

#[concurrent(threads, copies = 4, name = Crew)]
impl Counted {
    pub(crate) fn new(count: Arc<AtomicUsize>, copied: Copied) -> Self {
        drop(copied);
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
    pub(crate) fn wait(&self, port: u16) {
        pass(port);
    }
    pub(crate) fn stumble(&self) {
        panic!("while looking");
    }
}

fn crew(copies: usize) -> (Crew, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    (Crew::new(Arc::clone(&count), Copied(Arc::new(AtomicUsize::new(copies)))), count)
}

#[test]
fn of_callers_at_once_none_waits_while_a_copy_is_free() {
    let (crew, _) = crew(usize::MAX / 2);
    let gate = Gate::new();
    for _ in 0..100 {
        let ready = Barrier::new(4);
        let tasks = thread::scope(|scope| {
            let call = || {
                ready.wait();
                crew.wait(gate.port())
            };
            let callers = [(); 4].map(|()| scope.spawn(call));
            callers.map(|caller| caller.join().unwrap())
        });
        // All four have come before one may go.
        drop([(); 4].map(|()| gate.entered()));
        gather(tasks).join().unwrap();
    }
}

#[test]
fn all_values_are_dropped_with_the_last_handle() {
    let (crew, count) = crew(usize::MAX / 2);
    let gate = Gate::new();
    let tasks = [(); 8].map(|()| crew.wait(gate.port()));
    drop(crew);
    for _ in 0..8 {
        drop(gate.entered());
    }
    gather(tasks).join().unwrap();
    trine::blocking(|| {
        while Arc::strong_count(&count) > 1 {
            thread::yield_now();
        }
    });
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[test]
fn a_panic_in_a_look_costs_no_copy() {
    let (crew, _) = crew(usize::MAX / 2);
    for _ in 0..8 {
        assert!(crew.stumble().join().unwrap_err().is_panic());
    }
    let gate = Gate::new();
    let tasks = [(); 4].map(|()| crew.wait(gate.port()));
    drop([(); 4].map(|()| gate.entered()));
    gather(tasks).join().unwrap();
    assert_eq!(crew.restarts(), 0);
}

#[test]
fn copies_of_arguments_that_panic_are_what_calls_are_told() {
    // Three are for the further values, and then each needs one more when it is made.
    for copies in 0..=3 {
        let (crew, count) = crew(copies);
        for _ in 0..8 {
            let error = crew.count().join().unwrap_err();
            assert!(error.to_string().contains("no more copies"), "{error}");
        }
        assert_eq!((count.load(Ordering::SeqCst), crew.is_alive()), (0, false));
    }
}

/// In processes of their own.
struct Held(u64);

#[concurrent(process, copies = 2, restarts = 1, per = 1h)]
impl Held {
    pub(crate) fn new() -> Self {
        Self(identity())
    }
    pub(crate) fn who(&self) -> (u64, u32) {
        (self.0, std::process::id())
    }
    pub(crate) fn abort(&self) {
        std::process::abort();
    }
    pub(crate) fn wait(&self, port: u16) -> u64 {
        pass(port);
        self.0
    }
}

#[test]
fn what_ends_one_process_leaves_the_others_alone() {
    let held = HeldWorker::new();
    let gate = Gate::new();
    let both = [(); 2].map(|()| held.wait(gate.port()));
    drop([gate.entered(), gate.entered()]);
    gather(both).join().unwrap();
    let runs = held.wait(gate.port());
    let stays = gate.entered();
    let first = held.who().join().unwrap();
    assert!(matches!(held.abort().join().unwrap_err().kind(), ErrorKind::Crashed { .. }));
    let second = held.who().join().unwrap();
    assert!(first.0 != second.0 && first.1 != second.1);
    assert_eq!((held.restarts(), held.is_alive()), (1, true));
    // This one is not made anew again, and the other one serves on.
    assert!(matches!(held.abort().join().unwrap_err().kind(), ErrorKind::Crashed { .. }));
    let waits = held.who();
    drop(stays);
    let survivor = runs.join().unwrap();
    assert_eq!(waits.join().unwrap().0, survivor);
    assert_eq!((held.restarts(), held.is_alive()), (1, true));
    assert!(matches!(held.abort().join().unwrap_err().kind(), ErrorKind::Crashed { .. }));
    assert_ne!(held.who().join().unwrap().0, survivor);
    assert!(matches!(held.abort().join().unwrap_err().kind(), ErrorKind::Crashed { .. }));
    assert!(held.who().join().unwrap_err().is_stopped());
    assert_eq!((held.restarts(), held.is_alive()), (2, false));
}

/// A value in a worker process that makes another one there, inline.
struct Outer(u64);

#[concurrent(process)]
impl Outer {
    pub(crate) fn new(number: u64) -> Self {
        Self(number)
    }
    pub(crate) fn beside(&self, number: u64) -> u64 {
        trine::sequential(|| {
            let inner = OuterWorker::new(number);
            inner.number().join().unwrap() + self.0
        })
    }
    pub(crate) fn number(&self) -> u64 {
        self.0
    }
}

#[test]
fn a_value_that_is_made_inline_beside_another_is_not_taken_for_it() {
    let outer = OuterWorker::new(1);
    for _ in 0..3 {
        assert_eq!(outer.beside(10).join().unwrap(), 11);
        assert_eq!(outer.number().join().unwrap(), 1);
    }
}
