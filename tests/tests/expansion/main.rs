//! The macro's own pipeline, run on token streams: golden expansions and mutated input.
//!
//! A proc-macro crate exports no functions, so its modules are compiled into this test once more.

mod golden;
mod mutation;

#[path = "../../../macros/src"]
mod pipeline {
    pub(crate) mod args;
    mod body;
    mod check;
    mod conditional;
    mod error;
    pub(crate) mod expand;
    mod function;
    mod lifetimes;
    mod quantity;
    mod recover;
    mod signature;
}

use pipeline::expand::concurrent;

/// The expansion with every mode on.
fn expand(
    arguments: proc_macro2::TokenStream,
    item: proc_macro2::TokenStream,
) -> proc_macro2::TokenStream {
    concurrent(arguments, item, |_| true)
}
