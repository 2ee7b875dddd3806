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

/// Where `unsafe` may be: each block with a SAFETY sentence.
const UNSAFE: &[&str] = &[
    "runtime/src/cell.rs",
    "runtime/src/cross/sent.rs",
    "runtime/src/current.rs",
    "runtime/src/forks.rs",
    "runtime/src/process/channel.rs",
    "runtime/src/process/channel/fuzzing.rs",
    "runtime/src/process/channel/parent.rs",
    "runtime/src/process/channel/reply.rs",
    "runtime/src/process/channel/tests.rs",
    "runtime/src/process/channel/worker.rs",
    "runtime/src/process/code.rs",
    "runtime/src/process/elsewhere/memory.rs",
    "runtime/src/process/linux/constructors.rs",
    "runtime/src/process/linux/cores.rs",
    "runtime/src/process/linux/entry.rs",
    "runtime/src/process/linux/forks.rs",
    "runtime/src/process/linux/identity.rs",
    "runtime/src/process/linux/image.rs",
    "runtime/src/process/linux/inherited.rs",
    "runtime/src/process/linux/lifeline.rs",
    "runtime/src/process/linux/limits.rs",
    "runtime/src/process/linux/memory.rs",
    "runtime/src/process/linux/output.rs",
    "runtime/src/process/linux/overflow.rs",
    "runtime/src/process/linux/stack.rs",
    "runtime/src/process/pool/harvest.rs",
    "runtime/src/process/segment.rs",
    "runtime/src/process/value/files.rs",
    "runtime/src/process/value/message.rs",
    "runtime/src/process/value/output.rs",
    "runtime/src/process/value/shared.rs",
    "runtime/src/process/value/wire/bulk.rs",
    "runtime/src/process/value/wire/reader.rs",
    "runtime/src/process/worker.rs",
    "runtime/src/process/worker/coverage.rs",
    "runtime/src/process/worker/report.rs",
    "runtime/src/scope/job.rs",
    "runtime/src/threads/join/fork.rs",
    "runtime/src/threads/join/job.rs",
    "runtime/src/threads/post.rs",
    "runtime/src/threads/seat.rs",
];
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
        let allowed = UNSAFE.contains(&&*path);
        let is_code = |line: &&str| !line.trim_start().starts_with("//") && !line.contains('"');
        let words = ["unsafe {", "unsafe impl", "unsafe fn", "unsafe extern"];
        let has = text.lines().filter(is_code).any(|line| words.iter().any(|w| line.contains(w)));
        if has && !allowed {
            writeln!(broken, "{path}").unwrap();
        }
    }
    assert_none("`unsafe` outside of the files that may have it", &broken);
}

/// The engine of processes asks `platform` alone for what an operating system does.
#[test]
fn only_platforms_name_an_operating_system() {
    let mut broken = String::new();
    for (path, text) in sources("runtime/src/process") {
        let is_platform = ["linux.rs", "linux/", "elsewhere.rs", "elsewhere/", "platform.rs"]
            .iter()
            .any(|platform| path["runtime/src/process/".len()..].starts_with(platform));
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        let words = ["rustix", "libc::", "std::os::", "target_os"];
        let named =
            text.lines().filter(is_code).find(|line| words.iter().any(|w| line.contains(w)));
        if let Some(line) = named.filter(|_| !is_platform) {
            writeln!(broken, "{path}: {line}").unwrap();
        }
    }
    assert_none("what belongs into a platform", &broken);
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
