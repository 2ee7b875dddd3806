//! `limit` and `queue` on methods: how many calls of one run at once, of all workers together.
//!
//! A limit counts in the whole program, so each test has types of its own.

use std::time::Duration;

use trine::{ErrorKind, Stream, Task, concurrent, gather};
use trine_tests::gate::Gate;

use crate::counters::{Supervised, pass_if_any};

/// A worker whose methods are the same in every mode.
struct Limited {
    start: fn() -> Limited,
    /// Waits at a gate, if there is one, under a limit of one. Then it panics if it is asked to.
    narrow: Box<dyn Fn(u16, bool) -> Task<()>>,
    /// Waits at a gate, if there is one.
    wide: Box<dyn Fn(u16) -> Task<()>>,
    /// The same, under a limit of one, for which two may wait.
    few: Box<dyn Fn(u16) -> Task<()>>,
    /// Yields without an end, under a limit of one.
    rows: Box<dyn Fn() -> Stream<u64>>,
    worker: Box<dyn Supervised>,
}

impl Limited {
    fn another(&self) -> Self {
        (self.start)()
    }
}

/// A type of this mode in this module, with so many copies.
macro_rules! limited {
    (threads, $copies:literal) => {
        limited!(threads, $copies, Iterator<Item = u64>, |items| items);
    };
    (process, $copies:literal) => {
        limited!(process, $copies, Iterator<Item = u64>, |items| items);
    };
    (asynchronous, $copies:literal) => {
        limited!(async, $copies, futures::Stream<Item = u64>, futures::stream::iter, async aside);
    };
    ($mode:ident, $copies:literal, $trait:path, $from:expr $(, $async:ident $aside:ident)?) => {
        pub(crate) struct Type;

        #[concurrent($mode, copies = $copies, restarts = 9)]
        impl Type {
            pub(crate) $($async)? fn new() -> Self {
                Self
            }
            #[concurrent(limit = 1)]
            pub(crate) $($async)? fn narrow(&self, port: u16, panics: bool) {
                limited!(port $($aside)?);
                assert!(!panics, "as it was asked to");
            }
            pub(crate) $($async)? fn wide(&self, port: u16) {
                limited!(port $($aside)?);
            }
            #[concurrent(limit = 1, queue = 2)]
            pub(crate) $($async)? fn few(&self, port: u16) {
                limited!(port $($aside)?);
            }
            #[concurrent(limit = 1, ahead = 2)]
            pub(crate) fn rows(&self) -> impl $trait {
                $from(0..)
            }
        }

        fn start() -> Limited {
            let worker = TypeWorker::new();
            let with = || worker.clone();
            let (narrow, wide, few, rows) = (with(), with(), with(), with());
            Limited {
                start,
                narrow: Box::new(move |port, panics| narrow.narrow(port, panics)),
                wide: Box::new(move |port| wide.wide(port)),
                few: Box::new(move |port| few.few(port)),
                rows: Box::new(move || rows.rows()),
                worker: Box::new((*worker).clone()),
            }
        }
    };
    ($port:ident) => { pass_if_any($port) };
    // Threads of the runtime are few, and not to be blocked.
    ($port:ident aside) => {
        tokio::task::spawn_blocking(move || pass_if_any($port)).await.unwrap()
    };
}

/// A test for each mode, with a worker that has so many copies.
macro_rules! limits {
    ($($name:ident($limited:ident, $copies:literal) $body:block)*) => {
        $(
            mod $name {
                #[allow(unused_imports, reason = "some need nothing")]
                use super::*;

                const CHECK: fn(&Limited) = |$limited| $body;

                limits!(threads $copies);
                limits!(process $copies);
                limits!(asynchronous $copies);
            }
        )*
    };
    ($mode:ident $copies:literal) => {
        mod $mode {
            use super::*;

            limited!($mode, $copies);

            #[test]
            fn runs() {
                super::CHECK(&start());
            }
        }
    };
}

limits! {
    one_runs_of_all_workers_and_the_others_wait_in_order(first, 1) {
        let (second, third) = (first.another(), first.another());
        let (gate, later) = (Gate::new(), Gate::new());
        let runs = (first.narrow)(gate.port(), false);
        let held = gate.entered();
        let (waits, behind) = ((second.narrow)(later.port(), false), (second.wide)(0));
        // Others are not concerned.
        (third.wide)(0).join().unwrap();
        assert!(later.entered_already().is_none() && !behind.is_finished());
        drop(held);
        let held = later.entered();
        runs.join().unwrap();
        (third.wide)(0).join().unwrap();
        assert!(!behind.is_finished(), "it is behind");
        drop(held);
        waits.join().unwrap();
        behind.join().unwrap();
    }

    what_waits_for_its_place_may_be_given_up(first, 1) {
        let second = first.another();
        let gate = Gate::new();
        let runs = (first.narrow)(gate.port(), false);
        let held = gate.entered();
        // Each time, what is behind it runs.
        let (waits, behind) = ((second.narrow)(0, false), (second.wide)(0));
        waits.cancel();
        assert!(waits.join().unwrap_err().is_cancelled());
        behind.join().unwrap();
        let (waits, behind) = ((second.narrow)(0, false), (second.wide)(0));
        drop(waits);
        behind.join().unwrap();
        let waits = (second.narrow)(0, false).timeout(Duration::from_millis(1));
        let behind = (second.wide)(0);
        assert!(waits.join().unwrap_err().is_timeout());
        behind.join().unwrap();
        let waits = (second.narrow)(0, false);
        drop(held);
        waits.join().unwrap();
        runs.join().unwrap();
    }

    supervision_goes_on_where_a_place_is_waited_for(first, 1) {
        let [stopped, anew, dropped] = [(); 3].map(|()| first.another());
        let gate = Gate::new();
        let runs = (first.narrow)(gate.port(), false);
        let held = gate.entered();
        let waits = [&stopped, &anew, &dropped].map(|worker| (worker.narrow)(0, false));
        let behind = [&stopped, &anew, &dropped].map(|worker| (worker.wide)(0));
        stopped.worker.stop();
        anew.worker.restart();
        drop(dropped);
        let [stops, made_anew, left] = waits;
        let [stops_behind, ..] = behind;
        assert!(stops.join().unwrap_err().is_stopped());
        assert!(stops_behind.join().unwrap_err().is_stopped());
        assert!(!made_anew.is_finished() && !left.is_finished());
        drop(held);
        runs.join().unwrap();
        made_anew.join().unwrap();
        left.join().unwrap();
        assert_eq!(anew.worker.restarts(), 1);
    }

    every_end_gives_the_place_back(first, 1) {
        let workers = [first.another(), first.another()];
        for _ in 0..3 {
            let gate = Gate::new();
            let panics = (workers[0].narrow)(0, true);
            let next = (workers[1].narrow)(0, false);
            assert!(panics.join().unwrap_err().is_panic());
            next.join().unwrap();
            // While it runs, which ends the process that it may have.
            let cancelled = (workers[0].narrow)(gate.port(), false);
            let held = gate.entered();
            let next = (workers[1].narrow)(0, false);
            cancelled.cancel();
            drop(held);
            next.join().unwrap();
            // While it waits for its turn.
            let (runs, waits) = ((workers[0].wide)(gate.port()), (workers[0].narrow)(0, false));
            let held = gate.entered();
            drop(waits);
            (workers[1].narrow)(0, false).join().unwrap();
            drop(held);
            runs.join().unwrap();
        }
    }

    a_call_has_no_place_before_its_turn(first, 1) {
        let second = first.another();
        let gate = Gate::new();
        let runs = (first.wide)(gate.port());
        let held = gate.entered();
        let waits = (first.narrow)(0, false);
        (second.narrow)(0, false).join().unwrap();
        drop(held);
        runs.join().unwrap();
        waits.join().unwrap();
    }

    of_several_copies_the_others_are_free(pool, 3) {
        let gate = Gate::new();
        let [runs, waits, waits_too] = [(); 3].map(|()| (pool.narrow)(gate.port(), false));
        let held = gate.entered();
        for _ in 0..20 {
            (pool.wide)(0).join().unwrap();
        }
        let all = [(); 2].map(|()| (pool.wide)(gate.port()));
        let both = [gate.entered(), gate.entered()];
        waits.cancel();
        drop((held, both));
        gather(all).join().unwrap();
        runs.join().unwrap();
        drop(gate.entered());
        waits_too.join().unwrap();
    }

    a_stream_has_its_place_to_its_end(first, 1) {
        let second = first.another();
        let mut rows = (first.rows)().into_iter();
        assert_eq!(rows.next().unwrap().unwrap(), 0);
        let mut waits = (second.rows)().into_iter();
        let behind = (second.wide)(0);
        (first.another().wide)(0).join().unwrap();
        assert!(!behind.is_finished());
        drop(rows);
        assert_eq!(waits.next().unwrap().unwrap(), 0);
        drop(waits);
        behind.join().unwrap();
    }

    so_many_wait_and_the_next_is_refused(first, 1) {
        let second = first.another();
        for _ in 0..2 {
            let gate = Gate::new();
            let runs = (first.few)(gate.port());
            let held = gate.entered();
            let waits = [(first.few)(0), (second.few)(0)];
            let busy = (second.few)(0).join().unwrap_err();
            assert!(matches!(busy.kind(), ErrorKind::Busy), "{busy}");
            let [cancelled, last] = waits;
            drop(cancelled);
            let fits = (first.few)(0);
            assert!(matches!((first.few)(0).join().unwrap_err().kind(), ErrorKind::Busy));
            drop(held);
            gather([runs, last, fits]).join().unwrap();
        }
    }

    inline_it_needs_no_place(first, 1) {
        let gate = Gate::new();
        let runs = (first.narrow)(gate.port(), false);
        let held = gate.entered();
        trine::sequential(|| {
            let inline = first.another();
            (inline.narrow)(0, false).join().unwrap();
            assert_eq!((inline.few)(0).join().unwrap(), ());
        });
        drop(held);
        runs.join().unwrap();
    }
}
