//! The `#[concurrent]` attribute. Users depend on `trine`, which re-exports it and documents it.
//!
//! A concurrent function goes through three steps, a module each, and comes out as an ordinary
//! function that starts its old body elsewhere:
//!
//! 1. parse: `args` reads what stands in `#[concurrent(…)]`, `function` the item below it.
//!    The body is carried as one opaque token tree and never looked into.
//! 2. `check` compares the two and says everything that is wrong, at once, with remedies.
//! 3. `expand` writes the new function. Whatever went wrong, it still writes one with the
//!    signature that callers were promised, so that one mistake stays one error.
#![forbid(unsafe_code)]

mod args;
mod arguments;
mod attributes;
mod body;
mod check;
mod conditional;
mod error;
mod expand;
mod function;
mod half_typed;
mod mode;
mod options;
mod outer;
mod quantity;
mod recover;
mod scope;
mod sibling;
mod span;
mod types;

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
