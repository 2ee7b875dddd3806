//! Row 12: what the attribute costs at compile time. The same 1,000 functions are checked with the
//! attribute and written by hand as what it expands to, in turn; the medians are compared.
//!
//! `cargo bench -p trine-tests --bench compile_time`

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const FUNCTIONS: usize = 1_000;
const ROUNDS: usize = 5;

fn main() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_time");
    let annotated = package(&folder, "annotated", annotated);
    let written = package(&folder, "written", written);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    check(&annotated);
    check(&written);
    for _ in 0..ROUNDS {
        with.push(check(&annotated));
        without.push(check(&written));
    }
    let (with, without) = (median(with), median(without));
    let ratio = with.as_secs_f64() / without.as_secs_f64();
    println!("{FUNCTIONS} functions, cargo check, median of {ROUNDS}:");
    println!("  with #[concurrent]   {with:.2?}");
    println!("  written by hand      {without:.2?}");
    println!("  ratio                {ratio:.2} (goal: at most 1.25)");
}

/// Free functions in the three modes, with bodies of the usual kind: some calls, a match, a loop.
fn source(function: fn(&mut String, usize)) -> String {
    let mut text = "#![allow(unused)]\nuse std::io;\nuse std::path::PathBuf;\n".to_owned();
    for index in 0..FUNCTIONS {
        function(&mut text, index);
    }
    text
}

const BODY: &str = "{
    let text = std::fs::read_to_string(&path)?;
    let mut total = size;
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.split_once(' ') {
            Some((first, rest)) if rest.len() > 1 => total += first.len() as u32,
            Some(_) => total += 1,
            None => return Err(Failure(line.to_owned())),
        }
    }
    Ok(total)
}";

fn annotated(text: &mut String, index: usize) {
    let (mode, asyncness) = mode(index);
    let _ = writeln!(
        text,
        "#[trine::concurrent({mode}, limit = 4)]\n\
         pub {asyncness} fn f{index}(path: PathBuf, size: u32) -> Result<u32, Failure> {BODY}",
    );
    if index == 0 {
        text.push_str(FAILURE);
    }
}

fn written(text: &mut String, index: usize) {
    let (mode, _) = mode(index);
    let module = if mode == "async" { "asynchronous" } else { mode };
    let closure = if mode == "async" {
        format!(
            "|arguments: (PathBuf, u32)| async move {{ let (path, size) = arguments; \
             if let Some(output) = None::<Result<u32, Failure>> {{ return output; }} ({BODY}) }}"
        )
    } else {
        format!("|(path, size): (PathBuf, u32)| -> Result<u32, Failure> {BODY}")
    };
    let _ = writeln!(
        text,
        "pub fn f{index}(path: PathBuf, size: u32) -> trine::Task<Result<u32, Failure>> {{
            static FUNCTION: trine::Function = trine::Function::new(\"f{index}\").limit(4);
            trine::{module}::spawn(&FUNCTION, (path, size), {closure})
        }}",
    );
    if index == 0 {
        text.push_str(FAILURE);
    }
}

const FAILURE: &str = "
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Failure(String);
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self { Failure(error.to_string()) }
}
";

fn mode(index: usize) -> (&'static str, &'static str) {
    [("threads", ""), ("process", ""), ("async", "async")][index % 3]
}

fn package(folder: &Path, name: &str, function: fn(&mut String, usize)) -> PathBuf {
    let package = folder.join(name);
    let runtime = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime");
    std::fs::create_dir_all(package.join("src")).expect("the package can be made");
    let manifest = format!(
        "[package]\nname = \"{name}\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
         trine.path = {runtime:?}\nserde = {{ version = \"1\", features = [\"derive\"] }}\n"
    );
    std::fs::write(package.join("Cargo.toml"), manifest).expect("the manifest can be written");
    std::fs::write(package.join("src/lib.rs"), source(function))
        .expect("the source can be written");
    package
}

/// Checks the package again, its dependencies being done.
fn check(package: &Path) -> Duration {
    let source = package.join("src/lib.rs");
    let text = std::fs::read(&source).expect("the source can be read");
    std::fs::write(&source, text).expect("the source can be touched");
    let start = Instant::now();
    let done = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--manifest-path"])
        .arg(package.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", package.with_file_name("target"))
        .env("CARGO_INCREMENTAL", "0")
        .status()
        .expect("cargo runs");
    assert!(done.success(), "the functions compile");
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
