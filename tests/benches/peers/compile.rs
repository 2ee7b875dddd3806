//! Row 12: what the attribute costs the compiler.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Goal, Row};

const FUNCTIONS: usize = 1000;

const BODY: &str = "let mut seen = std::collections::BTreeMap::new();
    for word in text.split_whitespace().take(count) {
        *seen.entry(word.to_owned()).or_insert(0usize) += 1;
    }
    seen.into_iter().max_by_key(|(_, count)| *count)";

fn annotated() -> String {
    (0..FUNCTIONS).fold(String::new(), |mut source, number| {
        let _ = writeln!(
            source,
            "#[trine::concurrent(threads)]\n\
             pub fn function_{number}(text: String, count: usize) \
             -> Option<(String, usize)> {{\n    \
             {BODY}\n}}"
        );
        source
    })
}

/// What somebody who knows the runtime would write without the attribute.
fn handwritten() -> String {
    (0..FUNCTIONS).fold(String::new(), |mut source, number| {
        let _ = writeln!(
            source,
            "pub fn function_{number}(text: String, count: usize) \
             -> ::trine::Task<Option<(String, usize)>> {{\n    \
             static FUNCTION: ::trine::Function = \
             ::trine::Function::new(\"function_{number}\");\n    \
             ::trine::threads::spawn(&FUNCTION, (text, count), \
             |(text, count): (String, usize)| -> Option<(String, usize)> {{\n    {BODY}\n}})\n}}"
        );
        source
    })
}

/// A workspace of two crates, kept in this build's target folder.
fn lay_out() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile");
    let runtime = tests.parent().expect("it lies in the workspace").join("runtime");
    for (name, source) in [("annotated", annotated()), ("handwritten", handwritten())] {
        let krate = place.join(name);
        fs::create_dir_all(krate.join("src")).expect("the build's directory can be written");
        let manifest = format!(
            "[package]\nname = \"{name}\"\nedition = \"2024\"\n\
             [dependencies]\ntrine = {{ path = {runtime:?} }}\n"
        );
        fs::write(krate.join("Cargo.toml"), manifest).expect("it can be written");
        fs::write(krate.join("src/lib.rs"), source).expect("it can be written");
    }
    let manifest = "[workspace]\nmembers = [\"annotated\", \"handwritten\"]\nresolver = \"3\"\n";
    fs::write(place.join("Cargo.toml"), manifest).expect("it can be written");
    fs::copy(tests.join("../Cargo.lock"), place.join("Cargo.lock")).expect("there is one");
    place
}

/// Builds one of the crates as if it had changed.
fn build(place: &Path, name: &str) -> Duration {
    let source = place.join(name).join("src/lib.rs");
    let text = fs::read_to_string(&source).expect("it was written");
    fs::write(&source, text).expect("it can be written");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--offline", "-p", name]).current_dir(place);
    // Otherwise rustc would reuse the functions that have not changed.
    cargo.env("CARGO_INCREMENTAL", "0");
    let start = Instant::now();
    assert!(cargo.status().expect("cargo starts").success(), "`{name}` does not compile");
    start.elapsed()
}

pub(crate) fn annotations() -> Row {
    let place = std::cell::OnceCell::new();
    let place = std::rc::Rc::new(place);
    let other = std::rc::Rc::clone(&place);
    Row::new("12", "1,000 functions, annotated or written by hand, `cargo build`")
        .rounds(5)
        .self_timed("annotated", move || build(place.get_or_init(lay_out), "annotated"))
        .self_timed("by hand", move || build(other.get_or_init(lay_out), "handwritten"))
        .goal(Goal::Time("by hand", 1.25))
}
