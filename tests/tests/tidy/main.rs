//! The rules of CONTRIBUTING.md that a machine can check.

mod arrows;
mod circles;
mod layout;
mod text;

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// All Rust files below a folder, by their paths from the root.
fn sources(folder: &str) -> Vec<(String, String)> {
    texts(folder, &["rs"])
}

/// The same for files with any of these extensions; scripts in `.ci` have none.
fn texts(folder: &str, extensions: &[&str]) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name();
            let is_ours = name == ".ci" || !name.to_string_lossy().starts_with('.');
            if !entry.path().is_dir() {
                found.push(entry.path());
            } else if is_ours && name != "target" {
                walk(&entry.path(), found);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.sort();
    let is_wanted = |path: &&PathBuf| {
        let extension = path.extension().unwrap_or_default().to_str().unwrap();
        extensions.contains(&extension)
    };
    let name = |path: &PathBuf| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    let read = |path| (name(path), fs::read_to_string(path).unwrap());
    found.iter().filter(is_wanted).map(read).collect()
}

fn is_generated(path: &str) -> bool {
    path.ends_with(".expanded.rs")
}

fn assert_none(rule: &str, broken: &str) {
    assert!(broken.is_empty(), "{rule}:\n{broken}");
}
