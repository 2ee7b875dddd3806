//! Tests that run their own program again, alone and with other variables.

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
    thread::scope(|scope| {
        for value in values {
            scope.spawn(|| alone(test, &[(variable, *value)], body));
        }
    });
}

fn text_of(output: &Output) -> String {
    let [out, error] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{error}")
}
