//! The pool before it has a thread.

use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;
use std::{env, thread};

use crate::function::Function;
use crate::wait;

static QUICK: Function = Function::new("quick");

#[test]
fn a_call_runs_though_others_had_all_permits_before_there_was_a_worker() {
    // In a process of its own, where the pool has no thread yet.
    const IS_ALONE: &str = "TRINE_TEST_IS_ALONE";
    if env::var_os(IS_ALONE).is_none() {
        let mut alone = Command::new(env::current_exe().unwrap());
        alone.arg(thread::current().name().unwrap()).arg("--exact").env(IS_ALONE, "yes");
        assert!(alone.status().unwrap().success());
        return;
    }
    // As threads do that are in a join.
    while super::pool().lease() {}
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let call = crate::threads::spawn(&QUICK, (7,), |(number,): (u32,)| number);
        // Awaited, so that this thread does not run it.
        sender.send(wait::block_on(call).unwrap()).unwrap();
    });
    assert_eq!(receiver.recv_timeout(Duration::from_secs(60)), Ok(7));
}
