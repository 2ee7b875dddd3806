//! Runs rustc with the libraries that the tests were built with.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Checks a program that may name trine and serde, in the tests' own folder.
///
/// # Panics
///
/// If there is no rustc.
#[must_use]
pub fn check(file: &Path, arguments: &[&str]) -> Output {
    let output = metadata_of(file);
    let mut all = vec!["--emit=metadata", "-o", output.to_str().expect("UTF-8")];
    all.extend(arguments);
    rustc(file, &all)
}

fn metadata_of(file: &Path) -> PathBuf {
    let mut output = file.file_name().unwrap_or_default().to_owned();
    output.push(".rmeta");
    scratch().join(output)
}

/// Runs rustc on such a program.
///
/// # Panics
///
/// If there is no rustc.
#[must_use]
pub fn rustc(file: &Path, arguments: &[&str]) -> Output {
    with_libraries(file, arguments, libraries())
}

/// A folder for what tests write.
///
/// # Panics
///
/// If it cannot be created.
#[must_use]
pub fn scratch() -> PathBuf {
    let folder = built_in().join("../../tmp");
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn with_libraries(file: &Path, arguments: &[&str], (trine, serde): &(PathBuf, PathBuf)) -> Output {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let with = |key: &str, path: &Path| {
        let mut argument = OsString::from(key);
        argument.push(path);
        argument
    };
    Command::new(rustc)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["--edition=2024", "--crate-type=bin"])
        .args([OsString::from("-L"), with("dependency=", &built_in())])
        .args([OsString::from("--extern"), with("trine=", trine)])
        .args([OsString::from("--extern"), with("serde=", serde)])
        .arg(file)
        .args(arguments)
        // Some questions are answered by nightly builds only.
        .env(
            "RUSTC_BOOTSTRAP",
            if arguments.iter().any(|a| a.starts_with("-Z")) { "1" } else { "0" },
        )
        .output()
        .expect("rustc can be run")
}

/// The libraries that this test was built with.
fn libraries() -> &'static (PathBuf, PathBuf) {
    static LIBRARIES: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    LIBRARIES.get_or_init(|| {
        // There may be several, built with other settings; trying tells which of them fit. Tests
        // may run in parallel, as processes.
        let probe = scratch().join(format!("probe_{}.rs", std::process::id()));
        fs::write(&probe, PROBE).unwrap();
        let output = metadata_of(&probe);
        let arguments = ["--emit=metadata", "-o", output.to_str().expect("UTF-8")];
        let mut pairs = built("trine")
            .flat_map(|trine| built("serde").map(move |serde| (trine.clone(), serde)));
        let fits =
            |pair: &(PathBuf, PathBuf)| with_libraries(&probe, &arguments, pair).status.success();
        let found = pairs.find(fits).expect("trine was built in all modes");
        let _ = (fs::remove_file(&probe), fs::remove_file(&output));
        found
    })
}

/// A program that needs trine with all modes, and the serde that trine was built with.
const PROBE: &str = "use trine::{asynchronous as _, threads as _};
    fn main() { cross::<Unit>() }
    fn cross<T: trine::cross::process::Output>() {}
    #[derive(serde::Serialize, serde::Deserialize)] struct Unit;";

/// Where cargo puts this test's dependencies.
fn built_in() -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().to_owned()
}

/// The builds of a library, the latest first.
fn built(name: &str) -> impl Iterator<Item = PathBuf> {
    let prefix = format!("lib{name}-");
    let entries = fs::read_dir(built_in()).unwrap().map(|entry| entry.unwrap().path());
    let mut builds: Vec<PathBuf> = entries
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&prefix) && name.ends_with(".rlib")
        })
        .collect();
    builds.sort_by_key(|path| fs::metadata(path).and_then(|data| data.modified()).ok());
    builds.into_iter().rev()
}
