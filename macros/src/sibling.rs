//! The hidden method in which a concurrent method keeps its body: a closure could not do, since
//! `self` is not a pattern.
//!
//! ```text
//! // Input:
//! pub fn handle(self: Arc<Self>, mut request: String) -> usize { BODY }
//! // Output, beside the method that callers see:
//! #[doc(hidden)]
//! fn __trine_handle(self: Arc<Self>, mut request: String) -> usize { BODY }
//! ```
use super::attributes;
use super::function::Function;
use super::span::{hidden, visible};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote_spanned};

/// The method that has the body: its patterns, its lints, its lifetimes.
pub(crate) fn method(function: &Function) -> TokenStream {
    let mut signature = function.signature.clone();
    signature.ident = name(function);
    let span = visible(function.signature.ident.span());
    // A function that begins with a token of ours is nobody's to lint: what there is to say about
    // the signature is said of the one that callers see. The body's lints look at the body.
    signature.fn_token.span = visible(signature.fn_token.span);
    let attributes = attributes::of_sibling(function);
    let body = function.body_or_empty();
    quote_spanned! {span=>
        #(#attributes)*
        #[doc(hidden)]
        #signature #body
    }
}

/// What it is called: `__trine_handle` beside `handle`, and `___trine_handle` beside `_handle`.
/// Underscores inside of a name are a matter of style to lints, those in front are not.
pub(crate) fn name(function: &Function) -> Ident {
    let name = function.name();
    let bare = name.trim_start_matches('_');
    let front = "_".repeat(name.len() - bare.len());
    format_ident!("{front}__trine_{bare}", span = hidden(function.signature.ident.span()))
}
