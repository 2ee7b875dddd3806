//! Which messages the macro can write, read from its own source, so that none goes without a test.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

/// What no program can show that is compiled here.
const ELSEWHERE: &[&str] = &[
    // All modes are on: `tests/expansion/main.rs`.
    "the mode `{name}` is off: turn on the feature `{name}` of `trine` in Cargo.toml",
    // Docs: `tests/expansion/main.rs`, and the golden files.
    "Each call runs as a task",
    "Each call runs as a task of the worker",
    "The value lives in a worker",
    "A worker with a `{}`, which lives where its methods run: `{}`.",
    // What the compiler does not parse either, and reports itself.
    "expected the body of the function: `{ … }`",
    "expected an `impl` block",
    "`concurrent` cannot read the signature of this function",
];

/// The messages of this macro that none of `reported` is one of.
pub(crate) fn missing(files: &[PathBuf], reported: &[String]) -> Vec<String> {
    let messages = files.iter().flat_map(|file| messages(&fs::read_to_string(file).unwrap()));
    let is_tried = |message: &String| {
        ELSEWHERE.contains(&message.as_str()) || reported.iter().any(|text| fits(text, message))
    };
    messages.filter(|message| !is_tried(message)).collect()
}

/// The sources of the macro: of what it makes of a function, and of an `impl`.
pub(crate) fn sources() -> (Vec<PathBuf>, Vec<PathBuf>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../macros/src");
    let of = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "rs")).collect()
    };
    (of(&folder), of(&folder.join("worker")))
}

/// Texts of four words and more, which are for people.
fn messages(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let tokens: TokenStream = source.parse().expect("a source file is made of tokens");
    let mut found = Vec::new();
    collect(tokens, &mut found);
    found.retain(|text| text.split_whitespace().count() > 3);
    found
}

fn collect(tokens: TokenStream, found: &mut Vec<String>) {
    let mut is_attribute = false;
    for token in tokens {
        match &token {
            TokenTree::Group(group) if !is_attribute => collect(group.stream(), found),
            TokenTree::Literal(literal) => {
                if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                    found.push(text.value());
                }
            }
            _ => {}
        }
        is_attribute = matches!(&token, TokenTree::Punct(mark) if "#!".contains(mark.as_char()));
    }
}

/// Whether the text has the parts of this message that stand between its `{…}`, in their order.
fn fits(text: &str, message: &str) -> bool {
    let mut rest = text;
    let parts = message.split('{').enumerate().map(|(index, part)| match part.split_once('}') {
        Some((name, after)) if index > 0 && !name.contains(' ') => after,
        _ => part,
    });
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}
