//! A worker starts a call while its parent withdraws it, under loom: `CONTRIBUTING.md` has the
//! command.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use loom::thread;

use super::{begin, withdraw};

#[test]
fn never_do_both_sides_have_a_call() {
    loom::model(|| {
        let withdrawn = Arc::new(AtomicU32::new(0));
        let running = Arc::new(AtomicU64::new(0));
        let worker = {
            let (withdrawn, running) = (withdrawn.clone(), running.clone());
            thread::spawn(move || {
                let announce = || running.store(2 * 2 + 1, Ordering::Release);
                begin(announce, || withdrawn.load(Ordering::Relaxed) != 0)
            })
        };
        let note = || withdrawn.store(1, Ordering::Relaxed);
        let taken_back = withdraw(note, || running.load(Ordering::Acquire), 2);
        let begun = worker.join().unwrap();
        assert!(!(begun && taken_back));
    });
}
