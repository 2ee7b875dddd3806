//! Options at the `impl` and at its methods: which of the two holds, in every mode.
//!
//! A limit counts in the whole program, so each test has types of its own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use trine::{Task, concurrent, gather};
use trine_tests::gate::Gate;

use crate::counters::pass_if_any;

/// A worker whose `impl` and methods have options.
struct Set {
    start: fn() -> Set,
    /// Come to a gate if there is one: with what the `impl` says, and with options of their own.
    plain: Box<dyn Fn(u16) -> Task<()>>,
    also_plain: Box<dyn Fn(u16) -> Task<()>>,
    own: Box<dyn Fn(u16) -> Task<()>>,
    /// Fails before the third try, which is its result.
    attempt: Box<dyn Fn() -> Task<Result<u32, u32>>>,
}

impl Set {
    fn another(&self) -> Self {
        (self.start)()
    }
}

/// A type of this mode in this module, with these options at the `impl` and at a method.
macro_rules! set {
    (threads, $all:tt, $own:tt) => {
        set!(@threads, $all, $own);
    };
    (process, $all:tt, $own:tt) => {
        set!(@process, $all, $own);
    };
    (asynchronous, $all:tt, $own:tt) => {
        set!(@async, $all, $own, async aside);
    };
    (@$mode:ident, [$($all:tt)*], $own:tt $(, $async:ident $aside:ident)?) => {
        pub(crate) struct Type(AtomicU32);

        #[concurrent($mode, restarts = 9, $($all)*)]
        impl Type {
            pub(crate) $($async)? fn new() -> Self {
                Self(AtomicU32::new(0))
            }
            pub(crate) $($async)? fn plain(&self, port: u16) {
                set!(port $($aside)?);
            }
            pub(crate) $($async)? fn also_plain(&self, port: u16) {
                set!(port $($aside)?);
            }
            #[concurrent $own]
            pub(crate) $($async)? fn own(&self, port: u16) {
                set!(port $($aside)?);
            }
            #[concurrent(retries = 5)]
            pub(crate) $($async)? fn attempt(&self) -> Result<u32, u32> {
                let tried = self.0.fetch_add(1, Ordering::Relaxed) + 1;
                if tried < 3 { Err(tried) } else { Ok(tried) }
            }
        }

        fn start() -> Set {
            let worker = TypeWorker::new();
            let with = || worker.clone();
            let (plain, also_plain, own, attempt) = (with(), with(), with(), with());
            Set {
                start,
                plain: Box::new(move |port| plain.plain(port)),
                also_plain: Box::new(move |port| also_plain.also_plain(port)),
                own: Box::new(move |port| own.own(port)),
                attempt: Box::new(move || attempt.attempt()),
            }
        }
    };
    ($port:ident) => { pass_if_any($port) };
    // Threads of the runtime are few, and not to be blocked.
    ($port:ident aside) => {
        tokio::task::spawn_blocking(move || pass_if_any($port)).await.unwrap()
    };
}

/// A test for each mode, of an `impl` with these options and a method with those.
macro_rules! settings {
    ($($name:ident($set:ident, $all:tt, $own:tt) $body:block)*) => {
        $(
            mod $name {
                #[allow(unused_imports, reason = "some need nothing")]
                use super::*;

                const CHECK: fn(&Set) = |$set| $body;

                settings!(threads $all $own);
                settings!(process $all $own);
                settings!(asynchronous $all $own);
            }
        )*
    };
    ($mode:ident $all:tt $own:tt) => {
        mod $mode {
            use super::*;

            set!($mode, $all, $own);

            #[test]
            fn holds() {
                super::CHECK(&start());
            }
        }
    };
}

settings! {
    a_timeout_of_the_impl_is_each_method_s_and_one_of_its_own_replaces_it(
        set, [timeout = 50ms], (timeout = 1h)
    ) {
        let gate = Gate::new();
        let late = (set.plain)(gate.port());
        // On a thread it runs on, so it may go on only when it has been told.
        let held = gate.entered();
        assert!(late.join().unwrap_err().is_timeout());
        drop(held);
        let patient = (set.own)(gate.port());
        let held = gate.entered();
        // For longer than the others may take.
        let patient = patient.join_timeout(Duration::from_millis(100)).unwrap_err();
        drop(held);
        patient.join().unwrap();
    }

    a_limit_of_the_impl_is_each_method_s_and_one_of_its_own_replaces_it(
        set, [limit = 1], (limit = 2)
    ) {
        let [second, third, fourth] = [(); 3].map(|()| set.another());
        let gate = Gate::new();
        let runs = (set.plain)(gate.port());
        let held = gate.entered();
        let waits = (second.plain)(0);
        // That of another method is another limit, and two have room in that of its own.
        let other = (third.also_plain)(gate.port());
        let held_beside = gate.entered();
        drop(held_beside);
        other.join().unwrap();
        assert!(!waits.is_finished());
        let both = [&third, &fourth].map(|worker| (worker.own)(gate.port()));
        let held_both = [gate.entered(), gate.entered()];
        let third_of_two = (set.another().own)(0);
        assert!(!waits.is_finished() && !third_of_two.is_finished());
        drop(held_both);
        gather(both).join().unwrap();
        third_of_two.join().unwrap();
        drop(held);
        gather([runs, waits]).join().unwrap();
    }

    each_try_is_a_call_of_the_same_value(set, [limit = 1], (limit = 2)) {
        assert_eq!((set.attempt)().join().unwrap(), Ok(3));
        // The value has counted them.
        assert_eq!((set.attempt)().join().unwrap(), Ok(4));
    }
}
