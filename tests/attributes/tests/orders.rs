//! Each attribute, above and below `#[concurrent]`, in each mode: the program compiles, or there is
//! one error that says what to do. The table in the docs of `concurrent` is what this finds.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use trine_tests::rustc::{check, scratch};

/// What the compiler says of a row: nothing, or one error that contains this.
type Says = Option<&'static str>;

const WORKS: Says = None;
const WRITE_IT_ABOVE: Says = Some("stands below `#[concurrent]`");
const IS_RUN: Says = Some("leave this function plain, and call a concurrent function in it");

/// An attribute, and what is said of it above and below, in `threads` and `process` and in `async`.
struct Row {
    attribute: &'static str,
    above: [Says; 2],
    below: Says,
}

const fn works(attribute: &'static str) -> Row {
    Row { attribute, above: [WORKS; 2], below: WORKS }
}

const ROWS: &[Row] = &[
    works("doc = \"What it does.\""),
    works("inline"),
    works("inline(always)"),
    works("cold"),
    works("must_use"),
    works("must_use = \"why\""),
    works("deprecated"),
    works("deprecated(note = \"why\")"),
    works("allow(unused_variables)"),
    works("expect(unused_variables)"),
    works("track_caller"),
    works("unsafe(no_mangle)"),
    works("unsafe(link_section = \".text.work\")"),
    works("target_feature(enable = \"sse2\")"),
    works("rustfmt::skip"),
    works("cfg(all())"),
    works("cfg_attr(all(), inline)"),
    works("cfg_attr(any(), test)"),
    Row { attribute: "tracing::instrument", above: [WORKS; 2], below: WRITE_IT_ABOVE },
    Row {
        attribute: "cfg_attr(all(), tracing::instrument)",
        above: [WORKS; 2],
        below: WRITE_IT_ABOVE,
    },
    Row { attribute: "tokio::main", above: [WORKS, Some("or choose `threads`")], below: IS_RUN },
    Row { attribute: "tokio::test", above: [IS_RUN; 2], below: IS_RUN },
    Row {
        attribute: "test",
        above: [Some("Task<()>: Termination"), Some("async functions cannot be used for tests")],
        below: IS_RUN,
    },
    Row {
        attribute: "rstest::rstest",
        above: [IS_RUN, Some("async test requires")],
        below: IS_RUN,
    },
    Row {
        // Without an attribute for tests below it, it makes none of an `async fn`.
        attribute: "test_case::test_case(3)",
        above: [Some("Task<()>: Termination"), WORKS],
        below: IS_RUN,
    },
    Row {
        attribute: "repr(C)",
        above: [Some("attribute should be applied to a struct, enum, or union"); 2],
        below: Some("attribute should be applied to a struct, enum, or union"),
    },
];

/// `async_trait` stands on the impl, with the function in it.
const IN_ASYNC_TRAIT: &str = "pub struct Type;
    #[async_trait::async_trait] pub trait Trait {
        fn work(self) -> trine::Task<u8>;
        async fn other(&self) -> u8;
    }
    #[async_trait::async_trait] impl Trait for Type {
        #[concurrent(threads)] fn work(self) -> u8 { 1 }
        async fn other(&self) -> u8 { 2 }
    }";

/// The same with an `async fn`, which it rewrites before `concurrent` can see it.
const AN_ASYNC_FN: [&str; 4] = [
    "#[concurrent(async)] async fn work(self) -> u8",
    "#[concurrent(process)] async fn work(&self) -> u8",
    "#[concurrent(threads)] async fn work() -> u8",
    "#[concurrent(async)] async fn work(text: &str) -> u8",
];

/// The programs by name, and what is expected of each.
fn programs() -> Vec<(String, String, Says)> {
    let mut programs = vec![("async_trait".to_owned(), IN_ASYNC_TRAIT.to_owned(), WORKS)];
    for function in AN_ASYNC_FN {
        let declared = function.split_once("async fn").expect("it is one").1;
        let source = format!(
            "pub struct Type;
            #[async_trait::async_trait] pub trait Trait {{ async fn{declared}; }}
            #[async_trait::async_trait] impl Trait for Type {{ {function} {{ 1 }} }}"
        );
        let says = Some("`async_trait` has changed this `async fn`");
        programs.push((format!("async_trait {function}"), source, says));
    }
    for (number, Row { attribute, above, below }) in ROWS.iter().enumerate() {
        for mode in ["threads", "process", "async"] {
            let is_async = mode == "async" || attribute.starts_with("tokio");
            let asyncness = if is_async { "async " } else { "" };
            let parameter = if attribute.contains("case") { "_count: u8" } else { "" };
            let concurrent = format!("#[concurrent({mode})]");
            for (place, says) in [("above", above[usize::from(mode == "async")]), ("below", *below)]
            {
                let function =
                    format!("pub {asyncness}fn work_{number}_{place}_{mode}({parameter}) {{}}");
                let source = match place {
                    "above" => format!("#[{attribute}] {concurrent} {function}"),
                    _ => format!("{concurrent} #[{attribute}] {function}"),
                };
                programs.push((format!("{attribute} {place} {mode}"), source, says));
            }
        }
    }
    programs
}

#[test]
fn each_attribute_works_in_each_order_or_is_one_error() {
    let programs = programs();
    let (working, wrong): (Vec<_>, Vec<_>) =
        programs.into_iter().partition(|(_, _, says)| says.is_none());
    assert!(working.len() > 100 && wrong.len() > 30, "{} and {}", working.len(), wrong.len());
    let mut faults = String::new();
    // Apart, since the compiler stops after the first phase with an error.
    for (name, group) in [("working", working), ("wrong", wrong)] {
        let errors = errors(name, &group);
        for (name, source, says) in group {
            let found = &errors[&name];
            let is_right = match says {
                None => found.is_empty(),
                Some(says) => found.len() == 1 && found[0].contains(says),
            };
            if !is_right {
                writeln!(faults, "{name}: {says:?} expected\n{source}\n{found:#?}").unwrap();
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

/// The errors of each program, by its name: each program is a module of one crate.
fn errors(name: &str, programs: &[(String, String, Says)]) -> BTreeMap<String, Vec<String>> {
    let mut source = String::from("#![allow(warnings)]\n");
    let mut lines = Vec::new();
    for (number, (name, program, _)) in programs.iter().enumerate() {
        let start = source.lines().count();
        writeln!(source, "mod m{number} {{ use trine::concurrent;\n{program}\n}}").unwrap();
        lines.push((start..source.lines().count(), name));
    }
    let file = scratch().join(format!("attributes_{name}.rs"));
    fs::write(&file, source).unwrap();
    let mut arguments = vec!["--error-format=json".to_owned(), "--test".to_owned()];
    for name in ["tokio", "tracing", "rstest", "async_trait", "test_case"] {
        arguments.extend(["--extern".to_owned(), format!("{name}={}", built(name).display())]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = check(&file, &arguments);
    let mut errors: BTreeMap<String, Vec<String>> =
        programs.iter().map(|(name, ..)| (name.clone(), Vec::new())).collect();
    for line in String::from_utf8(output.stderr).unwrap().lines() {
        let error: Value = serde_json::from_str(line).expect("rustc writes JSON");
        let spans = error["spans"].as_array().expect("a list of spans");
        if error["level"] != "error" || spans.is_empty() {
            continue;
        }
        let primary = spans.iter().find(|span| span["is_primary"] == true).expect("a place");
        let line = usize::try_from(primary["line_start"].as_u64().unwrap()).unwrap() - 1;
        let place = lines.iter().find(|(lines, _)| lines.contains(&line));
        let (_, name) = place.expect("it is about a program");
        errors.get_mut(*name).unwrap().push(error["message"].as_str().unwrap().to_owned());
    }
    errors
}

/// The latest build of a library that has its attributes: other packages build some without.
fn built(name: &str) -> PathBuf {
    let folder = env::current_exe().unwrap().parent().unwrap().to_owned();
    let is_build = |path: &Path| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let is_library = file.ends_with(".rlib") || file.ends_with(env::consts::DLL_SUFFIX);
        is_library && file.starts_with(&format!("lib{name}-"))
    };
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let latest = |path: &PathBuf| fs::metadata(path).and_then(|data| data.modified()).ok();
    let mut builds: Vec<PathBuf> = files.filter(|path| is_build(path)).collect();
    builds.sort_by_key(latest);
    let attribute = match name {
        "tokio" => "main",
        "tracing" => "instrument",
        name => name,
    };
    let probe = scratch().join(format!("probe_of_{name}.rs"));
    fs::write(&probe, format!("use {name}::{attribute} as _; fn main() {{}}")).unwrap();
    let has_it = |path: &PathBuf| {
        let library = format!("{name}={}", path.display());
        check(&probe, &["--extern", &library]).status.success()
    };
    builds.into_iter().rev().find(has_it).expect("it is a dependency")
}
