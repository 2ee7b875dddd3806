//! The rules of CONTRIBUTING.md that a machine can check.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const LONGEST_FILE: usize = 400;
const LONGEST_FUNCTION: usize = 70;
const LONGEST_LINE: usize = 100;

/// What each module of the runtime may use of the others: the arrows of ARCHITECTURE.md. The three
/// engines are not in each other's rows, and `task` has none of them.
const ARROWS: &[(&str, &[&str])] = &[
    ("sync", &[]),
    ("random", &[]),
    ("error", &["sync"]),
    ("config", &[]),
    ("cross", &["process"]),
    ("expansion", &[]),
    ("guide", &[]),
    ("limit", &["sync"]),
    ("function", &["limit"]),
    ("panic", &["error"]),
    ("cell", &["current", "error", "function", "limit", "observe", "panic", "sync", "tokio"]),
    ("current", &["cell"]),
    ("tokio", &["config", "sync"]),
    ("wait", &["tokio"]),
    ("timer", &["panic", "sync"]),
    ("task", &["cell", "error", "timer", "tokio", "wait"]),
    ("observe", &["error"]),
    ("sequential", &["cell", "error", "task"]),
    ("combine", &["cell", "error", "panic", "sync", "task", "wait"]),
    ("retry", &["cell", "error", "function", "panic", "random", "sync", "task", "timer"]),
    ("scope", &["cell", "error", "function", "panic", "retry", "sync", "task", "wait"]),
    ("threads", ENGINE),
    ("process", ENGINE),
    ("asynchronous", ENGINE),
    ("cluster", CLUSTER),
];

const ENGINE: &[&str] = &[
    "cell",
    "cluster",
    "config",
    "cross",
    "current",
    "error",
    "function",
    "limit",
    "observe",
    "panic",
    "random",
    "retry",
    "scope",
    "sequential",
    "sync",
    "task",
    "timer",
    "tokio",
    "wait",
];

const CLUSTER: &[&str] = &[
    "cell",
    "config",
    "error",
    "function",
    "panic",
    "process",
    "random",
    "sequential",
    "sync",
    "task",
    "timer",
];

/// Where `unsafe` may be, beside the engines' own files: each with a SAFETY sentence per block.
const UNSAFE: &[&str] =
    &["runtime/src/cell.rs", "runtime/src/current.rs", "runtime/src/scope/job.rs"];
const UNSAFE_FOLDERS: &[&str] = &["runtime/src/threads/", "runtime/src/process"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// All Rust files below a folder, by their paths from the root.
fn sources(folder: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() && name != "target" && !name.to_string_lossy().starts_with('.') {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.sort();
    let name = |path: &PathBuf| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    found.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

fn is_generated(path: &str) -> bool {
    path.ends_with(".expanded.rs")
}

fn assert_none(rule: &str, broken: &str) {
    assert!(broken.is_empty(), "{rule}:\n{broken}");
}

#[test]
fn files_functions_and_lines_are_short() {
    let mut broken = String::new();
    for (path, text) in sources(".").iter().filter(|(path, _)| !is_generated(path)) {
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            writeln!(broken, "{path}: {lines} lines").unwrap();
        }
        for (number, line) in text.lines().enumerate() {
            if line.chars().count() > LONGEST_LINE && !line.contains("https://") {
                writeln!(broken, "{path}:{}: over {LONGEST_LINE} columns", number + 1).unwrap();
            }
        }
        for (name, line, length) in functions(text) {
            if length > LONGEST_FUNCTION {
                writeln!(broken, "{path}:{line}: `{name}` has {length} lines").unwrap();
            }
        }
    }
    assert_none("split what is too long", &broken);
}

/// Name, line and length of each function, as rustfmt lays them out.
fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let Some((before, after)) = code.split_once("fn ") else { continue };
        let qualifiers = before.split_whitespace().all(|word| {
            word.starts_with("pub") || ["const", "async", "unsafe", "extern"].contains(&word)
        });
        if !qualifiers {
            continue;
        }
        let indent = &line[..line.len() - code.len()];
        let end = lines[start..].iter().position(|line| {
            line.strip_prefix(indent).is_some_and(|rest| rest.starts_with('}'))
                || (line.starts_with(indent) && line.trim_end().ends_with(['}', ';']))
                    && line.trim_start().starts_with("fn ")
        });
        let name = after.split(['(', '<']).next().unwrap_or_default().to_owned();
        found.push((name, start + 1, end.map_or(1, |end| end + 1)));
    }
    found
}

/// The module of the runtime that a file belongs to.
fn module(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("runtime/src/")?;
    let module = inside.split('/').next()?.trim_end_matches(".rs");
    (module != "lib").then_some(module)
}

#[test]
fn modules_import_only_along_the_arrows() {
    let mut broken = String::new();
    for (path, text) in sources("runtime/src") {
        let Some(module) = module(&path) else { continue };
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == module) else {
            writeln!(broken, "{path}: `{module}` has no row in ARROWS").unwrap();
            continue;
        };
        for used in used_modules(&text) {
            let known = ARROWS.iter().any(|(name, _)| *name == used);
            if known && used != module && !allowed.contains(&used.as_str()) {
                writeln!(broken, "{path}: `{module}` may not use `{used}`").unwrap();
            }
        }
    }
    assert_none("imports against the arrows", &broken);
}

/// The modules named after `crate::`, one by one or in braces, outside of comments.
fn used_modules(text: &str) -> BTreeSet<String> {
    let mut code = String::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        code.push_str(line.trim());
    }
    let mut used = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let list = match after.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default(),
            None => after.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap(),
        };
        for name in list.split(',') {
            used.insert(name.trim().split("::").next().unwrap_or_default().to_owned());
        }
    }
    used
}

#[test]
fn unsafe_code_stays_in_its_files() {
    let mut broken = String::new();
    for (path, text) in sources("runtime/src").into_iter().chain(sources("macros/src")) {
        let allowed = UNSAFE.contains(&&*path)
            || UNSAFE_FOLDERS.iter().any(|folder| path.starts_with(folder));
        let is_code = |line: &&str| !line.trim_start().starts_with("//") && !line.contains('"');
        let words = ["unsafe {", "unsafe impl", "unsafe fn", "unsafe extern"];
        let has = text.lines().filter(is_code).any(|line| words.iter().any(|w| line.contains(w)));
        if has && !allowed {
            writeln!(broken, "{path}").unwrap();
        }
    }
    assert_none("`unsafe` outside of the cell and the engines", &broken);
}

#[test]
fn every_file_is_part_of_a_crate() {
    let mut broken = String::new();
    for folder in ["runtime/src", "macros/src"] {
        let files = sources(folder);
        for (path, _) in files.iter().filter(|(path, _)| !path.ends_with("/lib.rs")) {
            let name = Path::new(path).file_stem().unwrap().to_str().unwrap();
            let declared = files.iter().any(|(_, text)| {
                text.lines().any(|line| {
                    let line = line.trim();
                    line.ends_with(&format!("mod {name};"))
                })
            });
            if !declared {
                writeln!(broken, "{path}").unwrap();
            }
        }
    }
    assert_none("no `mod` line leads to", &broken);
}

#[test]
fn every_file_says_what_it_is() {
    let mut broken = String::new();
    for (path, text) in sources(".") {
        let shown_to_users = path.contains("/ui/") || is_generated(&path);
        if !shown_to_users && !text.starts_with("//!") && !text.starts_with("#!") {
            writeln!(broken, "{path}").unwrap();
        }
    }
    assert_none("files without a header", &broken);
}
