//! Test programs without a harness: a table of checks, and parts in which the program runs itself.
//!
//! The test harness cannot be a program that is killed, limited or started in unusual ways. So such
//! a program runs itself again in one of its parts, and checks the output. nextest, or a person,
//! may name a single check.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A name, and the function to run.
pub type Named = (&'static str, fn());

/// Plays the part that the first argument names; otherwise runs the checks that it names, or all.
pub fn main(parts: &[Named], checks: &[Named], run: fn(&[Named])) {
    let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let mut arguments = arguments.skip(1).peekable();
    let part = arguments.peek().and_then(|name| parts.iter().find(|(part, _)| part == name));
    if let Some((_, play)) = part {
        return play();
    }
    let arguments: Vec<_> = arguments.collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let file_name = |name: &str| name.replace(' ', "_");
    if has("--list") {
        // The format that nextest expects.
        if !has("--ignored") {
            checks.iter().for_each(|(name, _)| println!("{}: test", file_name(name)));
        }
        return;
    }
    let wanted = arguments.iter().find(|wanted| !wanted.starts_with('-'));
    let is_wanted = |name: &str| match wanted {
        Some(wanted) if has("--exact") => name == wanted,
        Some(wanted) => name.contains(wanted.as_str()),
        None => true,
    };
    let chosen: Vec<_> =
        checks.iter().filter(|(name, _)| is_wanted(&file_name(name))).copied().collect();
    run(&chosen);
}

/// Runs checks one after the other.
pub fn in_turn(checks: &[Named]) {
    checks.iter().for_each(run);
}

/// Runs checks in parallel, if all they do is wait for programs.
pub fn at_once(checks: &[Named]) {
    thread::scope(|scope| checks.iter().for_each(|check| drop(scope.spawn(|| run(check)))));
}

fn run((name, check): &Named) {
    check();
    // In one write, because others print at the same time.
    let line = format!("test {} ... ok\n", name.replace(' ', "_"));
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}

/// This program, in one of its parts.
#[must_use]
pub fn part(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(name).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// What a program prints, which must succeed.
#[must_use]
pub fn output_of(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Polls for a condition that nothing signals.
pub fn wait_until(mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "it does not come to pass");
        // Not a spin: many may wait here at once, for others that need the cores.
        thread::sleep(Duration::from_micros(100));
    }
}

/// Runs something that may hang on a separate thread, and fails if it does.
pub fn ends_in_time(name: &str, run: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let running = scope.spawn(run);
        let start = Instant::now();
        while !running.is_finished() {
            // On one core that others use too, the largest tables have taken longer than a minute.
            if start.elapsed() > Duration::from_secs(240) {
                // The thread cannot be ended, and a scope would wait for it.
                eprintln!("{name} hangs");
                std::process::abort();
            }
            thread::sleep(Duration::from_millis(1));
        }
        running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}
