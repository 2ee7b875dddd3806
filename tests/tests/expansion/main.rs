//! The macro's own pipeline, run on token streams: golden expansions and mutated input.
//!
//! A proc-macro crate exports no functions, so its modules are compiled into this test once more.

mod compiles;
mod coverage;
mod golden;
mod mutation;
mod pages;
mod shown;

#[path = "../../../macros/src"]
mod pipeline {
    mod args;
    mod arguments;
    mod attributes;
    mod body;
    mod check;
    mod conditional;
    mod entered;
    mod error;
    pub(crate) mod expand;
    mod function;
    mod half_typed;
    mod item;
    mod mode;
    mod options;
    mod outer;
    mod parts;
    mod quantity;
    mod reader;
    mod recover;
    mod scope;
    mod span;
    mod tuple;
    mod types;
    mod values;
    mod worker;
    mod yields;
}

use pipeline::expand::concurrent;

/// The expansion with every mode on.
fn expand(
    arguments: proc_macro2::TokenStream,
    item: proc_macro2::TokenStream,
) -> proc_macro2::TokenStream {
    concurrent(arguments, item, |_| true)
}

#[test]
fn a_mode_that_is_off_is_one_error_that_names_its_feature() {
    for mode in ["threads", "process", "async"] {
        let item = "pub async fn work(count: u32) -> u32 { count }".parse().unwrap();
        let output = concurrent(mode.parse().unwrap(), item, |_| false).to_string();
        assert_eq!(output.matches("compile_error").count(), 1, "{output}");
        assert!(output.contains(&format!("feature `{mode}`")), "{output}");
        // The function is there all the same, so that its callers show no errors.
        assert!(output.contains("fn work"), "{output}");
    }
}

#[test]
fn rustdoc_is_told_how_calls_run() {
    let arguments = "process, timeout = 1.5s, limit = crate::MOST, fresh, crate = a::b";
    let item = "/// What it does.\npub fn work(count: u32) -> u32 { count }".parse().unwrap();
    let output = expand(arguments.parse().unwrap(), item).to_string();
    let line = "Each call runs as a task: `process`, `timeout = 1.5s`, `limit = crate::MOST`, \
                `fresh`.";
    assert!(output.contains(line), "{output}");
    // Only for rustdoc: lints must still see a function without documentation.
    assert!(output.contains("cfg_attr (doc , doc ="), "{output}");
}
