//! Process tasks: values that cross, many calls at once, nesting, retries, fresh workers. How calls
//! end is in `trine_tests::outcomes`.

use std::collections::HashSet;

use trine::{Error, concurrent, gather};
use trine_tests::process::double;

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
fn forever() {
    loop {
        std::thread::park();
    }
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
