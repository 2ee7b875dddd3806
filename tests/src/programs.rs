//! Tests that run their own program again: alone, with other variables, or in another pool.

use std::any::type_name;
use std::process::{Command, Output};
use std::thread;

/// Set in a program that [`alone`] started.
const ALONE: &str = "TRINE_TEST_ALONE";

/// Runs the body of a test in a separate process with these variables, and returns its output and
/// how it ended; in that process, runs the body and returns `None`.
///
/// `test` is the test that calls this.
pub fn output_alone<F: Fn()>(_test: F, variables: &[(&str, &str)], body: fn()) -> Option<Output> {
    if std::env::var_os(ALONE).is_some() {
        body();
        return None;
    }
    let (_crate, name) = type_name::<F>().split_once("::").unwrap();
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", name, "--nocapture"]).env(ALONE, "1");
    let output = program.envs(variables.iter().copied()).output().unwrap();
    assert!(text_of(&output).contains("running 1 test"), "there is no test `{name}`");
    Some(output)
}

/// The same for a body that has to pass.
pub fn alone<F: Fn()>(test: F, variables: &[(&str, &str)], body: fn()) {
    if let Some(output) = output_alone(test, variables, body) {
        assert!(output.status.success(), "{}", text_of(&output));
    }
}

/// The same once for each value of a variable, side by side.
pub fn alone_with_each<F: Fn() + Copy + Sync>(
    test: F,
    variable: &str,
    values: &[&str],
    body: fn(),
) {
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    with_each(values, |value| alone(test, &[(variable, value)], body));
}

/// Runs all tests of this program again in pools of one and of two, side by side, by the variable
/// that says so; does nothing if it is already set. A pool usually has as many as there are cores,
/// and that one is tried already.
pub fn again_in_pools_of_one_and_two(variable: &str) {
    if std::env::var_os(variable).is_some() || std::env::var_os(ALONE).is_some() {
        return;
    }
    let cores = std::thread::available_parallelism().unwrap().to_string();
    let others: Vec<_> = ["1", "2"].into_iter().filter(|&size| size != cores).collect();
    with_each(&others, |value| {
        let mut program = Command::new(std::env::current_exe().unwrap());
        // More than there are cores: most of these tests wait most of the time.
        program.args(["--test-threads", "4"]).env(variable, value);
        let output = program.output().unwrap();
        let text = text_of(&output);
        assert!(output.status.success(), "with {variable}={value}:\n{text}");
        assert!(text.contains("test result: ok"), "nothing ran:\n{text}");
    });
}

fn with_each(values: &[&str], run: impl Fn(&str) + Sync) {
    thread::scope(|scope| values.iter().for_each(|value| drop(scope.spawn(|| run(value)))));
}

fn text_of(output: &Output) -> String {
    let [out, error] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{error}")
}
