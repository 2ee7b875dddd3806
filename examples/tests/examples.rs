//! Runs every example as a reader would, and checks its output.

use std::path::PathBuf;
use std::process::{Command, Output};

/// The program that cargo built from an example; `cargo test -p trine-examples` builds them all.
fn example(name: &str) -> Command {
    let mut path: PathBuf = std::env::current_exe().expect("this test has a path");
    path.pop();
    path.pop();
    path.push("examples");
    path.push(name);
    assert!(path.exists(), "{} is not built: run `cargo test -p trine-examples`", path.display());
    Command::new(path)
}

fn run(command: &mut Command) -> Output {
    command.output().expect("the example starts")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

#[test]
fn the_three_of_the_tutorial() {
    for name in ["threads", "process", "asynchronous"] {
        let output = run(&mut example(name));
        assert!(output.status.success(), "{name}: {output:?}");
        assert_eq!(text(output.stdout), "the task runs\nthe task runs\n", "{name}");
    }
}

#[test]
fn the_errors_of_a_log() {
    let output = run(&mut example("streams"));
    assert!(output.status.success(), "{output:?}");
    let lines = [25_000, 50_000, 75_000, 100_000].iter().zip(1..);
    let mut report: Vec<_> =
        lines.map(|(line, disk)| format!("line {line}: disk {disk} is full")).collect();
    report.push("4 errors".to_owned());
    assert_eq!(text(output.stdout).lines().collect::<Vec<_>>(), report);
    assert!(text(output.stderr).contains("[#####     ]"), "half of it is read at some time");
}

#[test]
fn a_model_that_crashes_once() {
    let output = run(&mut example("worker"));
    assert!(output.status.success(), "{output:?}");
    let said = text(output.stdout);
    assert_eq!(said.matches("loading").count(), 2, "at first, and after the crash");
    for line in ["free money: 3", "see you soon: 0", "[2, 1] after 1 restart", "often: money"] {
        assert!(said.lines().any(|said| said == line), "{line}: {said}");
    }
    assert!(said.contains("`learn`") && said.contains("SIGABRT"), "{said}");
    assert!(said.contains("could not start: the constructor `load` of its worker failed: there"));
}

#[test]
fn the_tour_of_a_small_folder() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tour");
    let below = folder.join("below");
    let skipped = folder.join("target");
    let _ = std::fs::remove_dir_all(&folder);
    for new in [&below, &skipped] {
        std::fs::create_dir_all(new).expect("a folder");
    }
    let write = |path: PathBuf, bytes: &[u8]| std::fs::write(path, bytes).expect("written");
    write(folder.join("one.txt"), "Pear, plum; pear!".as_bytes());
    write(below.join("two.txt"), "PEAR and Öl".as_bytes());
    write(folder.join("binary"), &[0xff, 0xfe, 0]);
    write(skipped.join("built.txt"), b"pear");
    write(folder.join(".hidden"), b"pear");

    let output = run(example("tour").arg(&folder));
    assert!(output.status.success(), "{output:?}");
    let report = text(output.stdout);
    for line in [
        "6 words, 4 different, in 2 texts; 1 other files",
        "       3  pear",
        "       1  plum",
        "The answers agree.",
        "  task `segfaults` crashed: killed by SIGSEGV",
        "  task `never_ends` timed out after 300ms",
    ] {
        assert!(report.lines().any(|found| found == line), "no line `{line}` in:\n{report}");
    }
    for row in ["in sequence  ", "threads  ", "process  ", "async  "] {
        assert!(report.lines().any(|found| found.starts_with(row)), "no row {row} in:\n{report}");
    }
    assert!(!report.contains("Öl") && report.contains("to the same answer"), "{report}");
}

#[test]
fn the_tour_says_what_is_wrong() {
    for (arguments, message) in [
        (&["/no/such/folder"][..], "tour: cannot read `/no/such/folder`: "),
        (&["--fast"], "tour: unknown option `--fast`"),
        (&["a", "b"], "tour: one folder at most"),
    ] {
        let output = run(example("tour").args(arguments));
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(text(output.stderr).starts_with(message), "{message}");
    }
    let help = run(example("tour").arg("--help"));
    assert!(help.status.success() && text(help.stdout).contains("Usage: tour"));
}
