//! The `#[concurrent]` attribute. Users depend on `trine`, which re-exports it and documents it.
//!
//! A concurrent function goes through three steps and becomes an ordinary function that starts its
//! body elsewhere:
//!
//! 1. Parse: `reader` parses the arguments of `#[concurrent(…)]`, `item` the item below it. The
//!    body stays one opaque token tree that nothing looks into.
//! 2. `check` compares the two and reports everything that is wrong, with remedies.
//! 3. `expand` writes the new function. After a mistake it still writes one with the signature that
//!    callers expect, so that one mistake is one error.
#![forbid(unsafe_code)]

mod args;
mod arguments;
mod attributes;
mod body;
mod check;
mod conditional;
mod entered;
mod error;
mod expand;
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

use mode::Mode;
use proc_macro::TokenStream;

/// Makes every call of a function start it as a task, and return the task.
///
/// `#[concurrent(threads)]`, `#[concurrent(process)]` or `#[concurrent(async)]`, and then any of
/// the options that the crate `trine` documents.
#[proc_macro_attribute]
pub fn concurrent(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::concurrent(arguments.into(), item.into(), enabled).into()
}

/// Whether trine was built with the engine of this mode.
fn enabled(mode: &Mode) -> bool {
    let features = [
        ("threads", cfg!(feature = "threads")),
        ("process", cfg!(feature = "process")),
        ("async", cfg!(feature = "async")),
    ];
    features.contains(&(mode.name, true))
}
