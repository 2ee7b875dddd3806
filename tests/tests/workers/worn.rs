//! Workers with state whose process has used up half of what the system lets it have: renewed where
//! the option says that the value may be lost, and otherwise told what there is no more of.

use std::fs::File;
use std::time::Duration;

use trine::concurrent;
use trine_tests::checks::wait_until;
use trine_tests::limits::{compute, limited};
use trine_tests::programs::alone;

/// Counts its calls.
struct Body(u32);

impl Body {
    fn serves(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }

    fn leaves_a_file(&mut self) -> Result<u32, String> {
        std::mem::forget(File::open("/dev/null").map_err(|error| error.to_string())?);
        Ok(self.serves())
    }

    fn computes(&mut self) -> u32 {
        compute(Duration::from_millis(200));
        self.serves()
    }
}

struct Renewed(Body);

#[concurrent(process, renew = 1_000_000)]
impl Renewed {
    pub(crate) fn new() -> Self {
        Self(Body(0))
    }
    pub(crate) fn leaves_a_file(&mut self) -> Result<u32, String> {
        self.0.leaves_a_file()
    }
    pub(crate) fn computes(&mut self) -> u32 {
        self.0.computes()
    }
}

struct Kept(Body);

#[concurrent(process, restarts = 1)]
impl Kept {
    pub(crate) fn new() -> Self {
        Self(Body(0))
    }
    pub(crate) fn leaves_a_file(&mut self) -> Result<u32, String> {
        self.0.leaves_a_file()
    }
    pub(crate) fn computes(&mut self) -> u32 {
        self.0.computes()
    }
    pub(crate) fn echo(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
}

#[test]
fn what_is_renewed_is_so_before_its_process_has_used_up_its_files() {
    alone(what_is_renewed_is_so_before_its_process_has_used_up_its_files, &[], || {
        limited(libc::RLIMIT_NOFILE, 256);
        let worker = RenewedWorker::new();
        for round in 1..=3 {
            // It may open some more while the next one is made, so the test waits for that.
            for _ in 0..150 {
                worker.leaves_a_file().join().unwrap().unwrap();
            }
            wait_until(|| worker.restarts() == round);
        }
    });
}

#[test]
fn what_is_renewed_is_so_before_its_process_has_used_up_its_time() {
    alone(what_is_renewed_is_so_before_its_process_has_used_up_its_time, &[], || {
        limited(libc::RLIMIT_CPU, 1);
        let worker = RenewedWorker::new();
        for round in 1..=2 {
            for _ in 0..3 {
                worker.computes().join().unwrap();
            }
            wait_until(|| worker.restarts() == round);
        }
    });
}

/// The value counts on, and the error says what there is no more of.
#[test]
fn what_is_not_renewed_keeps_its_value_to_the_last_file() {
    alone(what_is_not_renewed_keeps_its_value_to_the_last_file, &[], || {
        limited(libc::RLIMIT_NOFILE, 256);
        let worker = KeptWorker::new();
        let ended = (1..300).map(|number| (number, worker.leaves_a_file().join().unwrap()));
        let (_, failed) =
            ended.into_iter().find(|(number, result)| *result != Ok(*number)).unwrap();
        let none_left = failed.unwrap_err();
        assert!(none_left.contains("os error 24"), "{none_left}");
        // What trine itself needs of them is missed by name, too.
        let error = worker.echo(vec![1; 1 << 20]).join().unwrap_err().to_string();
        assert!(error.contains("os error 24"), "{error}");
        assert_eq!(worker.echo(vec![1; 1 << 20]).join().unwrap().len(), 1 << 20, "made anew");
    });
}

#[test]
fn what_is_not_renewed_keeps_its_value_to_the_last_second() {
    alone(what_is_not_renewed_keeps_its_value_to_the_last_second, &[], || {
        limited(libc::RLIMIT_CPU, 1);
        let worker = KeptWorker::new();
        let mut ended = (1..=5).map(|number| worker.computes().join().map(|count| (number, count)));
        // More than half of it; how much the process itself needs is not known.
        for _ in 0..3 {
            let (number, count) = ended.next().unwrap().unwrap();
            assert_eq!(number, count);
        }
        let error = ended.find_map(Result::err).unwrap();
        assert!(error.is_crash() && error.to_string().contains("processor time"), "{error}");
        assert_eq!(worker.computes().join().unwrap(), 1, "made anew");
    });
}
