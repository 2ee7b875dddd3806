//! Functions with `pool` run in the workers of that pool, which has as many as it was given, and
//! nothing else runs there.

use std::collections::HashSet;
use std::io::Read;
use std::net::TcpStream;

use trine::{Config, ErrorKind, Task, concurrent, gather};
use trine_tests::gate::Gate;
use trine_tests::programs::alone;

fn wait_at(port: u16) -> u32 {
    let mut gate = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let _ = gate.read(&mut [0]);
    std::process::id()
}

#[concurrent(process)]
fn plain(port: u16) -> u32 {
    wait_at(port)
}

#[concurrent(process, pool = "images")]
fn image(port: u16) -> u32 {
    wait_at(port)
}

#[concurrent(process, pool = "images")]
fn another_image() -> u32 {
    std::process::id()
}

#[concurrent(process, pool = "video", memory = 256MiB)]
fn video() -> u32 {
    std::process::id()
}

#[concurrent(process, pool = "imagse", retries = 1)]
fn misspelled() -> u32 {
    0
}

#[concurrent(process)]
fn nested() -> u32 {
    another_image().join().unwrap()
}

#[test]
fn a_pool_has_its_own_workers() {
    alone(a_pool_has_its_own_workers, &[], || {
        Config::new().processes(1).pool("images", 2).pool("video", 1).apply().unwrap();
        // Awaited throughout, because a join would help with the work.
        let wait = |task: Task<u32>| trine::block_on(task).unwrap();
        let gates = [Gate::new(), Gate::new(), Gate::new()];
        let held = plain(gates[0].port());
        let inside = gates[0].entered();
        // All plain workers are busy, but the others are not.
        let images = wait(another_image());
        assert_ne!(wait(video()), images);
        let calls = [1, 1].map(|gate| image(gates[gate].port()));
        let busy = [gates[1].entered(), gates[1].entered()];
        let third = image(gates[2].port());
        // Now it is the other way round, and there is no worker for a third image.
        drop(inside);
        let own = wait(held);
        for _ in 0..20 {
            let task = plain(gates[0].port());
            drop(gates[0].entered());
            assert_eq!(wait(task), own);
        }
        assert!(gates[2].entered_already().is_none(), "three at once in a pool of two");
        drop(busy);
        drop(gates[2].entered());
        let [first, second] = calls.map(wait);
        let workers: HashSet<u32> = [first, second, wait(third), images].into();
        assert!(workers.len() == 2 && !workers.contains(&own), "{workers:?}, {own}");
        // In a worker, nobody has set the pool's size.
        let inner = nested().join().unwrap();
        assert!(!workers.contains(&inner) && inner != own);
    });
}

#[test]
fn a_pool_that_is_not_there_is_named() {
    alone(a_pool_that_is_not_there_is_named, &[], || {
        Config::new().pool("images", 1).apply().unwrap();
        let error = misspelled().join().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Worker { .. }), "{error}");
        let told = "unknown pool `imagse`: set its size with `Config::pool`; known pools: `images`";
        assert!(error.to_string().contains(told), "{error}");
        assert_eq!(gather([another_image()]).join().unwrap().len(), 1);
    });
}

#[test]
fn a_pool_that_cannot_be_is_refused() {
    alone(a_pool_that_cannot_be_is_refused, &[], || {
        for (config, told) in [
            (Config::new().pool("images", 0), "at least one worker"),
            (Config::new().pool("", 1), "letters, digits"),
            (Config::new().pool("all images", 1), "letters, digits"),
            (Config::new().pool("images", 1).pool("images", 2), "two sizes"),
        ] {
            let error = config.apply().unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
        }
        Config::new().pool("images", 1).apply().unwrap();
    });
}
