//! Statics that are initialized on first use: state of each worker, for which a call pays.

use std::sync::LazyLock;

use trine::concurrent;
use trine_tests::programs::alone;
use trine_tests::system::is_there;

static WORKER: LazyLock<u32> = LazyLock::new(std::process::id);

static NEVER: LazyLock<u32> = LazyLock::new(|| {
    loop {
        std::thread::park();
    }
});

/// The worker that initialized the static, and the one that runs this.
#[concurrent(process)]
fn worker() -> (u32, u32) {
    (*WORKER, std::process::id())
}

#[concurrent(process, fresh)]
fn fresh_worker() -> (u32, u32) {
    (*WORKER, std::process::id())
}

#[concurrent(process, timeout = 200ms)]
fn needs_what_takes_too_long() -> u32 {
    *NEVER
}

#[test]
fn each_worker_keeps_its_statics_and_a_timeout_pays_for_them() {
    let test = each_worker_keeps_its_statics_and_a_timeout_pays_for_them;
    alone(test, &[("TRINE_PROCESSES", "1")], || {
        let mut workers = Vec::new();
        for _ in 0..3 {
            let (first, id) = worker().join().unwrap();
            assert_eq!(first, id);
            assert_eq!(worker().join().unwrap(), (first, id));
            workers.push(id);
            // It is killed in the initialization, and the next worker begins anew. On a slow
            // machine the time may be over before the call has begun, and the worker stays.
            while is_there(id.cast_signed()) {
                assert!(needs_what_takes_too_long().join().unwrap_err().is_timeout());
            }
        }
        for _ in 0..2 {
            let (first, id) = fresh_worker().join().unwrap();
            assert_eq!(first, id);
            workers.push(id);
        }
        let count = workers.len();
        workers.dedup();
        assert_eq!(workers.len(), count, "{workers:?}");
    });
}
