//! Calls that wait behind a long one in a worker go to another worker that is free.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use trine::{Error, concurrent};
use trine_tests::programs::alone;
use trine_tests::system::{is_alive, kill};

#[concurrent(process)]
fn held(port: u16) -> u16 {
    let mut gate = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let _ = gate.read(&mut [0]);
    port
}

#[concurrent(process)]
fn value() -> u32 {
    7
}

/// How many calls ran in this worker before.
fn turn() -> u32 {
    static RAN: AtomicU32 = AtomicU32::new(0);
    RAN.fetch_add(1, Relaxed)
}

#[concurrent(process)]
fn usual() -> u32 {
    turn()
}

#[concurrent(process, priority = high)]
fn urgent() -> u32 {
    turn()
}

#[concurrent(process, priority = high, retries = 1)]
fn urgent_too() -> u32 {
    turn()
}

#[concurrent(process, priority = low)]
fn idle() -> u32 {
    turn()
}

#[test]
fn a_call_with_priority_gets_the_worker_first() {
    alone(a_call_with_priority_gets_the_worker_first, &[("TRINE_PROCESSES", "1")], || {
        for round in 0..20 {
            let gate = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            let long = held(gate.local_addr().unwrap().port());
            let inside = gate.accept().unwrap().0;
            // In the order of the calls; each with the position at which it should run.
            let tasks = [
                (idle(), 6),
                (usual(), 3),
                (urgent(), 0),
                (usual(), 4),
                (idle(), 7),
                (urgent_too(), 1),
                (usual(), 5),
                (urgent_too(), 2),
            ];
            drop(inside);
            for (task, place) in tasks {
                // Awaited, because a join would help with the work.
                assert_eq!(trine::block_on(task).unwrap(), round * 8 + place);
            }
            long.join().unwrap();
        }
    });
}

#[test]
fn a_call_between_a_long_one_and_a_cancelled_one_is_not_left_behind() {
    let test = a_call_between_a_long_one_and_a_cancelled_one_is_not_left_behind;
    alone(test, &[("TRINE_PROCESSES", "2")], keep_two_workers_busy);
}

fn keep_two_workers_busy() {
    for _ in 0..20 {
        let gates = [0, 1].map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap());
        let long = gates.each_ref().map(|gate| held(gate.local_addr().unwrap().port()));
        let [first, second] = gates.each_ref().map(|gate| gate.accept().unwrap().0);
        // Both workers are busy, so these wait behind the long calls.
        let mut waiting: Vec<_> = (0..2).map(|_| value()).collect();
        let cancelled: Vec<_> = (0..6).map(|_| value()).collect();
        drop(cancelled);
        // One worker becomes free; the other does not until all of these have run.
        drop(first);
        for value in waiting.drain(..) {
            // Awaited, because a join would help with the work.
            assert_eq!(trine::block_on(value).unwrap(), 7);
        }
        drop(second);
        for task in long {
            task.join().unwrap();
        }
    }
}

#[concurrent(process, memory = 7GiB)]
fn id_of_worker() -> i32 {
    std::process::id().try_into().unwrap()
}

#[concurrent(process, memory = 7GiB)]
fn bytes_of(values: Vec<u64>) -> usize {
    size_of_val(&values[..])
}

/// Long arguments travel as handles: a worker that dies before it has them has not begun the call.
#[test]
fn a_worker_that_dies_while_it_does_nothing_costs_no_call() -> Result<(), Error> {
    for _ in 0..100 {
        let worker = id_of_worker().join()?;
        kill(worker);
        while is_alive(worker) {}
        assert_eq!(bytes_of(vec![1; 100_000]).join()?, 800_000);
    }
    Ok(())
}
