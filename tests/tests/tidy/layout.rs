//! Which file uses which, where `unsafe` is, and that each file is part of a crate.
//!
//! `arrows.txt` has the current arrows. After a change, renew it with `TRINE_UPDATE=1 cargo test -p
//! trine-tests --test tidy` and read the diff: a new arrow is a decision. Forbidden arrows and
//! circles are never renewed; they are rules in this file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::arrows::{arrows, has_unsafe};
use crate::circles::circles;
use crate::{assert_none, sources};

const CRATES: [&str; 2] = ["runtime/src", "macros/src"];

/// What must not use what: these would reverse the arrows of ARCHITECTURE.md.
const NEVER: &[(&[&str], &[&str])] = &[
    (&["threads"], &["process", "asynchronous", "cluster"]),
    (&["process"], &["threads", "asynchronous"]),
    (&["asynchronous"], &["threads", "process", "cluster"]),
    (&["cluster"], &["threads", "asynchronous"]),
    (&["cell", "current", "relay"], &["task", "combine", "scope", "retry", "sequential"]),
];

/// The files that lead to each other, and why they do.
const CIRCLES: &[(&str, &str)] = &[
    (
        "cluster cluster/caller cluster/caller/event_loop cluster/caller/lane \
         cluster/caller/outgoing cluster/caller/remote cluster/caller/resident cluster/machine \
         cluster/machine/calls cluster/operations",
        "a call and the thread that sends it know each other",
    ),
    (
        "cluster/broker cluster/broker/connection",
        "connecting makes the broker, which keeps its connection",
    ),
    ("cluster/protocol/delivery cluster/protocol/messages", "frames are messages, and carry some"),
    (
        "combine combine/buffered combine/gather combine/race combine/set combine/stall \
         combine/stream",
        "the trait makes what the files hold, and they work on any of its kind",
    ),
    ("config config/cluster", "one builder in two files"),
    (
        "process/pool/books process/pool/outbox process/pool/renewal",
        "a worker's row in the books says when it is renewed, and renewal goes by that row",
    ),
    (
        "process/value/output process/value/wire process/value/wire/access process/value/wire/bulk \
         process/value/wire/decode process/value/wire/depth process/value/wire/encode \
         process/value/wire/fields process/value/wire/names process/value/wire/reader",
        "values nest: whoever reads or writes one comes to all kinds",
    ),
    ("process/value/shared process/value/shared/seen", "slices that are remembered are slices"),
    ("relay relay/aside", "a step goes to another thread, which takes it like any other"),
    ("task task/waiting", "one type in two files"),
    (
        "threads threads/call threads/join threads/join/branch threads/join/fork threads/monitor \
         threads/pool threads/probe threads/probe/kernel threads/standstill threads/stateful \
         threads/worker",
        "one machine: the pool makes workers and wakes the monitor, the monitor gives the pool \
         permits, and a worker runs what `join` offers through the pool",
    ),
    (
        "threads/ranked threads/seat threads/strays",
        "a task that has no seat lies with the strays, and comes back",
    ),
];

const ENGINES: &[&str] = &["threads", "process", "asynchronous", "cluster"];

/// The only arrows from outside the engines into one, and why they are there.
const INTO_ENGINES: &[(&str, &str, &str)] = &[(
    "cross/process",
    "process/value/lent",
    "what a worker owns in place of a borrow is part of the bounds in expansions",
)];

/// The only files with `unsafe`; each block in them has a SAFETY sentence.
const UNSAFE: &[&str] = &[
    "runtime/src/asynchronous/call/body.rs",
    "runtime/src/asynchronous/running.rs",
    "runtime/src/cell.rs",
    "runtime/src/cell/job.rs",
    "runtime/src/cross/arguments.rs",
    "runtime/src/cross/methods.rs",
    "runtime/src/current.rs",
    "runtime/src/forks.rs",
    "runtime/src/process/channel.rs",
    "runtime/src/process/channel/fuzzing.rs",
    "runtime/src/process/channel/fuzzing/halves.rs",
    "runtime/src/process/channel/fuzzing/segments.rs",
    "runtime/src/process/channel/parent.rs",
    "runtime/src/process/channel/received.rs",
    "runtime/src/process/channel/reply.rs",
    "runtime/src/process/channel/ring.rs",
    "runtime/src/process/channel/tests.rs",
    "runtime/src/process/channel/worker.rs",
    "runtime/src/process/code.rs",
    "runtime/src/process/code/method.rs",
    "runtime/src/process/code/stateful.rs",
    "runtime/src/process/elsewhere/memory.rs",
    "runtime/src/process/linux/cores.rs",
    "runtime/src/process/linux/lifeline.rs",
    "runtime/src/process/linux/memory.rs",
    "runtime/src/process/linux/rights.rs",
    "runtime/src/process/pool/harvest.rs",
    "runtime/src/process/posix/constructors.rs",
    "runtime/src/process/posix/elf.rs",
    "runtime/src/process/posix/entry.rs",
    "runtime/src/process/posix/forks.rs",
    "runtime/src/process/posix/identity.rs",
    "runtime/src/process/posix/image.rs",
    "runtime/src/process/posix/inherited.rs",
    "runtime/src/process/posix/limits.rs",
    "runtime/src/process/posix/mapping.rs",
    "runtime/src/process/posix/output.rs",
    "runtime/src/process/posix/overflow.rs",
    "runtime/src/process/posix/usage.rs",
    "runtime/src/process/segment.rs",
    "runtime/src/process/unix/apple.rs",
    "runtime/src/process/unix/ends.rs",
    "runtime/src/process/unix/files.rs",
    "runtime/src/process/unix/memory.rs",
    "runtime/src/process/unix/rights.rs",
    "runtime/src/process/value/files.rs",
    "runtime/src/process/value/lent.rs",
    "runtime/src/process/value/message.rs",
    "runtime/src/process/value/output.rs",
    "runtime/src/process/value/shared.rs",
    "runtime/src/process/value/wire/bulk.rs",
    "runtime/src/process/value/wire/reader.rs",
    "runtime/src/process/value/wire/tests.rs",
    "runtime/src/process/windows/child.rs",
    "runtime/src/process/windows/constructors.rs",
    "runtime/src/process/windows/entry.rs",
    "runtime/src/process/windows/greeting.rs",
    "runtime/src/process/windows/image.rs",
    "runtime/src/process/windows/job.rs",
    "runtime/src/process/windows/limits.rs",
    "runtime/src/process/windows/memory.rs",
    "runtime/src/process/windows/object.rs",
    "runtime/src/process/windows/output.rs",
    "runtime/src/process/windows/overflow.rs",
    "runtime/src/process/windows/packet.rs",
    "runtime/src/process/windows/pipe.rs",
    "runtime/src/process/windows/spawn.rs",
    "runtime/src/process/windows/threads.rs",
    "runtime/src/process/worker.rs",
    "runtime/src/process/worker/coverage.rs",
    "runtime/src/process/worker/report.rs",
    "runtime/src/process/worker/yielding.rs",
    "runtime/src/scope/job.rs",
    "runtime/src/stack/posix.rs",
    "runtime/src/stack/windows.rs",
    "runtime/src/threads/join/branch.rs",
    "runtime/src/threads/join/fork.rs",
    "runtime/src/threads/overflow.rs",
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

/// A row for each file with the files that it uses, all without `.rs`.
fn table() -> String {
    let mut table = String::new();
    for folder in CRATES {
        writeln!(table, "== {folder}").unwrap();
        for (name, used) in arrows(folder) {
            let used = Vec::from_iter(used).join(" ");
            writeln!(table, "{name}: {used}").unwrap();
        }
    }
    table.replace(": \n", ":\n")
}

#[test]
fn nothing_outside_the_engines_uses_one() {
    let arrows = arrows("runtime/src");
    let outside = arrows.iter().filter(|(name, _)| !ENGINES.contains(&room(name)));
    let into = outside.flat_map(|(name, used)| used.iter().map(move |used| (name, used)));
    let now: BTreeSet<(&str, &str)> = into
        .filter(|(_, used)| ENGINES.contains(&room(used)))
        .map(|(name, used)| (&**name, &**used))
        .collect();
    let allowed = INTO_ENGINES.iter().map(|&(name, used, _)| (name, used)).collect();
    let mut broken = String::new();
    for (name, used) in now.symmetric_difference(&allowed) {
        writeln!(broken, "{name}: {used}").unwrap();
    }
    assert_none("arrows into an engine that INTO_ENGINES does not have, or has wrongly", &broken);
}

#[test]
fn arrows_are_those_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tidy/arrows.txt");
    let now = table();
    if std::env::var_os("TRINE_UPDATE").is_some() {
        fs::write(&path, now).unwrap();
        return;
    }
    let then = fs::read_to_string(&path).unwrap();
    let difference = |one: &str, other: &str, sign: char| -> String {
        let rows = one.lines().filter(|row| !other.lines().any(|other| other == *row));
        rows.map(|row| format!("{sign} {row}\n")).collect()
    };
    let rule = "arrows have changed: if they should, renew the table with \
                TRINE_UPDATE=1 cargo test -p trine-tests --test tidy";
    assert_none(rule, &(difference(&then, &now, '-') + &difference(&now, &then, '+')));
}

#[test]
fn circles_are_those_that_have_a_reason() {
    let mut broken = String::new();
    for folder in CRATES {
        let arrows = arrows(folder);
        for circle in circles(&arrows) {
            let circle = circle.join(" ");
            if !CIRCLES.iter().any(|(files, _)| *files == circle) {
                writeln!(broken, "new: {circle}").unwrap();
            }
        }
    }
    let all: Vec<_> = CRATES.iter().map(|folder| arrows(folder)).collect();
    let all: Vec<_> = all.iter().flat_map(circles).map(|circle| circle.join(" ")).collect();
    for (files, _) in CIRCLES.iter().filter(|(files, _)| !all.iter().any(|one| one == files)) {
        writeln!(broken, "there is none of: {files}").unwrap();
    }
    assert_none("circles that CIRCLES does not have, or has wrongly", &broken);
}

#[test]
fn unsafe_code_stays_in_its_files() {
    let mut broken = String::new();
    for (path, text) in CRATES.into_iter().flat_map(sources) {
        let allowed = UNSAFE.contains(&&*path);
        let has = has_unsafe(text.parse().unwrap());
        if has != allowed {
            writeln!(broken, "{path}").unwrap();
        }
    }
    assert_none("`unsafe` in files that may not have it, or allowed where there is none", &broken);
}

/// The engine of processes asks only `platform` for what an operating system does.
#[test]
fn only_platforms_name_an_operating_system() {
    let mut broken = String::new();
    for (path, text) in sources("runtime/src/process") {
        let platforms = ["platform.rs", "posix", "linux", "unix", "windows", "elsewhere"];
        let name = &path["runtime/src/process/".len()..];
        let is_platform = platforms.iter().any(|platform| name.starts_with(platform));
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        let words = ["rustix", "libc::", "windows_sys", "std::os::", "target_os"];
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
    for folder in CRATES {
        let files: BTreeMap<String, String> = sources(folder).into_iter().collect();
        for path in files.keys().filter(|path| !path.ends_with("/lib.rs")) {
            let (place, name) = path.trim_end_matches(".rs").rsplit_once('/').unwrap();
            let parent = if place == folder { format!("{place}/lib") } else { place.to_owned() };
            let declares = |text: &String| {
                text.lines().any(|line| line.trim().ends_with(&format!("mod {name};")))
            };
            if !files.get(&format!("{parent}.rs")).is_some_and(declares) {
                writeln!(broken, "{parent}.rs: mod {name};").unwrap();
            }
        }
    }
    assert_none("files that their parent does not declare", &broken);
}
