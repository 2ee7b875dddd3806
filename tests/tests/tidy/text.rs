//! Rules about text: lengths, file headers, references to files that do not exist, and figures
//! that are told twice.

use std::fmt::Write;
use std::fs;

use crate::{assert_none, is_generated, root, sources, texts};

const MAX_LINES: usize = 400;
const MAX_FUNCTION: usize = 70;
const MAX_COLUMNS: usize = 100;

#[test]
fn files_functions_and_lines_are_short() {
    let mut broken = String::new();
    for (path, text) in sources(".").iter().filter(|(path, _)| !is_generated(path)) {
        let lines = text.lines().count();
        if lines > MAX_LINES {
            writeln!(broken, "{path}: {lines} lines").unwrap();
        }
        for (number, line) in text.lines().enumerate() {
            if line.chars().count() > MAX_COLUMNS && !line.contains("https://") {
                writeln!(broken, "{path}:{}: over {MAX_COLUMNS} columns", number + 1).unwrap();
            }
        }
        for (name, line, length) in functions(text) {
            if length > MAX_FUNCTION {
                writeln!(broken, "{path}:{line}: `{name}` has {length} lines").unwrap();
            }
        }
    }
    assert_none("split what is too long", &broken);
}

/// The name, line and length of each function, relying on rustfmt's layout.
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

#[test]
fn bounds_are_named_in_one_way() {
    let mut broken = String::new();
    for (path, text) in sources(".") {
        for (number, line) in text.lines().enumerate() {
            let declared = line.split_once("const ").and_then(|(_, rest)| rest.split_once(':'));
            let Some((name, _)) = declared else { continue };
            let mut words = name.split('_');
            let first = words.next().unwrap_or_default();
            let last = words.next_back().unwrap_or_default();
            if ["MOST", "LONGEST", "LARGEST"].contains(&first) || ["MAX", "MIN"].contains(&last) {
                writeln!(broken, "{path}:{}: {name}", number + 1).unwrap();
            }
        }
    }
    assert_none("bounds are named MAX_X or MIN_X", &broken);
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

/// Words that only look like files of ours.
const NOT_OURS: &[&str] = &["NAME.expanded.rs", "docs.rs"];

#[test]
fn comments_and_pages_name_files_that_exist() {
    let files = texts(".", &["rs", "md", "sh", "svg", "toml", ""]);
    let mut broken = String::new();
    for (path, text) in files.iter().filter(|(path, _)| !path.ends_with(".svg")) {
        for (number, line) in text.lines().enumerate() {
            let line = if path.ends_with(".md") { line } else { comment(line) };
            for name in file_names(line).filter(|name| !NOT_OURS.contains(name)) {
                let is_there = files.iter().any(|(path, _)| {
                    path == name || path.strip_suffix(name).is_some_and(|rest| rest.ends_with('/'))
                });
                if !is_there {
                    writeln!(broken, "{path}:{}: there is no `{name}`", number + 1).unwrap();
                }
            }
        }
    }
    assert_none("files that are named and not there", &broken);
}

/// What follows `//` in a line of code, or `#` in a script.
fn comment(line: &str) -> &str {
    line.split_once("//").or_else(|| line.trim_start().split_once('#')).unwrap_or_default().1
}

/// The words of a text that end like files of this repository.
fn file_names(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || "_-./".contains(c);
    let words = text.split(move |c| !is_part(c)).map(|word| word.trim_matches('.'));
    let words = words.map(|word| word.trim_start_matches("../").trim_start_matches("/"));
    words.filter(|word| {
        let (name, extension) = word.rsplit_once('.').unwrap_or_default();
        !name.is_empty() && ["rs", "md", "sh", "svg", "toml"].contains(&extension)
    })
}

#[test]
fn no_merge_was_left_half_done() {
    let mut broken = String::new();
    for (path, text) in texts(".", &["rs", "md", "sh", "toml", "txt", ""]) {
        for (number, line) in text.lines().enumerate() {
            if line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ") {
                writeln!(broken, "{path}:{}", number + 1).unwrap();
            }
        }
    }
    assert_none("markers of a conflict", &broken);
}

/// A row of figures in the README has the name, our figure and the ratio of one in the benchmarks.
#[test]
fn figures_of_the_readme_are_those_of_the_benchmarks() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let (readme, benchmarks) = (read("README.md"), read("runtime/docs/benchmarks.md"));
    let figures = readme.split("figures\n").nth(1).unwrap().split("November").next().unwrap();
    let mut broken = String::new();
    for row in rows(figures).skip(2) {
        let stands = rows(&benchmarks).any(|full| {
            let of = |at: usize| full.get(at).is_some_and(|cell| cell.starts_with(row[at]));
            full.first() == row.first() && of(1) && of(3)
        });
        if !stands {
            writeln!(broken, "| {} |", row.join(" | ")).unwrap();
        }
    }
    assert_none("figures of the README that the benchmarks do not have", &broken);
}

/// The cells of each row of a table, without what makes them bold.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    rows.map(|row| row.split('|').map(|cell| cell.trim().trim_matches('*')).collect())
}
