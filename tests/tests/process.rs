//! Process tasks: values cross, and every way to end has its own outcome.

use std::collections::HashSet;
use std::time::Duration;

use trine::{Error, ErrorKind, concurrent, gather};

#[concurrent(process)]
fn double(number: u32) -> u32 {
    number * 2
}

#[concurrent(process)]
fn process_id() -> u32 {
    std::process::id()
}

#[test]
fn a_value_crosses_and_comes_back() -> Result<(), Error> {
    assert_eq!(double(21).join()?, 42);
    assert_ne!(process_id().join()?, std::process::id());
    Ok(())
}

#[test]
fn many_calls_in_flight_all_come_back_in_order() -> Result<(), Error> {
    let tasks: Vec<_> = (0..20_000).map(double).collect();
    for (number, task) in (0..).zip(tasks) {
        assert_eq!(task.join()?, number * 2);
    }
    let all = gather((0..20_000).map(double)).join()?;
    assert!(all.into_iter().eq((0..20_000).map(|number| number * 2)));
    Ok(())
}

#[test]
fn many_threads_call_at_once() {
    std::thread::scope(|scope| {
        for start in 0..8 {
            scope.spawn(move || {
                for number in start * 1000..start * 1000 + 500 {
                    assert_eq!(double(number).join().unwrap(), number * 2);
                }
            });
        }
    });
}

#[test]
fn calls_nobody_joins_are_awaited_or_run_on() -> Result<(), Error> {
    trine::block_on(async {
        for number in 0..200 {
            assert_eq!(double(number).await?, number * 2);
        }
        Ok::<_, Error>(())
    })?;
    let task = double(4);
    while !task.is_finished() {
        std::thread::yield_now();
    }
    assert_eq!(task.join()?, 8);
    (0..100).for_each(|number| double(number).detach());
    Ok(())
}

#[concurrent(process)]
fn boom(why: &str) {
    panic!("{why} went off")
}

#[concurrent(process)]
fn boom_with_a_number() {
    std::panic::panic_any(7_u8)
}

#[test]
fn a_panic_comes_back_with_message_and_place() {
    let error = boom("it").join().unwrap_err();
    let ErrorKind::Panicked { message, location } = error.kind() else { panic!("{error}") };
    assert_eq!(message, "it went off");
    assert!(location.as_deref().is_some_and(|l| l.contains("tests/process.rs:")), "{location:?}");
    let error = boom_with_a_number().join().unwrap_err();
    assert!(error.is_panic(), "{error}");
}

#[concurrent(process)]
fn aborts_while_unwinding() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("second");
        }
    }
    let _bomb = Bomb;
    panic!("first");
}

#[test]
fn a_panic_that_aborts_comes_back_as_a_panic() {
    let error = aborts_while_unwinding().join().unwrap_err();
    assert!(error.is_panic(), "{error}");
}

#[concurrent(process)]
fn end(how: &str) {
    match how {
        "abort" => std::process::abort(),
        // SAFETY: there is nothing at that address, which is the point.
        "segfault" => unsafe { std::ptr::null_mut::<u8>().write_volatile(1) },
        "overflow" => assert!(deep(1) > 1),
        // SAFETY: ends the process.
        "_exit" => unsafe { libc::_exit(3) },
        code => std::process::exit(code.parse().unwrap()),
    }
}

#[allow(unconditional_recursion)]
fn deep(number: u64) -> u64 {
    let room = std::hint::black_box([number; 512]);
    deep(number + 1) + room[7]
}

#[test]
fn every_death_is_told_apart_and_the_next_call_works() -> Result<(), Error> {
    let died = |signal| ErrorKind::Crashed { signal: Some(signal), code: None };
    let left = |code| ErrorKind::Crashed { signal: None, code: Some(code) };
    let outcomes = [
        ("abort", died(libc::SIGABRT)),
        ("segfault", died(libc::SIGSEGV)),
        ("overflow", died(libc::SIGSEGV)),
        ("_exit", left(3)),
        ("0", left(0)),
        ("7", left(7)),
    ];
    for (how, outcome) in outcomes {
        let error = end(how).join().unwrap_err();
        assert_eq!(*error.kind(), outcome, "{how}");
        assert_eq!(double(4).join()?, 8);
    }
    Ok(())
}

#[test]
fn only_the_call_that_ran_is_blamed() -> Result<(), Error> {
    for _ in 0..10 {
        let before: Vec<_> = (0..500).map(double).collect();
        let crash = end("9");
        let after: Vec<_> = (0..500).map(double).collect();
        assert!(crash.join().unwrap_err().is_crash());
        assert_eq!(gather(before).join()?.len(), 500);
        assert_eq!(gather(after).join()?.len(), 500);
    }
    Ok(())
}

#[concurrent(process)]
fn forever() {
    loop {
        std::thread::park();
    }
}

#[concurrent(process, timeout = 30ms)]
fn too_long() {
    loop {
        std::hint::spin_loop();
    }
}

#[test]
fn what_never_ends_is_ended() -> Result<(), Error> {
    let task = forever();
    task.cancel();
    assert!(task.join().unwrap_err().is_cancelled());
    assert!(too_long().join().unwrap_err().is_timeout());
    let limited = forever().timeout(Duration::from_millis(20));
    assert!(limited.join().unwrap_err().is_timeout());
    drop(forever());
    assert_eq!(double(1).join()?, 2);
    Ok(())
}

#[test]
fn a_cancel_spares_the_calls_behind() -> Result<(), Error> {
    for _ in 0..20 {
        let stuck = [forever(), forever(), forever()];
        let calls: Vec<_> = (0..100).map(double).collect();
        stuck.iter().for_each(|task| task.cancel());
        assert_eq!(gather(calls).join()?.len(), 100);
        for task in stuck {
            assert!(task.join().unwrap_err().is_cancelled());
        }
    }
    Ok(())
}

#[concurrent(process, memory = 256MiB)]
fn allocate(bytes: usize) -> usize {
    let memory = vec![1_u8; bytes];
    std::hint::black_box(&memory).len()
}

#[test]
fn a_memory_limit_holds() -> Result<(), Error> {
    assert_eq!(allocate(1 << 20).join()?, 1 << 20);
    let error = allocate(1 << 30).join().unwrap_err();
    assert!(error.is_memory_limit(), "{error}");
    assert_eq!(allocate(1 << 20).join()?, 1 << 20);
    Ok(())
}

#[concurrent(process, fresh)]
fn fresh_process_id() -> u32 {
    std::process::id()
}

#[test]
fn fresh_means_a_new_process_for_every_call() -> Result<(), Error> {
    let ids = gather((0..20).map(|_| fresh_process_id())).join()?;
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 20);
    Ok(())
}

#[concurrent(process)]
fn nested(depth: u32) -> Result<u32, String> {
    if depth == 0 {
        return Ok(std::process::id());
    }
    nested(depth - 1).join().map_err(|error| error.to_string())?
}

#[test]
fn process_tasks_nest_to_a_bounded_depth() {
    let deep = nested(3).join().unwrap().unwrap();
    assert_ne!(deep, std::process::id());
    let why = nested(20).join().unwrap().unwrap_err();
    assert!(why.contains("nest no deeper"), "{why}");
}

#[test]
fn sequential_runs_here_and_still_encodes() -> Result<(), Error> {
    let here = trine::sequential(|| process_id().join())?;
    assert_eq!(here, std::process::id());
    assert!(trine::sequential(|| boom("it").join()).unwrap_err().is_panic());
    Ok(())
}

#[concurrent(process, retries = 3)]
fn fails_until(path: &str, times: usize) -> Result<usize, String> {
    let before = std::fs::read(path).map_or(0, |bytes| bytes.len());
    std::fs::write(path, vec![b'.'; before + 1]).unwrap();
    if before < times { std::process::abort() } else { Ok(before) }
}

#[test]
fn a_call_with_retries_outlives_crashes() -> Result<(), Error> {
    let path = std::env::temp_dir().join(format!("trine-retries-{}", std::process::id()));
    let result = fails_until(path.to_str().unwrap(), 2).join();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(result?, Ok(2));
    Ok(())
}
