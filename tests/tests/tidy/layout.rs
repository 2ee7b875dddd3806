//! Which file may use which, where `unsafe` is, and that each file is part of a crate.

use std::fmt::Write;
use std::path::Path;

use crate::arrows::arrows;
use crate::{assert_none, sources};

/// What must not use what: the arrows of ARCHITECTURE.md that would turn back.
const NEVER: &[(&[&str], &[&str])] = &[
    (&["threads"], &["process", "asynchronous", "cluster"]),
    (&["process"], &["threads", "asynchronous"]),
    (&["asynchronous"], &["threads", "process", "cluster"]),
    (&["cluster"], &["threads", "asynchronous"]),
    (&["task", "combine", "scope", "retry", "sequential"], ENGINES),
    (&["cell", "current", "wait", "timer", "tokio", "function", "limit", "config"], ENGINES),
    (&["error", "panic", "relay", "sync", "random", "observe", "stats"], ENGINES),
    (&["cell", "current", "relay"], &["task", "combine", "scope", "retry", "sequential"]),
];

const ENGINES: &[&str] = &["threads", "process", "asynchronous", "cluster"];

/// Where `unsafe` may be, beside the engines' own files: each with a SAFETY sentence per block.
const UNSAFE: &[&str] = &[
    "runtime/src/cell.rs",
    "runtime/src/current.rs",
    "runtime/src/scope/job.rs",
    "runtime/src/threads/join/fork.rs",
    "runtime/src/threads/join/job.rs",
    "runtime/src/threads/post.rs",
    "runtime/src/threads/seat.rs",
];
const UNSAFE_FOLDERS: &[&str] = &["runtime/src/process"];

/// The room that a file is in: the first part of its name.
fn room(name: &str) -> &str {
    name.split('/').next().unwrap_or_default()
}

#[test]
fn no_arrow_turns_back() {
    let mut broken = String::new();
    for (name, used) in arrows("runtime/src") {
        let rules = NEVER.iter().filter(|(rooms, _)| rooms.contains(&room(&name)));
        let forbidden: Vec<_> = rules.flat_map(|(_, forbidden)| *forbidden).collect();
        for other in used.iter().filter(|other| forbidden.contains(&&room(other))) {
            writeln!(broken, "{name}: `{}` may not use `{other}`", room(&name)).unwrap();
        }
    }
    assert_none("arrows that ARCHITECTURE.md does not have", &broken);
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
