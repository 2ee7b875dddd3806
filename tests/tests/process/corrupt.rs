//! A worker that writes nonsense where its parent reads. In a process of its own, because any call
//! of that worker may pay for it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use trine::{Error, ErrorKind, concurrent};
use trine_tests::process::double;
use trine_tests::programs::alone;
use trine_tests::system::mapped;

/// Everything that a worker shares with its parent and may write, word by word.
fn shared_words() -> Vec<*mut u64> {
    let shared = mapped().into_iter().filter(|mapped| mapped.is_writable);
    let words = shared.flat_map(|mapped| mapped.range.step_by(8));
    words.map(std::ptr::with_exposed_provenance_mut).collect()
}

/// Overwrites all of it, for long enough to be noticed.
#[concurrent(process)]
fn scribble(mut seed: u64) {
    let words = shared_words();
    for word in std::iter::repeat_n(&words, 20).flatten() {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        // SAFETY: mapped and writable, as the system says; that the parent reads it is the point.
        unsafe { word.write_volatile(seed) };
    }
}

/// Leaves a note that it runs, resets the engine's words to those of a worker that never did
/// anything, and crashes.
#[concurrent(process)]
fn wipe(runs: PathBuf) {
    note(&runs);
    for word in shared_words() {
        // SAFETY: as above.
        unsafe { word.write_volatile(0) };
    }
    std::process::abort();
}

fn note(runs: &Path) {
    File::options().append(true).open(runs).unwrap().write_all(b".").unwrap();
}

#[test]
fn a_call_that_wiped_its_worker_is_not_run_again() {
    alone(a_call_that_wiped_its_worker_is_not_run_again, &[], || {
        let runs = std::env::temp_dir().join(format!("trine-wiped-{}", std::process::id()));
        File::create(&runs).unwrap();
        // Once as the first call of its worker, and once after another call.
        for before in [None, Some(1)] {
            let answer = before.map(|number| double(number).join().unwrap());
            assert!(wipe(runs.clone()).join().is_err(), "{answer:?}");
        }
        let count = std::fs::read(&runs).unwrap().len();
        std::fs::remove_file(&runs).unwrap();
        assert_eq!(count, 2);
        assert_eq!(double(4).join().unwrap(), 8);
    });
}

#[test]
fn a_corrupt_worker_is_found_out_and_nothing_hangs() {
    alone(a_corrupt_worker_is_found_out_and_nothing_hangs, &[], || scribbles().unwrap());
}

fn scribbles() -> Result<(), Error> {
    let mut found = 0;
    for seed in 1..=20 {
        let before: Vec<_> = (0..50).map(double).collect();
        let corrupt = scribble(seed);
        let after: Vec<_> = (0..50).map(double).collect();
        // What such a worker says cannot show whose fault it was. But every call ends.
        let others = before.into_iter().chain(after).map(|task| task.join().map(drop));
        for result in std::iter::once(corrupt.join()).chain(others) {
            if let Err(error) = result {
                let is_told = error.is_crash()
                    || error.to_string().contains("worker is corrupt")
                    || matches!(error.kind(), ErrorKind::Codec { .. });
                assert!(is_told, "{error}");
                found += 1;
            }
        }
        assert_eq!(double(4).join()?, 8);
    }
    assert!(found > 0);
    Ok(())
}
