//! A program that gets no processor for a while: nobody is judged by the time that passes then.

use std::process::Command;

use trine::concurrent;
use trine_tests::programs::alone;

struct Tape(u64);

#[concurrent(process)]
impl Tape {
    pub(crate) fn new() -> Self {
        Self(7)
    }
    pub(crate) fn process(&self) -> i32 {
        std::process::id().cast_signed()
    }
    pub(crate) fn rows(&mut self) -> impl Iterator<Item = u64> {
        self.0 += 1;
        0..
    }
    pub(crate) fn read(&self) -> u64 {
        self.0
    }
}

/// The worker is to come to its next yield within a moment, and both stand still for longer.
#[test]
fn a_value_outlives_a_stop_of_its_program() {
    alone(a_value_outlives_a_stop_of_its_program, &[], || {
        let tape = TapeWorker::new();
        for round in 1..=3 {
            let worker = tape.process().join().unwrap();
            let mut rows = tape.rows().into_iter();
            assert_eq!(rows.next().unwrap().unwrap(), 0);
            let me = std::process::id();
            // This program first, so that it could judge before its worker has done anything.
            let resume = format!(
                "until grep -q '^State:.T' /proc/{me}/status; do sleep 0.01; done; sleep 0.2; \
                 kill -CONT {me}; kill -CONT {worker}"
            );
            let mut resume = Command::new("sh").args(["-c", &resume]).spawn().unwrap();
            // SAFETY: these stop processes, which somebody continues.
            unsafe {
                libc::kill(worker, libc::SIGSTOP);
                drop(rows);
                libc::raise(libc::SIGSTOP);
            }
            assert_eq!(tape.read().join().unwrap(), 7 + round);
            assert!(resume.wait().unwrap().success());
            assert_eq!(tape.restarts(), 0);
        }
    });
}
