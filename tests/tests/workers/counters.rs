//! The same worker in every mode.

use std::io::Read;
use std::net::TcpStream;

use trine::{Task, Worker};

/// Comes to the gate of this port, and waits there until it may go on.
pub(crate) fn pass(port: u16) {
    let mut gate = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let _ = gate.read(&mut [0]);
}

/// The same, if it is the port of one: 0 is none.
pub(crate) fn pass_if_any(port: u16) {
    if port > 0 {
        pass(port);
    }
}

/// The functions of a worker whose methods are the same in every mode.
pub(crate) struct Counter {
    pub(crate) start: fn(&str, u64) -> Counter,
    pub(crate) add: Box<dyn Fn(u64) -> Task<u64> + Send + Sync>,
    pub(crate) read: Box<dyn Fn() -> Task<u64> + Send + Sync>,
    /// Panics in `&mut self`, after a change.
    pub(crate) spoil: Box<dyn Fn() -> Task<()> + Send + Sync>,
    /// Panics in `&self`.
    pub(crate) stumble: Box<dyn Fn() -> Task<()> + Send + Sync>,
    /// Waits at a gate.
    pub(crate) wait: Box<dyn Fn(u16) -> Task<()> + Send + Sync>,
    /// The same in `&mut self` with a `timeout`.
    pub(crate) hurry: Box<dyn Fn(u16) -> Task<()> + Send + Sync>,
    pub(crate) worker: Box<dyn Supervised + Send + Sync>,
}

/// What there is to know of a worker.
pub(crate) trait Supervised {
    fn is_alive(&self) -> bool;
    fn restarts(&self) -> u32;
    fn restart(&self);
    fn stop(&self);
}

impl<T> Supervised for Worker<T> {
    fn is_alive(&self) -> bool {
        Worker::is_alive(self)
    }
    fn restarts(&self) -> u32 {
        Worker::restarts(self)
    }
    fn restart(&self) {
        Worker::restart(self);
    }
    fn stop(&self) {
        Worker::stop(self);
    }
}

macro_rules! counters {
    ($module:ident, $mode:ident $(, $async:ident)?) => {
        pub(crate) mod $module {
            use trine::concurrent;

            pub(crate) struct Counter(u64);

            #[concurrent($mode, restarts = 2, per = 1h)]
            impl Counter {
                /// Fails if the kind is "failing", or panics if it is "panicking".
                pub(crate) $($async)? fn new(kind: String, first: u64) -> Result<Self, String> {
                    assert_ne!(kind, "panicking", "as it was asked to");
                    if kind == "failing" { Err(format!("no {first}")) } else { Ok(Self(first)) }
                }
                pub(crate) $($async)? fn add(&mut self, number: u64) -> u64 {
                    self.0 += number;
                    self.0
                }
                pub(crate) $($async)? fn read(&self) -> u64 {
                    self.0
                }
                pub(crate) $($async)? fn spoil(&mut self) {
                    self.0 += 1000;
                    panic!("in the middle of a change");
                }
                pub(crate) $($async)? fn stumble(&self) {
                    panic!("while looking");
                }
                pub(crate) $($async)? fn wait(&self, port: u16) {
                    super::pass(port);
                }
                #[concurrent(timeout = 20ms)]
                pub(crate) $($async)? fn hurry(&mut self, port: u16) {
                    self.0 += 1000;
                    super::pass(port);
                }
            }

            /// A worker of this mode, whose constructor does as `kind` says.
            pub(crate) fn start(kind: &str, first: u64) -> super::Counter {
                let worker = CounterWorker::new(kind.into(), first);
                let with = || worker.clone();
                let (add, read, spoil, stumble) = (with(), with(), with(), with());
                let (wait, hurry) = (with(), with());
                super::Counter {
                    start,
                    add: Box::new(move |number| add.add(number)),
                    read: Box::new(move || read.read()),
                    spoil: Box::new(move || spoil.spoil()),
                    stumble: Box::new(move || stumble.stumble()),
                    wait: Box::new(move |port| wait.wait(port)),
                    hurry: Box::new(move |port| hurry.hurry(port)),
                    worker: Box::new((*worker).clone()),
                }
            }
        }
    };
}

counters!(on_threads, threads);
counters!(on_processes, process);
counters!(on_async, async, async);

/// A test for each mode, with a worker that starts at the number.
macro_rules! each_mode {
    ($($name:ident($counter:ident: $first:literal) $body:block)*) => {
        $(
            mod $name {
                #[allow(unused_imports, reason = "some need nothing")]
                use super::*;

                fn check($counter: &crate::counters::Counter) $body

                #[test]
                fn threads() {
                    check(&crate::counters::on_threads::start("", $first));
                }

                #[test]
                fn process() {
                    check(&crate::counters::on_processes::start("", $first));
                }

                #[test]
                fn asynchronous() {
                    check(&crate::counters::on_async::start("", $first));
                }
            }
        )*
    };
}
pub(crate) use each_mode;

impl Counter {
    pub(crate) fn is_alive(&self) -> bool {
        self.worker.is_alive()
    }

    pub(crate) fn restarts(&self) -> u32 {
        self.worker.restarts()
    }
}
