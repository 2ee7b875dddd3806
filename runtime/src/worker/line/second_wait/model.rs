//! A call comes back to its line while it is cancelled, under loom: `CONTRIBUTING.md` has the
//! command.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use super::SecondWait;

#[test]
fn a_call_that_ends_as_it_comes_back_is_counted_once_or_never_comes() {
    loom::model(|| {
        let (wait, ended) = (Arc::new(SecondWait::new()), Arc::new(AtomicBool::new(false)));
        let comes = {
            let (wait, ended) = (wait.clone(), ended.clone());
            thread::spawn(move || wait.begin(|| ended.load(Ordering::Acquire)))
        };
        ended.store(true, Ordering::Release);
        let is_counted = wait.end();
        let is_in_line = comes.join().unwrap();
        assert_eq!(is_in_line, is_counted);
        assert!(!wait.is_on());
    });
}

#[test]
fn its_next_turn_and_its_end_do_not_both_have_it() {
    loom::model(|| {
        let wait = Arc::new(SecondWait::new());
        assert!(wait.begin(|| false));
        let turn = {
            let wait = wait.clone();
            thread::spawn(move || wait.end())
        };
        let is_counted = wait.end();
        assert_ne!(turn.join().unwrap(), is_counted);
    });
}
