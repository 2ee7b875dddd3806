//! Process tasks: values cross, and every way to end has its own outcome.

use trine::{Error, ErrorKind, Function, Task};

fn double(number: u32) -> Task<u32> {
    static FUNCTION: Function = Function::new("double");
    trine::process::spawn(&FUNCTION, (number,), |(number,): (u32,)| number * 2)
}

#[test]
fn a_value_crosses_and_comes_back() -> Result<(), Error> {
    assert_eq!(double(21).join()?, 42);
    Ok(())
}

#[test]
fn many_calls_in_flight_all_come_back_in_order() -> Result<(), Error> {
    let tasks: Vec<_> = (0..20_000).map(double).collect();
    for (number, task) in (0..).zip(tasks) {
        assert_eq!(task.join()?, number * 2);
    }
    Ok(())
}

fn boom(why: &str) -> Task<()> {
    static FUNCTION: Function = Function::new("boom");
    trine::process::spawn(&FUNCTION, (why,), |(why,): (String,)| panic!("{why} went off"))
}

#[test]
fn a_panic_comes_back_with_message_and_place() {
    let error = boom("it").join().unwrap_err();
    let ErrorKind::Panicked { message, location } = error.kind() else { panic!("{error}") };
    assert_eq!(message, "it went off");
    assert!(location.as_deref().is_some_and(|l| l.contains("tests/tests/process.rs:")));
}

fn end(how: &str) -> Task<()> {
    static FUNCTION: Function = Function::new("end");
    trine::process::spawn(&FUNCTION, (how,), |(how,): (String,)| match how.as_str() {
        "abort" => std::process::abort(),
        "exit" => std::process::exit(0),
        code => std::process::exit(code.parse().unwrap()),
    })
}

#[test]
fn every_death_is_told_apart_and_the_next_call_works() -> Result<(), Error> {
    let kind = |how| end(how).join().unwrap_err().kind().clone();
    assert_eq!(kind("abort"), ErrorKind::Crashed { signal: Some(6), code: None });
    assert_eq!(kind("exit"), ErrorKind::Crashed { signal: None, code: Some(0) });
    assert_eq!(kind("7"), ErrorKind::Crashed { signal: None, code: Some(7) });
    assert_eq!(double(4).join()?, 8);
    Ok(())
}

fn forever() -> Task<()> {
    static FUNCTION: Function = Function::new("forever");
    trine::process::spawn(&FUNCTION, (), |(): ()| {
        loop {
            std::thread::park();
        }
    })
}

#[test]
fn cancel_kills_at_once() {
    let task = forever();
    task.cancel();
    assert!(task.join().unwrap_err().is_cancelled());
}
