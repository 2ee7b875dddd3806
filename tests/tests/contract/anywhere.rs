//! What of the mode `process` works on every system: in sequence, through the encoder.

use trine::process::Shared;
use trine::{concurrent, sequential};

#[concurrent(process)]
fn total(shared: Shared<[u32]>, lent: &[u32], text: &str) -> (u32, String) {
    (shared.iter().chain(lent).sum(), text.to_uppercase())
}

#[test]
fn in_sequence_a_process_function_runs_on_every_system() {
    let shared = Shared::from(vec![1, 2, 3]);
    let call = || total(shared.clone(), &[4], "word").join().unwrap();
    assert_eq!(sequential(call), (10, "WORD".to_owned()));
}

/// Never in this program unless it asks for that.
#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "freebsd", windows)))]
#[test]
fn where_no_worker_can_be_a_call_says_so() {
    let error = total(Shared::from(vec![1]), &[2], "word").join().unwrap_err();
    assert!(matches!(error.kind(), trine::ErrorKind::Worker { .. }), "{error:?}");
    assert!(error.to_string().contains("worker processes need Linux"), "{error}");
}
