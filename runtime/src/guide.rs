//! The guide: choosing a mode, coming from other libraries, and what happens when things go wrong.
//!
//! Each page stands alone. Its examples are compiled and run with the crate's tests.
//!
//! * [`choosing`]: which mode a function belongs in.
//! * [`from_python`]: threading, multiprocessing, asyncio, concurrent.futures, pebble, joblib and
//!   Ray, beside trine.
//! * [`from_rust`]: rayon, tokio and `std::thread`, beside trine.
//! * [`structured`]: who owns a task, and when it ends.
//! * [`errors`]: the two layers of a result, and what each failure means.
//! * [`borrowing`]: arguments and results that are not owned.
//! * [`streams`]: functions that yield items while they work.
//! * [`workers`]: a value that is costly to make, and calls of its methods.
//! * [`service`]: services: handlers that await, clients that disconnect, too many requests,
//!   shutdown.
//! * [`testing`]: tests of code that uses trine.
//! * [`debugging`]: running sequentially, reading expansions, tracing, statistics, what to do when
//!   it hangs.
//! * [`performance`]: when a task is too small, and what to do about it.
//! * [`benchmarks`]: trine measured beside its peers, and where it loses.
//! * [`what_happens`]: what happens when …, a line each.
//! * [`ending`]: what each mode does on drop, on cancel and at exit; Ctrl-C.
//! * [`many_machines`]: `process` calls on other machines.

#[doc = include_str!("../docs/choosing.md")]
pub mod choosing {}

#[doc = include_str!("../docs/from_python.md")]
pub mod from_python {}

#[doc = include_str!("../docs/from_rust.md")]
pub mod from_rust {}

#[doc = include_str!("../docs/structured.md")]
pub mod structured {}

#[doc = include_str!("../docs/errors.md")]
pub mod errors {}

#[doc = include_str!("../docs/borrowing.md")]
pub mod borrowing {}

#[doc = include_str!("../docs/streams.md")]
pub mod streams {}

#[doc = include_str!("../docs/workers.md")]
pub mod workers {}

#[doc = include_str!("../docs/service.md")]
pub mod service {}

#[doc = include_str!("../docs/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/debugging.md")]
pub mod debugging {}

#[doc = include_str!("../docs/performance.md")]
pub mod performance {}

#[doc = include_str!("../docs/benchmarks.md")]
pub mod benchmarks {}

#[doc = include_str!("../docs/what_happens.md")]
pub mod what_happens {}

#[doc = include_str!("../docs/ending.md")]
pub mod ending {}

#[doc = include_str!("../docs/many_machines.md")]
pub mod many_machines {}
